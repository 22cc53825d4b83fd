"""The upkeep: whatever comes in whatever order, what is kept of it is what one recomputation gives."""

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import FRAME_BLOCKS, HOUR_BLOCKS, MINUTE_BLOCKS, TimeTable
from pudim_collector.series.blocks import Block, unpack_frame_block, unpack_rollup_block
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Boot, Store
from pudim_collector.series.upkeep import Upkeep
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source, stored_frames

START = int(NOW.timestamp())
HOUR_AGO = START - 3600


SELECT_BLOCKS = {
    "frame_blocks": "SELECT source_id, rows, times, offsets, body FROM frame_blocks ORDER BY source_id, start",
    "minute_blocks": "SELECT source_id, rows, times, offsets, body FROM minute_blocks ORDER BY source_id, start",
    "hour_blocks": "SELECT source_id, rows, times, offsets, body FROM hour_blocks ORDER BY source_id, start",
}


class Bucket(NamedTuple):
    count: float
    low: float
    high: float
    total: float


Rows = dict[tuple[int, int], list[float]]
"""Values by source and second."""
Buckets = dict[tuple[int, int, int], Bucket]
"""By source, beginning in seconds, and position."""


def expected(rows: Rows, width: int) -> Buckets:
    """What `width` seconds hold, the slow way."""
    samples: dict[tuple[int, int, int], list[float]] = {}
    for (source_id, second), values in sorted(rows.items()):
        for position, value in enumerate(values):
            found = samples.setdefault((source_id, second - second % width, position), [])
            if abs(value) < 1e100:
                found.append(value)
    return {
        key: Bucket(len(found), min(found), max(found), math.fsum(found))
        if found
        else Bucket(0, math.nan, math.nan, math.nan)
        for key, found in samples.items()
    }


async def blocks_of(table: TimeTable) -> list[tuple[int, Block]]:
    async with database.connection() as connection:
        rows = await fetch(connection, SELECT_BLOCKS[table.name])
    return [(row[0], Block(*row[1:])) for row in rows]


async def kept(table: TimeTable) -> Buckets:
    found: Buckets = {}
    for source_id, block in await blocks_of(table):
        times, rollup = unpack_rollup_block(block)
        assert len(times) == block.rows
        for row, time in enumerate(times.tolist()):
            for position in range(rollup.count.shape[1]):
                key = (source_id, time // 1000, position)
                assert key not in found
                parts = (rollup.count, rollup.low, rollup.high, rollup.total)
                found[key] = Bucket(*(float(part[row, position]) for part in parts))
    return found


async def all_frames() -> Rows:
    """Rows and blocks together; a frame that is both is a fault."""
    found: Rows = {}
    for source_id, second, values in await stored_frames():
        before = found.get((source_id, int(second)))
        merged = values if before is None else np.fmax(before, values).tolist()
        found[source_id, int(second)] = merged
    for source_id, block in await blocks_of(FRAME_BLOCKS):
        times, values = unpack_frame_block(block)
        for time, row in zip(times.tolist(), values.tolist(), strict=True):
            assert (source_id, time // 1000) not in found
            found[source_id, time // 1000] = row
    return found


def same(found: Buckets, wanted: Buckets) -> None:
    assert found.keys() == wanted.keys()
    for key, bucket in wanted.items():
        np.testing.assert_allclose(found[key], bucket, rtol=1e-12, err_msg=str(key))


@pytest.fixture
def upkeep(store: Store, clock: ManualClock) -> Upkeep:
    return Upkeep(database, store, clock)


async def settled(store: Store, upkeep: Upkeep, clock: ManualClock, rows: Rows) -> None:
    """After every hour is over and was done, all tiers say the same."""
    clock.advance(timedelta(hours=2))
    await upkeep.run_once()
    same(await kept(MINUTE_BLOCKS), expected(rows, 60))
    same(await kept(HOUR_BLOCKS), expected(rows, 3600))
    found = await all_frames()
    assert found.keys() == rows.keys()
    for key, values in rows.items():
        np.testing.assert_array_equal(found[key], values)
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT FROM dirt") == []
        assert await fetch(connection, "SELECT FROM unrolled") == []


async def test_minutes_are_there_at_once_and_hours_when_they_are_over(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    (one,) = await store.declare(uuid4(), [source("a", "b")])
    rows: Rows = {(one, START + 10 * n): [float(n), math.nan] for n in range(-7, 7)}
    await commit(store, uuid4(), [frames(one, [second for _, second in rows], list(rows.values()))])
    await upkeep.run_once()
    same(await kept(MINUTE_BLOCKS), expected(rows, 60))
    assert await kept(HOUR_BLOCKS) == {}  # the hour before is over for less than CLOSING
    clock.advance(timedelta(minutes=6))
    await upkeep.run_once()
    same(await kept(HOUR_BLOCKS), expected({key: row for key, row in rows.items() if key[1] < START}, 3600))
    await settled(store, upkeep, clock, rows)


async def test_late_frames_are_rolled_up_again(store: Store, upkeep: Upkeep, clock: ManualClock) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    times = list(range(HOUR_AGO - 3600, START, 10))
    early = [time for time in times if time % 70 > 20]
    late = [time for time in times if time % 70 <= 20]
    boot = await commit(store, server, [frames(one, early, [[float(time % 97)] for time in early])])
    clock.advance(timedelta(hours=3))
    await upkeep.run_once()
    await commit(store, server, [frames(one, late, [[float(time % 97)] for time in late])], boot=boot)
    await settled(store, upkeep, clock, {(one, time): [float(time % 97)] for time in times})


async def test_frames_of_one_time_complete_each_other(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a", "b")])
    first = frames(one, [HOUR_AGO, HOUR_AGO], [[1.0, math.nan], [math.nan, 2.0]])
    boot = await commit(store, server, [first])
    await upkeep.run_once()
    clock.advance(timedelta(hours=2))
    await upkeep.run_once()
    await commit(store, server, [first], boot=boot)
    await settled(store, upkeep, clock, {(one, HOUR_AGO): [1.0, 2.0]})


async def test_what_no_host_measures_is_missing_in_rollups_and_kept_in_raw(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a", "b", "c")])
    rows: Rows = {
        (one, HOUR_AGO): [1e308, -0.0, math.nan],
        (one, HOUR_AGO + 10): [5.0, -1e100, math.nan],
    }
    await commit(store, server, [frames(one, [time for _, time in rows], list(rows.values()))])
    await settled(store, upkeep, clock, rows)


async def test_what_is_older_than_raw_is_kept_is_final(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    rows: Rows = {(one, HOUR_AGO + n): [float(n)] for n in range(60)}
    boot = await commit(store, server, [frames(one, [time for _, time in rows], list(rows.values()))])
    await settled(store, upkeep, clock, rows)
    await commit(store, server, [frames(one, [HOUR_AGO + 100], [[1000.0]])], boot=boot)
    clock.advance(timedelta(days=8))
    await upkeep.run_once()
    same(await kept(HOUR_BLOCKS), expected(rows, 3600))
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT FROM unrolled") == []


async def test_nothing_is_lost_where_frames_come_while_a_unit_is_compacted(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    """Commits go on in other tasks all the time that hours are rolled up, compacted and vacated."""
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    boot = await store.open_boot(server, b"b" * 16)
    times = list(range(HOUR_AGO - 7200, START, 10))
    rng = np.random.default_rng(1)
    rng.shuffle(times)
    clock.advance(timedelta(hours=2))

    async def write() -> Boot:
        at = boot
        for n in range(0, len(times), 20):
            part = times[n : n + 20]
            at = await commit(store, server, [frames(one, part, [[float(time)] for time in part])], boot=at)
        return at

    writing = asyncio.create_task(write())
    passes = 0
    while not writing.done():
        await upkeep.run_once()
        await upkeep.tidy()
        passes += 1
    await writing
    assert passes > 1
    await settled(store, upkeep, clock, {(one, time): [float(time)] for time in times})


class Broken(Exception):
    """The process ends here."""


class Failing(Upkeep):
    """Ends in the middle of each chunk's transaction, after everything was written."""

    async def _roll_up(self, *arguments: object) -> None:
        await super()._roll_up(*arguments)  # type: ignore[arg-type]
        raise Broken


async def test_an_end_in_the_middle_changes_nothing(store: Store, upkeep: Upkeep, clock: ManualClock) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    rows: Rows = {(one, HOUR_AGO + 10 * n): [float(n)] for n in range(100)}
    await commit(store, server, [frames(one, [time for _, time in rows], list(rows.values()))])
    clock.advance(timedelta(hours=2))
    with pytest.raises(Broken):
        await Failing(database, store, clock).run_once()
    assert await blocks_of(MINUTE_BLOCKS) == await blocks_of(FRAME_BLOCKS) == []
    assert len(await stored_frames()) == 100
    await settled(store, upkeep, clock, rows)


SECONDS = st.integers(START - 3 * 3600, START - 1).map(lambda second: second - second % 10)
VALUES = st.one_of(
    st.just(math.nan), st.floats(-1e6, 1e6, allow_subnormal=False), st.integers(0, 9).map(float)
)
BATCHES = st.lists(
    st.lists(st.tuples(st.integers(0, 1), SECONDS, st.tuples(VALUES, VALUES)), min_size=1, max_size=12),
    min_size=1,
    max_size=6,
)


async def clean() -> None:
    async with database.connection() as connection:
        await connection.execute(
            "TRUNCATE frames, frame_blocks, minute_blocks, hour_blocks, dirt, unrolled, ledger, sources CASCADE"
        )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES, passes=st.sets(st.integers(0, 5)))
async def test_any_order_any_split_any_restarts_give_the_same(
    store: Store,
    batches: Sequence[Sequence[tuple[int, int, tuple[float, float]]]],
    passes: set[int],
) -> None:
    clock = ManualClock(NOW)
    await clean()
    server = UUID(int=7)
    ids = await store.declare(server, [source("a", "b"), source("c", "d")])
    rows: Rows = {}
    boot = await store.open_boot(server, b"b" * 16)
    for number, batch in enumerate(batches):
        blocks = [frames(ids[which], [second], [values]) for which, second, values in batch]
        for which, second, values in batch:
            before = rows.get((ids[which], second), [math.nan, math.nan])
            rows[ids[which], second] = np.fmax(before, values).tolist()
        boot = await commit(store, server, blocks, boot=boot)
        if number in passes:
            clock.advance(timedelta(minutes=20))
            # A new one each time: nothing is remembered outside of the database.
            await Upkeep(database, store, clock).run_once()
    await settled(store, Upkeep(database, store, clock), clock, rows)


async def frame_bytes(store: Store) -> int:
    assert store.backend is not None
    async with database.connection() as connection:
        return sum(
            piece.bytes for piece in await store.backend.pieces(connection) if piece.table.name == "frames"
        )


async def test_rows_are_moved_and_their_space_comes_back(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    assert store.backend is not None
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    rows: Rows = {(one, START + 10 * n): [float(n)] for n in range(1000)}
    await commit(store, server, [frames(one, [time for _, time in rows], list(rows.values()))])
    before = await frame_bytes(store)
    clock.advance(timedelta(days=2))
    await upkeep.run_once()
    await upkeep.tidy()
    async with database.connection() as connection:
        if not await store.backend.compacts(connection):
            assert await stored_frames() == []
            assert await frame_bytes(store) < before
    await settled(store, upkeep, clock, rows)


async def test_a_torn_connection_is_only_a_pass_less(
    store: Store, upkeep: Upkeep, clock: ManualClock, migrated: str
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    rows: Rows = {(one, HOUR_AGO): [1.0]}
    await commit(store, server, [frames(one, [HOUR_AGO], [[1.0]])])
    clock.advance(timedelta(hours=2))
    async with await psycopg.AsyncConnection.connect(migrated) as other:
        await other.execute("LOCK TABLE minute_blocks IN ACCESS EXCLUSIVE MODE")
        passing = asyncio.create_task(upkeep.run_once())
        while not (
            rows_found := await fetch(
                other,
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
        ):
            await asyncio.sleep(0.01)
        await other.execute("SELECT pg_terminate_backend($1)".replace("$1", str(rows_found[0][0])))
        with pytest.raises(psycopg.OperationalError):
            await passing
    await settled(store, upkeep, clock, rows)


async def test_nothing_is_rolled_up_while_pieces_are_compressed(
    store: Store, upkeep: Upkeep, migrated: str
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    days_ago = START - 5 * 86_400
    await commit(store, server, [frames(one, [days_ago, START], [[1.0], [2.0]])])
    done: list[str] = []
    async with await psycopg.AsyncConnection.connect(migrated) as other:
        await other.execute("INSERT INTO frames VALUES (0, to_timestamp(%s), '{1}')", [days_ago])
        tidying = asyncio.create_task(upkeep.tidy())
        tidying.add_done_callback(lambda _: done.append("tidied"))
        waiting = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        while not await fetch(other, waiting):
            await asyncio.sleep(0.01)
        await upkeep.run_once(patience=0)
        done.append("rolled up")
        await tidying
    assert done == ["tidied", "rolled up"]


@pytest.mark.parametrize("table", ["frame_blocks", "hour_blocks"])
async def test_a_damaged_block_is_named_left_alone_and_holds_nothing_up(
    store: Store, upkeep: Upkeep, clock: ManualClock, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = uuid4()
    damaged, whole = await store.declare(server, [source("a"), source("b")])
    early = [frames(one, [HOUR_AGO], [[1.0]]) for one in (damaged, whole)]
    boot = await commit(store, server, early)
    clock.advance(timedelta(hours=2))
    await upkeep.run_once()
    async with database.connection() as connection:
        query = "UPDATE {} SET body = 'gone', offsets = '{0,4}' WHERE source_id = $1".replace("{}", table, 1)
        await connection.execute(query.encode(), [damaged])
        (touched,) = (await fetch(connection, "SELECT count(*)::integer FROM frame_blocks"))[0]
    if table == "frame_blocks" and not touched:
        pytest.skip("frames stay in rows on this backend")
    late = [frames(one, [HOUR_AGO + 10], [[3.0]]) for one in (damaged, whole)]
    await commit(store, server, late, boot=boot)
    await upkeep.run_once()
    assert f"of source {damaged} at" in caplog.text
    assert "damaged" in caplog.text
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT FROM unrolled") == []
    minutes = await kept(MINUTE_BLOCKS)
    minute = HOUR_AGO - HOUR_AGO % 60
    assert minutes[whole, minute, 0] == Bucket(2, 1, 3, 4)
    assert minutes[damaged, minute, 0].count == (1 if table == "frame_blocks" else 2)


async def test_hours_with_many_frames_are_taken_a_few_at_once(
    store: Store, upkeep: Upkeep, clock: ManualClock
) -> None:
    server = uuid4()
    ids = await store.declare(server, [source(name) for name in "abcdef"])
    rows: Rows = {(one, HOUR_AGO + n): [float(n)] for one in ids for n in range(3600)}
    for one in ids:
        times = [time for source_id, time in rows if source_id == one]
        await store.commit([frames(one, times, [[float(n)] for n in range(3600)])], [], "*")
    clock.advance(timedelta(hours=2))
    await upkeep.run_once()
    assert upkeep.units_at_once == 2
    await settled(store, upkeep, clock, rows)
    (few,) = await store.declare(server, [source("g")])
    clock.advance(timedelta(hours=-2))
    await store.commit([frames(few, [HOUR_AGO], [[1.0]])], [], "*")
    await upkeep.run_once()
    assert upkeep.units_at_once == 24
