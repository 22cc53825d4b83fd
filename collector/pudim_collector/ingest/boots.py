"""How far one boot of an agent has come in this session: accepted here, and stored; and what came late."""

from __future__ import annotations

from dataclasses import dataclass

from pudim_collector.series.store import Arrival, Boot

LATE_MS = 120_000
"""What arrives later than this after it was sampled has waited in the agent's spool."""


@dataclass(slots=True)
class BootProgress:
    """`accepted` runs ahead of `stored` by what waits for the next commit."""

    boot_id: bytes
    ledger_id: int
    accepted: int
    stored: int
    newest_ms: int | None = None
    run: Arrival | None = None

    @classmethod
    def start(cls, boot_id: bytes, boot: Boot) -> BootProgress:
        return cls(boot_id, boot.ledger_id, boot.last_seq, boot.last_seq, boot.last_ms)

    def note(  # noqa: PLR0917 - one argument a fact
        self, seq: int, lost: int, first_ms: int, last_ms: int, now: int, late_after: int
    ) -> Arrival | None:
        """What is worth remembering of how batch `seq` came; None of one that came in time after the one before."""
        before, self.newest_ms = self.newest_ms, max(last_ms, self.newest_ms or last_ms)
        late = now - last_ms > late_after
        if self.run is not None and late and not lost:
            self.run = self.run._replace(last_ms=max(self.run.last_ms, last_ms), came_ms=now)
        elif late or lost:
            self.run = Arrival(self.ledger_id, seq, before, first_ms, last_ms, lost, now)
            if not late:
                return self._end_run()
        else:
            self.run = None
        return self.run

    def _end_run(self) -> Arrival | None:
        ended, self.run = self.run, None
        return ended
