"""Periodic jobs in exactly one process: APScheduler ticks where a PostgreSQL advisory lock was won."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from psycopg.sql import SQL, Literal

from pudim_collector.infra.auth import UndeclaredAccessError
from pudim_collector.infra.database import Connection, PsycopgEngine, SessionSettings, connect
from pudim_collector.kernel.clock import Clock

log = logging.getLogger(__name__)

_LEADER_LOCK = 0x7075_6469_6D02  # "pudim" and a number of ours; 1 is the migrations'
_SESSION = SessionSettings("pudim scheduler", timedelta(0))


@dataclass(frozen=True)
class Job:
    """`run` is called every `every`, first when the process is elected; one run at a time.

    It acts for nobody who could be asked for a permission, and `as_system` says why it may. Raises UndeclaredAccessError
    where that is left empty, so that such a process does not start.
    """

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]
    as_system: str

    def __post_init__(self) -> None:
        if not self.as_system.strip():
            raise UndeclaredAccessError(f"the job {self.name!r} does not say why it may act for no one")


class Scheduler:
    """`run` is its loop: wait to be elected, tick while the lock is held."""

    def __init__(
        self, database: PsycopgEngine, jobs: Sequence[Job], clock: Clock, *, patience: float = 5.0
    ) -> None:
        self._database, self._jobs, self._clock, self._patience = database, jobs, clock, patience

    async def run(self) -> None:
        connection = await connect(self._database.conninfo, _SESSION)
        try:
            while not await self._elected(connection):  # noqa: ASYNC110 - the lock is another process'
                await asyncio.sleep(self._patience)
            await self._tick_while_leading(connection)
        finally:
            await connection.close()

    async def _elected(self, connection: Connection) -> bool:
        cursor = await connection.execute(
            SQL("SELECT pg_try_advisory_lock({})").format(Literal(_LEADER_LOCK))
        )
        row = await cursor.fetchone()
        return row is not None and bool(row[0])

    async def _tick_while_leading(self, connection: Connection) -> None:
        """Returns by the error of a lost connection, for with it the lock is lost."""
        log.info("this process runs the periodic jobs")
        ticker = AsyncIOScheduler(timezone="UTC")
        for job in self._jobs:
            ticker.add_job(
                _guarded,
                IntervalTrigger(seconds=int(job.every.total_seconds()), timezone="UTC"),
                [job],
                id=job.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
                next_run_time=self._clock.now(),
            )
        ticker.start()
        try:
            while True:
                await asyncio.sleep(self._patience)
                await connection.execute("SELECT 1")
        finally:
            ticker.shutdown(wait=False)


async def _guarded(job: Job) -> None:
    try:
        await job.run()
    except Exception:
        # A failing job is tried again at its next tick and must not end the ticker.
        log.exception("job %s failed", job.name)
