"""What only TimescaleDB does: its editions, its columnstore, and who waits for whom there."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import FRAMES, SNAPSHOT_LOCK, BackendUnavailable, Connection, Piece
from pudim_collector.series.backends import hypertable as module
from pudim_collector.series.backends.choice import chosen_backend
from pudim_collector.series.backends.hypertable import ColumnstoreUnreadable, Edition, Hypertable
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.offered import COLUMNSTORE, EDITION, HYPERTABLE, NOT_OFFERED

FIRST = FRAMES.start_of(NOW) - 6 * FRAMES.width
SECOND = FIRST + FRAMES.width
A_FRAME = "INSERT INTO frames VALUES (1, $1, '{1}')"
MANY = """
INSERT INTO frames SELECT source, $1::timestamptz + n * interval '15 seconds', ARRAY[source, n % 7, 0.5]
FROM generate_series(1, 3) AS source, generate_series(0, 1439) AS n
"""
CONTENT = "SELECT source_id, time, values FROM frames ORDER BY source_id, time, values"
# What conflicts with a writer's ROW EXCLUSIVE.
HINDERING = """
SELECT relation::regclass::text, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND relation::regclass::text ~ 'frames|blocks|_chunk'
AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
"""
needs_timescaledb = pytest.mark.skipif(not HYPERTABLE, reason=NOT_OFFERED)
needs_columnstore = pytest.mark.skipif(not COLUMNSTORE, reason=NOT_OFFERED)


@pytest.mark.parametrize(
    ("version", "licence", "columnstore"),
    [
        ((2, 29), "timescale", True),
        ((2, 20), "timescale", True),
        ((3, 0), "timescale", True),
        ((2, 19), "timescale", False),
        ((2, 29), "apache", False),
        ((2, 29), "", False),
    ],
)
def test_which_edition_has_a_columnstore(version: tuple[int, ...], licence: str, columnstore: bool) -> None:
    assert Edition(version, licence).columnstore is columnstore


@pytest.fixture
def hypertable() -> Hypertable:
    return Hypertable()


@pytest.fixture
async def store(hypertable: Hypertable, migrated: str, clock: ManualClock) -> Store:
    """Of this backend alone."""
    async with database.transaction(), database.connection() as connection:
        await chosen_backend(connection, [hypertable])
    store = Store(database)
    await store.prepare(clock.now())
    return store


@pytest.fixture
async def other(store: Store, migrated: str) -> AsyncIterator[Connection]:
    """A second client in a transaction."""
    connect = psycopg.AsyncConnection.connect(migrated, cursor_factory=psycopg.AsyncRawCursor)
    async with await connect as connection:
        yield connection
        await connection.rollback()


async def first_piece(hypertable: Hypertable) -> Piece:
    async with database.connection() as connection:
        found = await hypertable.pieces(connection)
    return next(piece for piece in found if piece.table is FRAMES and piece.start == FIRST)


async def put(*moments: object) -> None:
    async with database.connection() as connection:
        for moment in moments:
            await connection.execute(A_FRAME, [moment])


async def fill() -> None:
    async with database.connection() as connection:
        await connection.execute(MANY, [FIRST])


async def content() -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        return list(await fetch(connection, CONTENT))


async def compress(hypertable: Hypertable) -> int:
    async with database.connection() as connection:
        return await hypertable.compress(connection, SECOND)


@needs_timescaledb
async def test_it_compacts_where_its_edition_can(hypertable: Hypertable, store: Store) -> None:
    async with database.connection() as connection:
        assert await module.edition(connection) == EDITION
        assert await hypertable.compacts(connection) is COLUMNSTORE
        settings = await fetch(
            connection,
            "SELECT segmentby, orderby FROM timescaledb_information.hypertable_columnstore_settings"
            " WHERE hypertable = 'frames'::regclass",
        )
    assert settings == ([("source_id", '"time"')] if COLUMNSTORE else [(None, None)])


@needs_timescaledb
async def test_no_policy_of_the_extension_works_beside_ours(store: Store) -> None:
    async with database.connection() as connection:
        jobs = "SELECT proc_name FROM timescaledb_information.jobs WHERE hypertable_name IS NOT NULL"
        assert await fetch(connection, jobs) == []


@needs_timescaledb
async def test_who_starts_again_holds_no_writer_up(hypertable: Hypertable, store: Store) -> None:
    await fill()
    async with database.transaction(), database.connection() as connection:
        await hypertable.create(connection)
        assert await fetch(connection, HINDERING) == []


@needs_timescaledb
async def test_the_tables_belong_to_an_ordinary_role(hypertable: Hypertable, migrated: str) -> None:
    role = f"ordinary_{secrets.token_hex(6)}"
    async with await psycopg.AsyncConnection.connect(migrated, autocommit=True) as admin:
        await admin.execute("CREATE EXTENSION timescaledb")
        await admin.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type] # a name of our own
        try:
            await admin.execute(f"GRANT ALL ON SCHEMA public TO {role}")  # type: ignore[arg-type]
            await admin.execute(f"SET ROLE {role}")  # type: ignore[arg-type]
            await all_that_is_asked_of(hypertable, admin)
        finally:
            await admin.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


async def all_that_is_asked_of(hypertable: Hypertable, connection: Connection) -> None:
    async with connection.transaction():
        await hypertable.create(connection)
    await fetch(connection, MANY, [FIRST])
    await fetch(connection, MANY, [SECOND])
    assert await hypertable.compress(connection, SECOND) == COLUMNSTORE
    before = await hypertable.pieces(connection)
    assert [piece.start for piece in before] == [FIRST, SECOND]
    await hypertable.drop(connection, before[0])
    await connection.execute("DELETE FROM frames")
    assert await hypertable.vacate(connection, NOW) == 1
    assert await hypertable.pieces(connection) != before


@needs_columnstore
async def test_a_compressed_piece_is_small_and_read_the_same(hypertable: Hypertable, store: Store) -> None:
    await fill()
    stored, before = await content(), (await first_piece(hypertable)).bytes
    assert await compress(hypertable) == 1
    after = (await first_piece(hypertable)).bytes
    assert 0 < after < before / 2
    assert await content() == stored
    async with database.connection() as connection:
        one = "SELECT values[2] FROM frames WHERE source_id = 2 AND time >= $1 AND time < $2 ORDER BY time"
        hour = await fetch(
            connection, one, [FIRST + timedelta(hours=3), FIRST + timedelta(hours=3, seconds=75)]
        )
    assert hour == [(720 % 7,), (721 % 7,), (722 % 7,), (723 % 7,), (724 % 7,)]


@needs_columnstore
async def test_a_piece_is_compressed_when_all_of_it_is_old(hypertable: Hypertable, store: Store) -> None:
    await fill()
    async with database.connection() as connection:
        assert await hypertable.compress(connection, SECOND - timedelta(microseconds=1)) == 0
        assert await hypertable.compress(connection, SECOND) == 1


@needs_columnstore
async def test_what_comes_late_is_seen_at_once_and_compressed_later(
    hypertable: Hypertable, store: Store
) -> None:
    await fill()
    await compress(hypertable)
    await put(FIRST + timedelta(seconds=30), FIRST + timedelta(seconds=30))
    with_late = await content()
    assert len(with_late) == 3 * 1440 + 2
    assert await compress(hypertable) == 1
    assert await compress(hypertable) == 0
    assert await content() == with_late


@needs_columnstore
async def test_who_writes_into_it_is_not_waited_for_long(
    hypertable: Hypertable, store: Store, other: Connection
) -> None:
    await fill()
    await other.execute(A_FRAME, [FIRST + timedelta(hours=3)])
    assert await compress(hypertable) == 0
    await other.commit()
    assert await compress(hypertable) == 1
    assert len(await content()) == 3 * 1440 + 1


@needs_columnstore
async def test_who_reads_it_is_not_waited_for_long(
    hypertable: Hypertable, store: Store, other: Connection
) -> None:
    await fill()
    await other.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    before = await fetch(other, CONTENT)
    assert await compress(hypertable) == 0
    assert await fetch(other, CONTENT) == before
    await other.commit()
    assert await compress(hypertable) == 1
    assert await fetch(other, CONTENT) == before


@needs_columnstore
async def test_who_began_before_it_was_compressed_sees_it_all(
    hypertable: Hypertable, store: Store, other: Connection
) -> None:
    await fill()
    await other.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    await fetch(other, "SELECT FROM sources")
    assert await compress(hypertable) == 1
    assert await fetch(other, CONTENT) == await content()


@needs_columnstore
async def test_late_rows_are_taken_in_beside_who_brings_more(
    hypertable: Hypertable, store: Store, other: Connection
) -> None:
    await fill()
    await compress(hypertable)
    await put(FIRST + timedelta(seconds=30))
    await other.execute(A_FRAME, [FIRST + timedelta(seconds=40)])
    assert await compress(hypertable) == 1
    await other.commit()
    assert len(await content()) == 3 * 1440 + 2
    assert await compress(hypertable) == 1
    assert await compress(hypertable) == 0


@needs_columnstore
async def test_late_rows_stay_where_a_snapshot_in_use_sees_them(
    hypertable: Hypertable, store: Store, other: Connection
) -> None:
    await fill()
    await compress(hypertable)
    await put(FIRST + timedelta(seconds=30))
    await fetch(other, "SELECT pg_advisory_lock_shared($1)", [SNAPSHOT_LOCK])
    await other.commit()
    await other.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    await fetch(other, "SELECT FROM sources")
    assert await compress(hypertable) == 0
    assert len(await fetch(other, CONTENT)) == 3 * 1440 + 1
    await other.commit()
    await fetch(other, "SELECT pg_advisory_unlock_shared($1)", [SNAPSHOT_LOCK])
    assert await compress(hypertable) == 1


@needs_columnstore
async def test_frames_from_before_there_was_a_columnstore_are_compressed(
    hypertable: Hypertable, store: Store
) -> None:
    await fill()
    stored = await content()
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE frames SET (timescaledb.enable_columnstore = false)")
        await hypertable.create(connection)
    assert await compress(hypertable) == 1
    assert await content() == stored


@needs_columnstore
async def test_an_edition_that_cannot_read_the_columnstore_is_refused(
    hypertable: Hypertable, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server's edition is set when it starts, so this one calls its own too old."""
    monkeypatch.setattr(module, "OLDEST_COLUMNSTORE", (999,))
    await fill()
    async with database.connection() as connection:
        await hypertable.create(connection)
        assert await hypertable.compress(connection, SECOND) == 0
    monkeypatch.undo()
    await compress(hypertable)
    monkeypatch.setattr(module, "OLDEST_COLUMNSTORE", (999,))
    async with database.connection() as connection:
        with pytest.raises(ColumnstoreUnreadable, match=r"TimescaleDB 2\.[0-9]+ \(timescale\)"):
            await hypertable.create(connection)
    assert issubclass(ColumnstoreUnreadable, BackendUnavailable)
