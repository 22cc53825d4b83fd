"""When collectors were there to take frames in: what was not stored while none was is nobody else's fault."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.statements import run

BEAT = timedelta(seconds=10)
_MISSED = 3
"""After so many beats that did not reach the database it was away, which for agents is the same."""


class CollectorRun:
    """This process, as others see afterwards when it ran; `run` is its loop."""

    def __init__(self, database: PsycopgEngine, clock: Clock, *, beat: timedelta = BEAT) -> None:
        self._database, self._clock, self._beat = database, clock, beat
        self._run_id: int | None = None

    async def run(self) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(self._beat.total_seconds())

    async def beat(self) -> None:
        now = self._clock.now()
        alive: datetime = now - _MISSED * self._beat
        async with self._database.connection() as connection:
            rows = await run(connection, "beat_collector_run", self._run_id, now, alive)
        self._run_id = rows[0][0]
