"""How far one boot of an agent has come in this session: accepted here, and stored; and what came late."""

from __future__ import annotations

from dataclasses import dataclass

from pudim_collector.series.store import Arrival, Boot

LATE_MS = 120_000
"""What arrives later than this after it was sampled has waited in the agent's spool."""
HOLE_MS = 60_000
_TICKS = 3
"""A pause of more than this many intervals, and of HOLE_MS, is worth remembering."""


@dataclass(slots=True)
class BootProgress:
    """`accepted` runs ahead of `stored` by what waits for the next commit."""

    boot_id: bytes
    ledger_id: int
    accepted: int
    stored: int
    newest_ms: int | None = None
    late_after: int = LATE_MS
    hole_after: int = HOLE_MS
    _run: Arrival | None = None

    @classmethod
    def start(
        cls, boot_id: bytes, boot: Boot, *, interval_ms: int = 0, late_after: int = LATE_MS
    ) -> BootProgress:
        hole_after = max(HOLE_MS, _TICKS * interval_ms)
        return cls(
            boot_id, boot.ledger_id, boot.last_seq, boot.last_seq, boot.last_ms, late_after, hole_after
        )

    def note(self, seq: int, lost: int, first_ms: int, last_ms: int, now: int) -> Arrival | None:
        """What is worth remembering of how batch `seq` came; None if it came in time, right after the one before."""
        before, self.newest_ms = self.newest_ms, max(last_ms, self.newest_ms or last_ms)
        late = now - last_ms > self.late_after
        apart = lost > 0 or (before is not None and first_ms - before > self.hole_after)
        if late and not apart and self._run is not None:
            self._run = self._run._replace(last_ms=max(self._run.last_ms, last_ms), came_ms=now)
            return self._run
        made = Arrival(self.ledger_id, seq, before, first_ms, last_ms, lost, now)
        # A batch after lost ones may stand for some of them, so its times are kept apart from what follows.
        self._run = made if late and not lost else None
        return made if late or apart else None
