"""Writing: the ledger and the frames of a commit are stored together or not at all."""

import asyncio
import json
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.statements import fetch, run
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


async def test_room_is_made_where_there_is_none(store: Store) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    long_ago = START - 400 * 86_400
    await commit(store, server, [frames(one, [START, long_ago], [[1.0], [1.0]])])
    assert [time for _, time, _ in await stored_frames()] == [long_ago, START]
    assert (await store.open_boot(server, BOOT)).last_seq == 1


async def test_each_commit_notes_what_it_made_dirty(store: Store) -> None:
    server = uuid4()
    one, two = await store.declare(server, [source("a"), source("b")])
    hour = START // 3600
    boot = await commit(
        store,
        server,
        [frames(two, [START, START + 10, START + 3600], [[1.0]] * 3), frames(one, [START - 1], [[1.0]])],
    )
    await commit(store, server, [], boot=boot)
    async with database.connection() as connection:
        noted = await fetch(connection, "SELECT sources, hours FROM dirt")
    assert noted == [([one, two, two], [hour - 1, hour, hour + 1])]


async def test_how_old_frames_may_be_is_set(store: Store, clock: ManualClock) -> None:
    assert store.oldest_taken(NOW) == NOW - timedelta(days=7)
    async with database.connection() as connection:
        await connection.execute("UPDATE retention SET days = 3 WHERE tier = 'raw'")
        await store.prepare(clock.now())
        assert store.oldest_taken(NOW) == NOW - timedelta(days=3)
        await connection.execute("UPDATE store SET raw_since = $1", [NOW - timedelta(days=1)])
    await store.prepare(clock.now())
    assert store.oldest_taken(NOW) == NOW - timedelta(days=1)


async def test_sources_are_declared_once_by_whoever_comes(store: Store) -> None:
    server = uuid4()
    wanted = [source("a", "b"), source("a", "b", name="process", group="x"), source("c")]
    ids = await asyncio.gather(*(store.declare(server, wanted) for _ in range(4)))
    assert len({tuple(one) for one in ids}) == 1
    assert len(set(ids[0])) == 3
    assert await store.declare(uuid4(), wanted) != ids[0]
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM layouts") == [(2,)]


async def until_somebody_waits() -> None:
    for _ in range(1000):
        async with database.connection() as connection:
            waiting = (
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if await fetch(connection, waiting):
                return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def test_who_comes_second_gets_what_the_first_one_makes(store: Store, migrated: str) -> None:
    server, wanted = uuid4(), source("a")
    layout = (wanted.layout.hash, ["a"], json.dumps(wanted.layout.encoded()))
    async with await psycopg.AsyncConnection.connect(migrated) as first:
        boot = await run(first, "open_boot", server, BOOT, None)
        second = asyncio.create_task(store.open_boot(server, BOOT))
        await until_somebody_waits()
        await first.commit()
        assert [tuple(await second)] == boot

        layout_id = (await run(first, "declare_layout", *layout))[0][0]
        declaring = asyncio.create_task(store.declare(server, [wanted]))
        await until_somebody_waits()
        await first.commit()
        assert await declaring == await store.declare(server, [wanted])

        made = (server, b"h" * 16, "host", "{}", layout_id)
        source_id = await run(first, "declare_source", *made)
        async with database.connection() as connection:
            again = asyncio.create_task(run(connection, "declare_source", *made))
            await until_somebody_waits()
            await first.commit()
            assert await again == source_id


async def test_servers_with_the_same_layouts_do_not_wait_for_each_other(store: Store) -> None:
    wanted = [source(f"metric{n}") for n in range(20)]
    await asyncio.gather(
        *(store.declare(uuid4(), order) for order in (wanted, wanted[::-1], wanted[10:] + wanted[:10]))
    )
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM layouts") == [(20,)]


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
