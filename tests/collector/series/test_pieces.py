"""The contract of every backend: room, pieces, what dropping and emptying them takes, and what compressing keeps."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from psycopg import errors
from psycopg.sql import SQL, Identifier

from pudim_collector.infra.database import database
from pudim_collector.series.backends import EPOCH, FRAMES, TABLES, Backend, Connection, Piece, TimeTable
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source, stored_frames

SPAN = FRAMES.width
CURRENT = FRAMES.start_of(NOW)
FIRST, SECOND, THIRD = (CURRENT - n * SPAN for n in (6, 5, 4))
EACH_TABLE = pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
A_BLOCK = "INSERT INTO {} VALUES (1, $1, 1, 't', '{{0,60000}}', $2)"
A_FRAME = "INSERT INTO frames VALUES (1, $1, '{1}')"


@pytest.fixture
async def other(store: Store, migrated: str) -> AsyncIterator[Connection]:
    """A second client in a transaction."""
    connect = psycopg.AsyncConnection.connect(migrated, cursor_factory=psycopg.AsyncRawCursor)
    async with await connect as connection:
        yield connection
        await connection.rollback()


async def put(connection: Connection, table: TimeTable, moment: datetime) -> None:
    if table is FRAMES:
        await connection.execute(A_FRAME, [moment])
    else:
        await connection.execute(SQL(A_BLOCK).format(Identifier(table.name)), [moment, bytes(60_000)])


async def held(table: TimeTable) -> list[datetime]:
    query = SQL("SELECT {by} FROM {name} ORDER BY {by}").format(
        by=Identifier(table.by), name=Identifier(table.name)
    )
    async with database.connection() as connection:
        return [row[0] for row in await (await connection.execute(query)).fetchall()]


async def pieces(backend: Backend, table: TimeTable) -> list[Piece]:
    async with database.connection() as connection:
        return [piece for piece in await backend.pieces(connection) if piece.table is table]


async def piece_of(backend: Backend, table: TimeTable, moment: datetime) -> Piece:
    (found,) = [one for one in await pieces(backend, table) if one.start <= moment < one.end]
    return found


async def filled(backend: Backend, table: TimeTable, *moments: datetime) -> None:
    async with database.connection() as connection:
        for moment in moments:
            await backend.make_room(connection, table, moment, moment)
            await put(connection, table, moment)


@EACH_TABLE
async def test_there_is_room_from_the_oldest_to_the_newest(
    backend: Backend, store: Store, table: TimeTable
) -> None:
    start = table.start_of(NOW - timedelta(days=500))
    moments = [
        start,
        start + table.width,
        start + 2 * table.width,
        start + 3 * table.width - timedelta.resolution,
    ]
    async with database.connection() as connection:
        await backend.make_room(connection, table, moments[0], moments[-1])
        for moment in moments:
            await put(connection, table, moment)
    assert await held(table) == moments


@EACH_TABLE
async def test_pieces_are_where_their_rows_are(backend: Backend, store: Store, table: TimeTable) -> None:
    start = table.start_of(NOW) + 3 * table.width
    moments = [start - timedelta.resolution, start, start + table.width - timedelta.resolution]
    await filled(backend, table, *moments, EPOCH + table.width / 2, NOW + timedelta(days=333))
    found = await pieces(backend, table)
    for piece in found:
        assert piece.start == table.start_of(piece.start)
        assert piece.end - piece.start == table.width
        assert piece.bytes > 0
    assert all(one.end <= after.start for one, after in pairwise(found))
    homes = [await piece_of(backend, table, moment) for moment in await held(table)]
    assert homes[2] == homes[3] != homes[1]


async def test_all_tables_are_told_of_in_order(backend: Backend, store: Store) -> None:
    for table in TABLES:
        await filled(backend, table, NOW - timedelta(days=100), NOW + timedelta(days=100))
    async with database.connection() as connection:
        found = await backend.pieces(connection)
    assert {piece.table for piece in found} == set(TABLES)
    assert [piece.start for piece in found] == sorted(piece.start for piece in found)
    assert len({(piece.table, piece.name) for piece in found}) == len(found)


@EACH_TABLE
async def test_bytes_are_those_of_toast_and_indexes_too(
    backend: Backend, store: Store, table: TimeTable
) -> None:
    await filled(backend, table, NOW)
    before = (await piece_of(backend, table, NOW)).bytes
    async with database.connection() as connection:
        for n in range(1000 if table is FRAMES else 20):
            await put(connection, table, NOW + timedelta(milliseconds=n + 1))
    rows = 1000 * 60 if table is FRAMES else 20 * 60_000
    assert (await piece_of(backend, table, NOW)).bytes > before + rows


@EACH_TABLE
async def test_a_large_column_is_stored_so_that_a_part_of_it_can_be_read(
    backend: Backend, store: Store, table: TimeTable
) -> None:
    await filled(backend, table, NOW)
    name = (await piece_of(backend, table, NOW)).name
    async with database.connection() as connection:
        query = "SELECT attstorage FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid WHERE relname = $1 AND attname = 'body'"
        assert await fetch(connection, query, [name]) == ([] if table is FRAMES else [("e",)])


@EACH_TABLE
async def test_a_dropped_piece_takes_its_rows_and_no_others(
    backend: Backend, store: Store, table: TimeTable
) -> None:
    start = table.start_of(NOW) - 10 * table.width
    end = start + table.width
    outside = [start - timedelta.resolution, end]
    await filled(backend, table, start, end - timedelta.resolution, *outside)
    piece = await piece_of(backend, table, start)
    async with database.connection() as connection:
        await backend.drop(connection, piece)
        await backend.drop(connection, piece)
    assert await held(table) == outside
    assert piece not in await pieces(backend, table)
    await filled(backend, table, start)
    assert await held(table) == [outside[0], start, end]


async def test_what_somebody_writes_into_is_not_dropped(
    backend: Backend, store: Store, other: Connection
) -> None:
    await filled(backend, FRAMES, FIRST)
    await put(other, FRAMES, FIRST + SPAN / 2)
    async with database.connection() as connection:
        with pytest.raises(errors.LockNotAvailable):
            await backend.drop(connection, await piece_of(backend, FRAMES, FIRST))
    await other.commit()
    assert await held(FRAMES) == [FIRST, FIRST + SPAN / 2]


async def remove(connection: Connection, start: datetime, end: datetime) -> int:
    removed = "DELETE FROM frames WHERE time >= $1 AND time < $2 RETURNING 1"
    return len(await fetch(connection, removed, [start, end]))


async def test_only_pieces_that_ended_and_are_empty_give_their_space_back(
    backend: Backend, store: Store
) -> None:
    for start in (FIRST, SECOND, CURRENT):
        await filled(backend, FRAMES, *(start + n * timedelta(minutes=1) for n in range(200)))
    async with database.connection() as connection:
        await remove(connection, FIRST, SECOND)
        await remove(connection, CURRENT, CURRENT + SPAN)
        before = {piece.start: piece.bytes for piece in await pieces(backend, FRAMES)}
        assert await backend.vacate(connection, CURRENT) == 1
        assert await backend.vacate(connection, CURRENT) == 0
    after = {piece.start: piece.bytes for piece in await pieces(backend, FRAMES)}
    assert after.pop(FIRST, 0) < before.pop(FIRST)
    assert after == before
    assert len(await held(FRAMES)) == 200


async def test_an_emptied_piece_takes_what_comes_late(backend: Backend, store: Store) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    second = int(FIRST.timestamp())
    boot = await commit(store, server, [frames(one, [second], [[1.0]])])
    async with database.connection() as connection:
        await remove(connection, FIRST, SECOND)
        assert await backend.vacate(connection, SECOND) == 1
    await commit(store, server, [frames(one, [second + 10], [[2.0]])], boot=boot)
    assert await stored_frames() == [(one, second + 10, [2.0])]


async def test_a_row_that_is_not_committed_yet_is_not_emptied_away(
    backend: Backend, store: Store, other: Connection
) -> None:
    await filled(backend, FRAMES, FIRST)
    async with database.connection() as connection:
        await remove(connection, FIRST, SECOND)
        await put(other, FRAMES, FIRST + SPAN / 2)
        assert await backend.vacate(connection, SECOND) == 0
        await other.commit()
        assert await backend.vacate(connection, SECOND) == 0
    assert await held(FRAMES) == [FIRST + SPAN / 2]


async def test_nothing_is_lost_to_emptying_while_others_write(
    backend: Backend, store: Store, migrated: str
) -> None:
    """Writers of their own, one that moves rows away, and one that empties, all at once."""
    await filled(backend, FRAMES, FIRST)
    written, moved, emptied, writing = 1, 0, 0, True

    async def write() -> None:
        nonlocal written
        async with await psycopg.AsyncConnection.connect(
            migrated, cursor_factory=psycopg.AsyncRawCursor
        ) as writer:
            for n in range(120):
                await put(writer, FRAMES, FIRST + n * timedelta(seconds=1))
                await writer.commit()
                written += 1

    async def move() -> None:
        nonlocal moved
        async with database.connection() as connection:
            moved += await remove(connection, FIRST, SECOND)

    async def empty() -> None:
        nonlocal emptied
        async with database.connection() as connection:
            emptied += await backend.vacate(connection, SECOND)

    async def again_and_again(act: Callable[[], Awaitable[None]]) -> None:
        while writing:
            await act()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(again_and_again(move))
        tasks.create_task(again_and_again(empty))
        await asyncio.gather(write(), write(), write())
        writing = False
    assert moved + len(await held(FRAMES)) == written == 361
    await move()
    await empty()
    assert emptied
    assert moved == written


def varied(source_id: int, width: int, start: datetime, rows: int, every: float) -> SourceFrames:
    """Frames with all that a float can be."""
    rng = np.random.default_rng(source_id)
    values = rng.choice(
        [0.0, 1.5, -1e99, 5e-324, np.nan, np.inf, 1e9, *rng.normal(size=20)], size=(rows, width)
    ).astype("<f8")
    times = (int(start.timestamp() * 1000) + np.arange(rows) * every * 1000).astype("<i8")
    return SourceFrames(source_id, width, times.tobytes(), values.tobytes())


async def everything() -> list[tuple[int, float, list[str]]]:
    return sorted(
        (id_, time, [repr(value) for value in values]) for id_, time, values in await stored_frames()
    )


async def test_compressing_keeps_every_row(backend: Backend, store: Store) -> None:
    server = uuid4()
    wide, narrow = await store.declare(server, [source("a", "b", "c"), source("d", name="other")])
    every = SPAN.total_seconds() / 1440
    blocks = [varied(wide, 3, FIRST, 2500, every), varied(narrow, 1, FIRST, 2500, every)]
    boot = await commit(store, server, blocks)
    stored = await everything()
    async with database.connection() as connection:
        compacts = await backend.compacts(connection)
        assert await backend.compress(connection, SECOND + SPAN / 2) == compacts
        assert await everything() == stored
        late = [varied(wide, 3, FIRST + timedelta(seconds=7), 90, 30), varied(narrow, 1, FIRST, 1, 1)]
        boot = await commit(store, server, late, boot=boot)
        with_late = await everything()
        assert len(with_late) == len(stored) + 91
        assert await backend.compress(connection, SECOND) == compacts
        assert await backend.compress(connection, SECOND) == 0
        assert await everything() == with_late
        assert await backend.compress(connection, THIRD) == compacts
        assert await everything() == with_late
        await backend.drop(connection, await piece_of(backend, FRAMES, FIRST))
    second = SECOND.timestamp()
    assert await everything() == [row for row in with_late if row[1] >= second]


async def test_each_piece_is_told_of_in_utc(backend: Backend, store: Store) -> None:
    """A session in another zone must not shift where pieces begin."""
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL timezone = 'Pacific/Apia'")
        await backend.make_room(connection, FRAMES, FIRST, FIRST)
        await put(connection, FRAMES, FIRST)
        found = [piece for piece in await backend.pieces(connection) if piece.table is FRAMES]
        assert FIRST.astimezone(UTC) in [piece.start for piece in found]
        assert all(piece.end - piece.start == FRAMES.width for piece in found)
