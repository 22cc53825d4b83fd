"""What the ledger remembers of each server's frames: when its agent ran, what came late or never, who was there to take it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.series.backends import EPOCH
from pudim_collector.series.statements import run

_UNSAID_INTERVAL = 10_000
"""Of boots that began before their interval was kept."""


_HOUR = 3_600_000


class BootSpan(NamedTuple):
    """A boot's oldest and newest stored frame, and how often its agent samples; milliseconds, as all times here."""

    first: int
    last: int
    interval: int


class ArrivalSpan(NamedTuple):
    """Frames that came late, after lost batches or after a pause; `after` is the newest frame before them."""

    after: int | None
    first: int
    last: int
    lost: int
    came: int


class RunSpan(NamedTuple):
    """From `start` until before `end`, as when a collector took frames in."""

    start: int
    end: int


class Attendance:
    """Reads one database."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database

    async def boots(self, servers: Sequence[UUID] | None = None) -> dict[UUID, list[BootSpan]]:
        """The boots that have frames, oldest first; of all servers if None are named."""
        wanted = None if servers is None else list(servers)
        async with self._database.connection() as connection:
            rows = await run(connection, "boot_spans", wanted, _UNSAID_INTERVAL)
        found: dict[UUID, list[BootSpan]] = {}
        for server_id, *span in rows:
            found.setdefault(server_id, []).append(BootSpan(*span))
        return found

    async def arrivals(
        self, since: datetime, servers: Sequence[UUID] | None = None
    ) -> dict[UUID, list[ArrivalSpan]]:
        """What came since then."""
        wanted = None if servers is None else list(servers)
        async with self._database.connection() as connection:
            rows = await run(connection, "arrivals", wanted, (since - EPOCH) // timedelta(milliseconds=1))
        found: dict[UUID, list[ArrivalSpan]] = {}
        for server_id, *span in rows:
            found.setdefault(server_id, []).append(ArrivalSpan(*span))
        return found

    async def collectors(self, since: datetime) -> list[RunSpan]:
        """When collectors ran, in order of their start; runs may overlap."""
        async with self._database.connection() as connection:
            return [RunSpan(*row) for row in await run(connection, "collector_runs", since)]

    async def waiting(self, before: datetime) -> dict[UUID, list[RunSpan]]:
        """Hours of servers before then whose frames are stored and not rolled up yet."""
        hour = (before - EPOCH) // timedelta(hours=1)
        async with self._database.connection() as connection:
            rows = await run(connection, "waiting_hours", hour)
        found: dict[UUID, list[RunSpan]] = {}
        for server_id, number in rows:
            found.setdefault(server_id, []).append(RunSpan(number * _HOUR, (number + 1) * _HOUR))
        return found

    async def forget(self, before: datetime) -> None:
        async with self._database.connection() as connection:
            milliseconds = (before - EPOCH) // timedelta(milliseconds=1)
            await run(connection, "forget_attendance", before, milliseconds)
