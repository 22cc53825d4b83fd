"""How far one boot of an agent has come in this session: accepted here, and stored."""

from __future__ import annotations

from dataclasses import dataclass

from pudim_collector.series.store import Boot


@dataclass(slots=True)
class BootProgress:
    """`accepted` runs ahead of `stored` by what waits for the next commit."""

    boot_id: bytes
    ledger_id: int
    accepted: int
    stored: int

    @classmethod
    def start(cls, boot_id: bytes, boot: Boot) -> BootProgress:
        return cls(boot_id, boot.ledger_id, boot.last_seq, boot.last_seq)
