"""Writing: the ledger and the frames of a commit are stored together or not at all."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import Backend, BackendUnavailable
from pudim_collector.series.backends.choice import PREFERENCE, chosen_backend
from pudim_collector.series.backends.partitions import days
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import LedgerConflict, Step, Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import BOOT, commit, frames, source, stored_frames

START = int(NOW.timestamp())


async def test_a_boot_is_opened_once(store: Store) -> None:
    server = uuid4()
    boots = await asyncio.gather(*(store.open_boot(server, BOOT) for _ in range(5)))
    assert len(set(boots)) == 1
    assert boots[0].last_seq == 0
    assert (await store.open_boot(server, b"c" * 16)).ledger_id != boots[0].ledger_id
    assert (await store.open_boot(uuid4(), BOOT)).ledger_id != boots[0].ledger_id


async def test_the_ledger_follows_the_commits(store: Store) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    boot = await commit(store, server, [frames(one, [START], [[1.0]])])
    await store.commit([frames(one, [START + 10], [[2.0]])], [Step(boot.ledger_id, 1, 5, 3)], "*")
    assert (await store.open_boot(server, BOOT)).last_seq == 5
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT last_seq, lost FROM ledger") == [(5, 3)]


async def test_nothing_is_stored_where_another_writer_was_faster(store: Store) -> None:
    first, second = uuid4(), uuid4()
    (one,) = await store.declare(first, [source("a")])
    (two,) = await store.declare(second, [source("a")])
    beaten = await commit(store, first, [frames(one, [START], [[1.0]])])
    fine = await store.open_boot(second, BOOT)
    with pytest.raises(LedgerConflict) as conflict:
        await store.commit(
            [frames(one, [START], [[1.0]]), frames(two, [START], [[1.0]])],
            [Step(beaten.ledger_id, 0, 1, 0), Step(fine.ledger_id, 0, 1, 0)],
            "*",
        )
    assert conflict.value.ledger_ids == {beaten.ledger_id}
    assert len(await stored_frames()) == 1
    assert (await store.open_boot(second, BOOT)).last_seq == 0


async def test_frames_without_a_place_store_nothing(store: Store) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    if store.backend is not None and store.backend.name == "hypertable":
        pytest.skip("a hypertable has a place for every time")
    long_ago = START - 400 * 86_400
    with pytest.raises(psycopg.errors.CheckViolation):
        await commit(store, server, [frames(one, [START, long_ago], [[1.0], [1.0]])])
    assert await stored_frames() == []
    assert (await store.open_boot(server, BOOT)).last_seq == 0


async def test_sources_are_declared_once_by_whoever_comes(store: Store) -> None:
    server = uuid4()
    wanted = [source("a", "b"), source("a", "b", name="process", group="x"), source("c")]
    ids = await asyncio.gather(*(store.declare(server, wanted) for _ in range(4)))
    assert len({tuple(one) for one in ids}) == 1
    assert len(set(ids[0])) == 3
    assert await store.declare(uuid4(), wanted) != ids[0]
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM layouts") == [(2,)]


async def test_committed_servers_are_announced_after_the_commit(store: Store, migrated: str) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    async with await psycopg.AsyncConnection.connect(migrated, autocommit=True) as listener:
        await listener.execute("LISTEN pudim_committed")
        await commit(store, server, [frames(one, [START], [[1.0]])])
        notes = [note.payload async for note in listener.notifies(timeout=5, stop_after=1)]
    assert notes == [server.hex]


async def test_several_processes_prepare_at_once(migrated: str, clock: ManualClock) -> None:
    stores = [Store(database) for _ in range(4)]
    await asyncio.gather(*(store.prepare(clock.now()) for store in stores))
    assert len({store.backend.name for store in stores if store.backend}) == 1


async def test_room_is_made_ahead(store: Store, clock: ManualClock) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    clock.advance(timedelta(days=3))
    await store.prepare(clock.now())
    boot = await commit(store, server, [frames(one, [START + 4 * 86_400], [[1.0]])])
    await commit(store, server, [frames(one, [START - 7 * 86_400], [[1.0]])], boot=boot)
    assert len(await stored_frames()) == 2


async def test_the_backend_is_kept(store: Store) -> None:
    assert store.backend is not None
    others: list[Backend] = [backend for backend in PREFERENCE if backend.name != store.backend.name]
    async with database.transaction(), database.connection() as connection:
        assert (await chosen_backend(connection)).name == store.backend.name
        with pytest.raises(BackendUnavailable):
            await chosen_backend(connection, others)


def test_days_cover_both_ends() -> None:
    found = days(NOW - timedelta(days=1, hours=13), NOW + timedelta(hours=12))
    assert [day.day for day in found] == [2, 3, 4, 5]
    assert all(day.hour == 0 and day.tzinfo is not None for day in found)
