"""The upkeep's process is killed, the server dies, two roll up at once: nothing is lost, doubled or rolled up wrongly.

Meanwhile frames of hours that are over, of the open one, and halves of frames are committed in no order.
"""

import asyncio
import contextvars
import math
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.migrations import MigrationApp, migrate
from pudim_collector.infra.database.watchdog import Watchdog
from pudim_collector.infra.supervised import Backoff, Supervisor
from pudim_collector.kernel.clock import ManualClock, SystemClock
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.raw import Unit
from pudim_collector.series.statements import MIGRATIONS, fetch
from pudim_collector.series.store import Boot, Step, Store
from pudim_collector.series.upkeep import Upkeep
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.rolling import rolling
from tests.collector.series.test_upkeep import Rows, settled

pytestmark = pytest.mark.processes
START = int(NOW.timestamp())
SECONDS = range(START - 3 * 3600, START + 360, 12)
ROLLED_AT = NOW + timedelta(minutes=6)
"""Three hours are over, and one goes on."""
SOURCES = 3
PER_COMMIT = 20
KILLS = 6
PATIENCE = 60.0


@dataclass
class Writing:
    """What is still to be written, in no order, and what was."""

    store: Store
    server: UUID
    boot: Boot
    left: list[tuple[int, int, list[float]]]
    rows: Rows = field(default_factory=dict)

    @classmethod
    async def begin(cls, store: Store, seed: int) -> "Writing":
        server = uuid4()
        ids = await store.declare(server, [source("a", "b", name=f"s{n}") for n in range(SOURCES)])
        left = [part for one in ids for second in SECONDS for part in _parts(one, second)]
        order = np.random.default_rng(seed).permutation(len(left))
        return cls(store, server, await store.open_boot(server, b"b" * 16), [left[n] for n in order])

    async def write_some(self) -> None:
        """One commit; where it fails the ledger says whether it was stored."""
        taken = self.left[:PER_COMMIT]
        blocks = [frames(one, [second], [values]) for one, second, values in taken]
        try:
            self.boot = await commit(self.store, self.server, blocks, boot=self.boot)
        except (psycopg.Error, PudimError):
            if not await self._was_stored():
                return
        for one, second, values in taken:
            before = self.rows.get((one, second), [math.nan, math.nan])
            self.rows[one, second] = np.fmax(before, values).tolist()
        del self.left[:PER_COMMIT]

    async def _was_stored(self) -> bool:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    boot = await self.store.open_boot(self.server, b"b" * 16)
                except (psycopg.Error, PudimError):
                    await asyncio.sleep(0.05)
                    continue
                stored, self.boot = boot.last_seq > self.boot.last_seq, boot
                return stored


def _parts(one: int, second: int) -> Iterable[tuple[int, int, list[float]]]:
    """A frame, whole or as two halves that come at different times."""
    low, high = float(second % 97), float(second % 89)
    if second % 5:
        return [(one, second, [low, high])]
    return [(one, second, [low, math.nan]), (one, second, [math.nan, high])]


async def write_until(writing: Writing, left: int) -> None:
    while len(writing.left) > max(left, 0):
        await writing.write_some()
        await asyncio.sleep(0.02)


async def test_its_process_is_killed_again_and_again(store: Store, clock: ManualClock, migrated: str) -> None:
    rng = np.random.default_rng(1)
    writing = await Writing.begin(store, 1)
    share = len(writing.left) // KILLS + 1
    while writing.left:
        async with rolling(migrated, ROLLED_AT):
            part = asyncio.create_task(write_until(writing, len(writing.left) - share))
            await asyncio.sleep(rng.uniform(0.05, 0.6))
        await part
    await settled(store, Upkeep(database, store, clock), clock, writing.rows)
    assert len(writing.rows) == SOURCES * len(SECONDS)


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    # Not in pytest's own folder, which another run as root closes to the account that the server runs under.
    with (
        tempfile.TemporaryDirectory(prefix="pudim-test-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", fsync=False) as server,
    ):
        yield server


@pytest.fixture
async def own_store(server: EmbeddedPostgres, clock: ManualClock) -> AsyncIterator[Store]:
    """On a server that this test may end."""
    await database.open(server.conninfo, max_size=3)
    await migrate(database, [MigrationApp("series", MIGRATIONS)], clock=clock)
    store = Store(database)
    await store.prepare(clock.now())
    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("database server", Watchdog(server, Backoff(first=0.1, most=0.5)).run)
        yield store
    await database.close()


async def test_the_server_dies_while_it_rolls_up(
    server: EmbeddedPostgres, own_store: Store, clock: ManualClock
) -> None:
    rng = np.random.default_rng(2)
    writing = await Writing.begin(own_store, 2)
    share = len(writing.left) // 3 + 1
    async with rolling(server.conninfo, ROLLED_AT):
        for _ in range(2):
            part = asyncio.create_task(write_until(writing, len(writing.left) - share))
            await asyncio.sleep(rng.uniform(0.1, 0.4))
            os.kill(int((server.cluster / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
            await part
        await write_until(writing, 0)
    await settled(own_store, Upkeep(database, own_store, clock), clock, writing.rows)
    assert len(writing.rows) == SOURCES * len(SECONDS)


async def test_two_processes_roll_up_at_once(store: Store, clock: ManualClock, migrated: str) -> None:
    writing = await Writing.begin(store, 3)
    async with rolling(migrated, ROLLED_AT), rolling(migrated, ROLLED_AT):
        await write_until(writing, 0)
    await settled(store, Upkeep(database, store, clock), clock, writing.rows)


class Overtaken(Upkeep):
    """While it holds a snapshot, frames are committed and another one takes the notes of them."""

    late: list[SourceFrames]
    boot: Boot
    other: Upkeep

    async def _roll_up(self, connection: Connection, units: Sequence[Unit], over: int) -> None:
        await super()._roll_up(connection, units, over)
        if units and self.late:
            # In a context of its own: else it would be inside of this one's transaction.
            await asyncio.create_task(self._overtake(), context=contextvars.Context())

    async def _overtake(self) -> None:
        step = Step(self.boot.ledger_id, self.boot.last_seq, self.boot.last_seq + 1, 0)
        late, self.late = self.late, []
        await self._store.commit(late, [step], "")
        await self.other._digest()


async def test_a_unit_that_another_process_made_dirty_again_stays_so(
    store: Store, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    first, late = START - 3600, START - 1800
    rows: Rows = {(one, first): [1.0], (one, late): [2.0]}
    slow = Overtaken(database, store, clock)
    slow.boot = await commit(store, server, [frames(one, [first], [[1.0]])])
    slow.late, slow.other = [frames(one, [late], [[2.0]])], Upkeep(database, store, clock)
    clock.advance(timedelta(hours=1))
    with pytest.raises(psycopg.errors.SerializationFailure):
        await slow.run_once()
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT dirty FROM unrolled") == [(True,)]
    await settled(store, Upkeep(database, store, clock), clock, rows)
