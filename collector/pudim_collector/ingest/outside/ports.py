"""What taking metrics from outside must know of servers and senders; the composition root brings it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from pudim_collector.infra.auth import Sender


class Servers(Protocol):
    """The servers that samples can be about."""

    async def place(self, names: Sequence[str], sender: Sender) -> UUID:
        """The server called by the first of `names` that one bears, else a new one called by the last.

        Raises ServerCap or ServerRevoked.
        """
        ...

    async def seen(self, servers: Sequence[UUID]) -> None:
        """Samples of these were stored now."""
        ...


class SenderRecords(Protocol):
    """Where it is written down what becomes of senders."""

    async def used(self, sender_id: UUID, series: int) -> None: ...

    async def refused(self, sender_id: UUID, points: int, said: str) -> None: ...
