"""What goes and when: whole pieces, oldest first, never what is written now, and nothing comes back half."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import (
    EPOCH,
    FRAME_BLOCKS,
    FRAMES,
    HOUR,
    HOUR_BLOCKS,
    MINUTE,
    MINUTE_BLOCKS,
    RAW,
    TABLES,
    TIERS,
    Piece,
    TimeTable,
)
from pudim_collector.series.retention import (
    BOOTS_KEPT,
    Kept,
    Limit,
    Limits,
    Retention,
    cutoffs,
    read_kept,
    to_drop,
    write_limits,
)
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import BOOT, commit, frames, source, stored_frames

START = int(NOW.timestamp())
DAY = timedelta(days=1)
DEFAULTS = {RAW: Limit(7), MINUTE: Limit(60), HOUR: Limit(730)}


def piece(table: TimeTable, days_ago: float, size: int = 100) -> Piece:
    start = table.start_of(NOW - days_ago * DAY)
    return Piece(table, f"{table.name}_{start:%m%d%H}", start, start + table.width, size)


def pieces(table: TimeTable, days: float, size: int = 100) -> list[Piece]:
    """One for each stretch of the last `days`, and those made ahead."""
    step = table.width / DAY
    return [piece(table, n * step, size) for n in range(-2, round(days / step))]


def going(found: list[Piece], raw_since: datetime = EPOCH, /, **limits: Limit) -> list[str]:
    return [one.name for one in to_drop(found, Kept(DEFAULTS | limits, raw_since), NOW)]


def test_nothing_goes_while_everything_fits() -> None:
    assert going(pieces(FRAMES, 7) + pieces(MINUTE_BLOCKS, 60) + pieces(HOUR_BLOCKS, 730)) == []
    assert going([]) == []


def test_a_piece_goes_when_its_end_is_too_old() -> None:
    found = pieces(FRAMES, 8)
    assert going(found) == [f"frames_04{hour}" for hour in (2618, 2700, 2706)]
    assert going(found, raw=Limit(8)) == []
    assert going([piece(MINUTE_BLOCKS, 66), piece(MINUTE_BLOCKS, 59)]) == [piece(MINUTE_BLOCKS, 66).name]
    assert going([piece(HOUR_BLOCKS, 800), piece(HOUR_BLOCKS, 700)]) == [piece(HOUR_BLOCKS, 800).name]


def test_raw_of_one_time_goes_as_one() -> None:
    found = [*pieces(FRAMES, 7.5, 1), *pieces(FRAME_BLOCKS, 7.5, 50)]
    assert going(found) == ["frames_042706", "frame_blocks_042706"]
    by_bytes = going(found, raw=Limit(30, 300))
    assert {name[-6:] for name in by_bytes if name.startswith("frames")} == {
        name[-6:] for name in by_bytes if name.startswith("frame_blocks")
    }


def test_the_oldest_go_until_the_bytes_fit() -> None:
    found = pieces(FRAMES, 1.25)  # and two ahead
    assert going(found, raw=Limit(7, 700)) == []
    assert going(found, raw=Limit(7, 699)) == ["frames_050312"]
    assert going(found, raw=Limit(7, 450)) == ["frames_050312", "frames_050318", "frames_050400"]


def test_what_is_written_now_never_goes() -> None:
    assert "frames_050412" not in going(pieces(FRAMES, 5), raw=Limit(1, 1))
    assert going([piece(HOUR_BLOCKS, 0, 10**12)], hour=Limit(1, 1)) == []


def test_minutes_are_kept_where_raw_is() -> None:
    """However few bytes: a reader who takes minutes for a week would meet a hole where raw still is."""
    found = pieces(MINUTE_BLOCKS, 60, 10**9)
    kept = [one for one in found if one.name not in going(found, minute=Limit(60, 1))]
    assert min(one.start for one in kept) <= NOW - 7 * DAY
    assert max(one.end for one in found if one not in kept) <= NOW - 7 * DAY


def test_hours_are_kept_where_minutes_are() -> None:
    found = pieces(HOUR_BLOCKS, 730, 10**9)
    ends = cutoffs(found, Kept(DEFAULTS | {HOUR: Limit(730, 1)}), NOW)
    assert ends[HOUR] <= NOW - 60 * DAY


def test_what_was_given_up_stays_given_up() -> None:
    """A process that had not heard of it may have made the piece again."""
    assert going([piece(FRAMES, 3), piece(FRAMES, 2)], piece(FRAMES, 2).start) == [piece(FRAMES, 3).name]


LIMITS = st.tuples(st.integers(1, 30), st.integers(0, 60), st.integers(0, 700)).flatmap(
    lambda days: st.tuples(*[st.none() | st.integers(1, 3000)] * 3).map(
        lambda most: {tier: Limit(sum(days[: n + 1]), most[n]) for n, tier in enumerate(TIERS)}
    )
)
PIECES = st.lists(
    st.builds(piece, st.sampled_from(TABLES), st.integers(-3, 900), st.integers(0, 500)),
    max_size=40,
    unique_by=lambda one: one.name,
)


@given(PIECES, LIMITS)
def test_what_stays_is_an_unbroken_rest(found: list[Piece], limits: Limits) -> None:
    kept = Kept(limits)
    gone = to_drop(found, kept, NOW)
    rest = [one for one in found if one not in gone]
    ends = cutoffs(found, kept, NOW)
    assert all(one.end <= NOW for one in gone)
    assert ends[RAW] >= ends[MINUTE] >= ends[HOUR]
    for tier in TIERS:
        last_gone = max((one.end for one in gone if one.table.tier == tier), default=EPOCH)
        assert all(one.end > last_gone for one in rest if one.table.tier == tier)
    assert to_drop(rest, kept, NOW) == []


@given(PIECES, LIMITS)
def test_bytes_are_kept_to_as_far_as_they_may_be(found: list[Piece], limits: Limits) -> None:
    kept = Kept(limits)
    ends = cutoffs(found, kept, NOW)
    latest = {RAW: NOW, MINUTE: ends[RAW], HOUR: ends[MINUTE]}
    gone = to_drop(found, kept, NOW)
    for tier in TIERS:
        rest = [one for one in found if one.table.tier == tier and one not in gone]
        most = limits[tier].bytes
        if most is not None and sum(one.bytes for one in rest) > most:
            assert all(one.end > latest[tier] for one in rest)


@given(PIECES, LIMITS, st.integers(0, 400))
def test_what_goes_today_would_go_tomorrow(found: list[Piece], limits: Limits, days: int) -> None:
    gone = to_drop(found, Kept(limits), NOW)
    assert set(gone) <= set(to_drop(found, Kept(limits), NOW + days * DAY))


class Told:
    def __init__(self) -> None:
        self.times = 0

    async def moved(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def filled(store: Store, clock: ManualClock) -> Store:
    """A frame at noon of each of the last six days and of today."""
    server = uuid4()
    (one,) = await store.declare(server, [source("a")])
    times = [START - ago * 86_400 for ago in range(6, -1, -1)]
    await commit(store, server, [frames(one, times, [[1.0]] * 7)])
    return store


async def limit(**limits: Limit) -> None:
    async with database.connection() as connection:
        await write_limits(connection, limits)


async def names() -> list[str]:
    rows = await fetched("SELECT inhrelid::regclass::text FROM pg_inherits")
    return sorted(name for (name,) in rows if name.startswith("frame"))


async def fetched(query: str) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def days_stored() -> list[int]:
    return [(START - int(time)) // 86_400 for _, time, _ in await stored_frames()]


async def test_old_days_are_dropped_and_later_ones_stay(filled: Store, told: Told) -> None:
    retention = Retention(database, filled, told.moved)
    assert await retention.run_once(NOW) == []
    await limit(raw=Limit(3))
    dropped = await retention.run_once(NOW)
    assert "frames" in {one.table.name for one in dropped}
    assert await days_stored() == [3, 2, 1, 0]
    assert filled.oldest_taken(NOW) == NOW - 3 * DAY
    assert told.times == 1
    assert await retention.run_once(NOW) == []
    assert told.times == 1


async def test_a_longer_limit_does_not_bring_back_what_is_gone(filled: Store, told: Told) -> None:
    """Late frames in a range whose other frames are gone would become rollups of a rest."""
    retention = Retention(database, filled, told.moved)
    await limit(raw=Limit(3))
    await retention.run_once(NOW)
    await limit(raw=Limit(30))
    await filled.prepare(NOW)
    # Chunks are made where frames are, so the last one that went may have ended earlier.
    assert NOW - 4 * DAY < filled.oldest_taken(NOW) <= FRAMES.start_of(NOW - 3 * DAY)


async def test_bytes_drop_the_oldest_days(filled: Store, told: Told) -> None:
    assert filled.backend is not None
    async with database.connection() as connection:
        found = await filled.backend.pieces(connection)
    raw = sum(one.bytes for one in found if one.table.tier == RAW)
    oldest = min(one.end for one in found if one.bytes and one.table is FRAMES)
    await limit(raw=Limit(30, raw - 1))
    dropped = await Retention(database, filled, told.moved).run_once(NOW)
    assert dropped
    assert {one.end for one in dropped} == {oldest}
    assert filled.oldest_taken(NOW) == oldest
    assert len(await days_stored()) in {6, 7}  # where pieces are made ahead, the oldest is empty


async def test_what_somebody_reads_is_dropped_later(filled: Store, told: Told, migrated: str) -> None:
    retention = Retention(database, filled, told.moved)
    await limit(raw=Limit(5))
    async with await psycopg.AsyncConnection.connect(migrated) as reader:
        await reader.execute("SELECT count(*) FROM frames")
        await retention.run_once(NOW)
        assert len(await days_stored()) == 7
        assert filled.oldest_taken(NOW) == NOW - 5 * DAY
    assert await retention.run_once(NOW)
    assert await days_stored() == [5, 4, 3, 2, 1, 0]


async def test_limits_are_read_as_they_were_written(filled: Store) -> None:
    await limit(raw=Limit(2, 10**12), hour=Limit(3000))
    async with database.connection() as connection:
        found = await read_kept(connection)
    assert found == Kept({RAW: Limit(2, 10**12), MINUTE: Limit(60), HOUR: Limit(3000)}, EPOCH)


async def test_boots_that_ended_long_ago_are_forgotten(filled: Store, told: Told) -> None:
    """But never the newest of a server: its session may be open, and it says when the server was last seen."""
    server = uuid4()
    for number in range(3):
        await filled.open_boot(server, bytes([number]) * 16)
    retention = Retention(database, filled, told.moved)
    await fetched("UPDATE ledger SET stored_at = NULL, opened_at = now() - interval '91 days' RETURNING 1")
    await retention.run_once((await fetched("SELECT now() - interval '2 days'"))[0][0])
    assert len(await fetched("SELECT 1 FROM ledger")) == 4
    await retention.run_once((await fetched("SELECT now()"))[0][0])
    left = await fetched("SELECT boot_id FROM ledger ORDER BY ledger_id")
    assert [row[0] for row in left] == [BOOT, bytes([2]) * 16]
    assert timedelta(days=3) < BOOTS_KEPT
