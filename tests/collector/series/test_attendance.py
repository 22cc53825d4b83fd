"""What explains gaps afterwards: when collectors ran, when agents did, and what each minute's frames say."""

import math
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.attendance import Attendance, BootSpan
from pudim_collector.series.collectors import BEAT, CollectorRun
from pudim_collector.series.presence import JUMPS, MISSED, UPTIME, Minutes, Presence, Wanted
from pudim_collector.series.rollups import HOUR, MINUTE
from pudim_collector.series.store import Arrival, Step, Store
from pudim_collector.series.upkeep import Upkeep
from tests.collector.series.conftest import NOW
from tests.collector.series.made import BOOT, commit, frames, source

START = int(NOW.timestamp()) - 7200
"""Seconds; two hours ago, so that the hour is over."""
MS = START * 1000


@pytest.fixture
def attendance(store: Store) -> Attendance:
    return Attendance(database)


@pytest.fixture
def presence(store: Store) -> Presence:
    return Presence(database)


async def ran(attendance: Attendance) -> list[tuple[int, int]]:
    """Seconds since NOW."""
    zero = int(NOW.timestamp() * 1000)
    runs = await attendance.collectors(NOW - timedelta(days=1))
    return [((start - zero) // 1000, (end - zero) // 1000) for start, end in runs]


async def test_a_collector_that_goes_on_is_one_run(attendance: Attendance, clock: ManualClock) -> None:
    run = CollectorRun(database, clock)
    for _ in range(4):
        await run.beat()
        clock.advance(BEAT)
    assert await ran(attendance) == [(0, 30)]


async def test_a_collector_that_could_not_say_a_word_was_away(
    attendance: Attendance, clock: ManualClock
) -> None:
    run = CollectorRun(database, clock)
    await run.beat()
    clock.advance(3 * BEAT)
    await run.beat()
    clock.advance(3 * BEAT + timedelta(seconds=1))
    await run.beat()
    await run.beat()
    assert await ran(attendance) == [(0, 30), (61, 61)]


async def test_each_collector_has_its_own_run(attendance: Attendance, clock: ManualClock) -> None:
    one, other = CollectorRun(database, clock), CollectorRun(database, clock)
    await one.beat()
    clock.advance(5)
    await other.beat()
    await one.beat()
    assert await ran(attendance) == [(0, 5), (5, 5)]
    assert await attendance.collectors(clock.now() + timedelta(seconds=1)) == []


async def test_boots_tell_their_span_and_interval(store: Store, attendance: Attendance) -> None:
    server, other = uuid4(), uuid4()
    (one,) = await store.declare(server, [source("a")])
    boot = await store.open_boot(server, BOOT, 5000)
    assert await attendance.boots() == {}, "it has stored nothing"
    for seq, first, last in ((0, 30, 40), (1, 10, 20), (2, 25, 35)):
        step = Step(boot.ledger_id, seq, seq + 1, 0, MS + first, MS + last)
        await store.commit([frames(one, [START], [[1.0]])], [step], "*")
    later = await store.open_boot(server, b"c" * 16)
    await store.commit([], [Step(later.ledger_id, 0, 1, 0, MS + 50, MS + 60)], "*")
    found = {server: [BootSpan(MS + 10, MS + 40, 5000), BootSpan(MS + 50, MS + 60, 10_000)]}
    assert await attendance.boots() == await attendance.boots([server]) == found
    assert await attendance.boots([other]) == {}
    assert (await store.open_boot(server, BOOT, 9999)).last_ms == MS + 40
    assert (await attendance.boots())[server][0].interval == 5000


async def test_arrivals_grow_and_are_forgotten(store: Store, attendance: Attendance) -> None:
    server = uuid4()
    boot = await store.open_boot(server, BOOT)
    now = int(NOW.timestamp() * 1000)
    for seq, last in ((0, 5), (1, 7)):
        arrival = Arrival(boot.ledger_id, 1, None, MS, MS + last, 3, now + last)
        await store.commit([], [Step(boot.ledger_id, seq, seq + 1, 0, MS, MS + last)], "*", [arrival])
    assert await attendance.arrivals(NOW, [server]) == {server: [(None, MS, MS + 7, 3, now + 7)]}
    assert await attendance.arrivals(NOW, [uuid4()]) == {}
    assert await attendance.arrivals(NOW + timedelta(seconds=1)) == {}
    await attendance.forget(NOW)
    assert len(await attendance.arrivals(NOW)) == 1
    await attendance.forget(NOW + timedelta(seconds=1))
    assert await attendance.arrivals(NOW) == {}


async def minutes(presence: Presence, server: UUID, *spans: tuple[int, int]) -> Minutes:
    """`spans` in minutes from START."""
    wanted = [Wanted(server, MS + start * MINUTE, MS + end * MINUTE) for start, end in spans]
    return (await presence.minutes(wanted)).get(server, Minutes())


def plain(found: Minutes) -> dict[int, tuple[int, tuple[Any, ...]]]:
    """By minutes from START; NaN as None."""
    return {
        (minute - MS) // MINUTE: (
            count,
            tuple(None if math.isnan(value) else value for value in found.said[minute]),
        )
        for minute, count in sorted(found.counts.items())
    }


@pytest.mark.parametrize("rolled", [False, True], ids=["from frames", "from minutes"])
async def test_minutes_are_counted_and_heard(
    store: Store, presence: Presence, clock: ManualClock, rolled: bool
) -> None:
    server = uuid4()
    old = source("x", UPTIME)
    new = source(MISSED, "x", JUMPS, UPTIME)
    ids = await store.declare(server, [old, new, source("x", name="process")])
    nan = math.nan
    blocks = [
        frames(ids[0], [START, START + 10], [[1.0, 100.0], [nan, 110.0]]),
        frames(ids[1], [START + 20, START + 70], [[1.0, 1.0, 0.0, 120.0], [4.0, 1.0, 2.0, nan]]),
        frames(ids[1], [START + 80, START + 130], [[5.0, 1.0, 3.0, 180.0], [nan, 1.0, nan, nan]]),
        frames(ids[2], [START + 200], [[1.0]]),
    ]
    await commit(store, server, blocks)
    if rolled:
        await Upkeep(database, store, clock).run_once()
    found = await minutes(presence, server, (0, 1), (1, 2), (5, 30), (0, 0))
    assert plain(found) == {
        0: (3, (100.0, 0.0, 0.0, 1.0, 1.0)),
        1: (2, (180.0, 2.0, 3.0, 4.0, 5.0)),
        2: (1, (None, None, None, None, None)),
    }
    assert plain(await minutes(presence, server, (60, 61))) == {}
    assert plain(await minutes(presence, uuid4(), (0, 60))) == {}


async def test_what_is_not_rolled_up_yet_counts_too(
    store: Store, presence: Presence, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source(UPTIME)])
    recent = int(NOW.timestamp())
    boot = await commit(store, server, [frames(one, [recent - 600, recent - 10], [[1.0], [2.0]])])
    await Upkeep(database, store, clock).run_once()
    await commit(store, server, [frames(one, [recent, recent + 5], [[3.0], [4.0]])], boot=boot)
    found = (await presence.minutes([Wanted(server, recent * 1000 - HOUR, recent * 1000 + HOUR)]))[server]
    counted = {minute // 1000 - recent: count for minute, count in found.counts.items()}
    assert counted == {-600: 1, -60: 1, 0: 2}


async def test_a_tick_that_came_twice_is_one(store: Store, presence: Presence) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source(UPTIME)])
    await commit(store, server, [frames(one, [START, START], [[1.0], [1.0]])])
    assert plain(await minutes(presence, server, (0, 60)))[0][0] == 1
