"""The upkeep in a process of its own, for tests to kill: pass after pass without a pause, at one moment in time."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import psycopg

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.store import Store
from pudim_collector.series.upkeep import Upkeep

ROOT = Path(__file__).parents[3]
ROLLING = b"rolling"


async def roll(conninfo: str, now: datetime) -> None:
    await database.open(conninfo, max_size=3)
    store = Store(database)
    await store.prepare(now)
    upkeep = Upkeep(database, store, ManualClock(now))
    print(ROLLING.decode(), flush=True)
    while True:
        try:
            await upkeep.run_once()
            await upkeep.tidy()
        except (psycopg.Error, PudimError) as error:
            print(type(error).__name__, flush=True)
        await asyncio.sleep(0.01)


@asynccontextmanager
async def rolling(conninfo: str, now: datetime) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process, once it is at work; killed in the end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.collector.series.rolling", conninfo, now.isoformat()),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert child.stdout is not None
    try:
        assert (await child.stdout.readline()).strip() == ROLLING
        yield child
        assert child.returncode is None, "the upkeep's process has ended by itself"
    finally:
        child.kill()
        await child.communicate()


if __name__ == "__main__":
    asyncio.run(roll(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
