"""Periodic jobs run in exactly one of the processes that share a database, and go on when that one is lost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from pudim_collector.infra.auth import UndeclaredAccessError
from pudim_collector.infra.database import database
from pudim_collector.infra.scheduler import Job, Scheduler
from pudim_collector.infra.supervised import Backoff, Supervisor
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.statements import fetch

SECOND = timedelta(seconds=1)
PATIENCE = 0.05


class Counting:
    """A job that notes its runs, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self.failures = failures

    async def run(self) -> None:
        self.runs += 1
        if self.runs <= self.failures:
            raise OSError("no route")

    async def reaches(self, runs: int) -> None:
        async with asyncio.timeout(10):
            while self.runs < runs:
                await asyncio.sleep(0.01)


@pytest.fixture
async def loops(fresh_database: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Supervisor]:
    caplog.set_level(logging.CRITICAL)
    async with Supervisor(SystemClock(), Backoff(first=0.2, most=0.2)) as supervisor:
        yield supervisor


def scheduler(*jobs: Job) -> Scheduler:
    return Scheduler(database, jobs, SystemClock(), patience=PATIENCE)


def job(counting: Counting, every: timedelta = SECOND, name: str = "count") -> Job:
    return Job(name, every, counting.run, "counts")


async def leaders() -> list[int]:
    async with database.connection() as connection:
        query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        return [row[0] for row in await fetch(connection, query)]


async def test_a_job_runs_at_once_and_then_periodically(loops: Supervisor) -> None:
    counting, seldom = Counting(), Counting()
    loops.start("scheduler", scheduler(job(counting), job(seldom, timedelta(hours=1), "seldom")).run)
    async with asyncio.timeout(0.9):
        await counting.reaches(1)
        await seldom.reaches(1)
    await counting.reaches(3)
    assert seldom.runs == 1


async def test_one_of_two_ticks_and_the_other_takes_over_when_it_is_lost(loops: Supervisor) -> None:
    first, second = Counting(), Counting()
    loops.start("first", scheduler(job(first)).run)
    await first.reaches(1)
    loops.start("second", scheduler(job(second)).run)
    await first.reaches(2)
    assert second.runs == 0
    (leader,) = await leaders()
    async with database.connection() as connection:
        await connection.execute("SELECT pg_terminate_backend($1)", [leader])
    await second.reaches(1)
    stopped = first.runs
    await second.reaches(3)
    assert first.runs == stopped
    assert len(await leaders()) == 1
    assert loops.reports["first"].failures == 1
    assert loops.reports["second"].failures == 0


async def test_a_process_that_ends_hands_over(loops: Supervisor) -> None:
    first, second = Counting(), Counting()
    loops.start("first", scheduler(job(first)).run)
    await first.reaches(1)
    loops.start("second", scheduler(job(second)).run)
    await loops.stop("first")
    await second.reaches(1)
    assert first.runs == 1


async def test_a_failing_job_is_tried_again_and_stops_no_other(loops: Supervisor) -> None:
    failing, well = Counting(failures=2), Counting()
    loops.start("scheduler", scheduler(job(failing, name="failing"), job(well)).run)
    await failing.reaches(4)
    await well.reaches(4)
    assert loops.reports["scheduler"].failures == 0


async def test_a_job_never_runs_beside_itself(loops: Supervisor) -> None:
    running = most = runs = 0

    async def slow() -> None:
        nonlocal running, most, runs
        running, runs = running + 1, runs + 1
        most = max(most, running)
        await asyncio.sleep(1.5)
        running -= 1

    loops.start("scheduler", scheduler(Job("slow", SECOND, slow, "waits")).run)
    async with asyncio.timeout(10):
        while runs < 2:
            await asyncio.sleep(0.05)
    assert most == 1


async def test_a_job_is_ended_with_the_leadership(loops: Supervisor) -> None:
    ended = asyncio.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    started = Counting()
    loops.start("scheduler", scheduler(job(started), Job("long", SECOND, long, "waits")).run)
    await started.reaches(1)
    await loops.stop("scheduler")
    async with asyncio.timeout(5):
        await ended.wait()


def test_a_job_says_why_nobody_is_asked() -> None:
    with pytest.raises(UndeclaredAccessError):
        Job("silent", SECOND, Counting().run, " ")
