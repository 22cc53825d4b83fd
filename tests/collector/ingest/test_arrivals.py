"""What came late or after lost batches is remembered with it, in few rows, and nothing else is."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.batches import block
from pudim_collector.infra.database import database
from pudim_collector.ingest.boots import HOLE_MS, LATE_MS, BootProgress
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Arrival, Boot
from tests.collector.ingest.agent import HOST, START, LedAgent, frame, now_ms
from tests.collector.ingest.conftest import Link

TICK = 10_000


def progress(newest_ms: int | None = None) -> BootProgress:
    return BootProgress.start(b"b" * 16, Boot(7, 0, newest_ms))


def noted(boot: BootProgress, seq: int, at: int, now: int, lost: int = 0) -> Arrival | None:
    return boot.note(seq, lost, at, at, now)


def test_what_comes_in_time_is_not_worth_a_row() -> None:
    boot = progress()
    assert [noted(boot, seq, seq * TICK, seq * TICK + LATE_MS) for seq in (1, 2, 3)] == [None] * 3
    assert boot.newest_ms == 3 * TICK


def test_a_run_of_late_batches_is_one_arrival_that_grows() -> None:
    boot = progress(5)
    now = 10 * TICK + LATE_MS
    first, second = noted(boot, 4, 5 * TICK, now), noted(boot, 5, 6 * TICK, now + 1)
    assert first == Arrival(7, 4, 5, 5 * TICK, 5 * TICK, 0, now)
    assert second == Arrival(7, 4, 5, 5 * TICK, 6 * TICK, 0, now + 1)
    assert noted(boot, 6, 11 * TICK, now) is None
    assert noted(boot, 7, 9 * TICK, now) == Arrival(7, 7, 11 * TICK, 9 * TICK, 9 * TICK, 0, now)


@pytest.mark.parametrize("late", [False, True])
def test_what_comes_after_lost_batches_stands_alone(late: bool) -> None:
    """It may be the means of their minutes; what is missing lies before its last frame and not behind it."""
    boot = progress(TICK)
    now = 9 * TICK + (LATE_MS + 1 if late else 0)
    assert noted(boot, 9, 9 * TICK, now, lost=7) == Arrival(7, 9, TICK, 9 * TICK, 9 * TICK, 7, now)
    after = noted(boot, 10, 10 * TICK, now + TICK)
    assert after == (Arrival(7, 10, 9 * TICK, 10 * TICK, 10 * TICK, 0, now + TICK) if late else None)
    again = noted(boot, 11, 11 * TICK, now + 2 * TICK)
    assert again == (Arrival(7, 10, 9 * TICK, 10 * TICK, 11 * TICK, 0, now + 2 * TICK) if late else None)


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3), st.integers(0, 400)), max_size=30))
def test_every_lost_or_late_batch_is_in_exactly_one_run(batches: Sequence[tuple[int, int, int]]) -> None:
    boot = progress()
    before: int | None = None
    runs: dict[int, Arrival] = {}
    worth = []
    seq = at = 0
    for passed, lost, delay in batches:
        seq, at = seq + lost + 1, at + passed * 1000
        arrival = noted(boot, seq, at, at + delay * 1000, lost)
        hole = before is not None and at - before > HOLE_MS
        assert (arrival is not None) == (lost > 0 or hole or delay * 1000 > LATE_MS)
        before = at
        if arrival is not None:
            runs[arrival.seq] = arrival
            worth.append(at)
    assert sum(run.lost for run in runs.values()) == sum(lost for _, lost, _ in batches)
    for one in worth:
        assert sum(run.first_ms <= one <= run.last_ms for run in runs.values()) == 1


@pytest.mark.parametrize(("interval_ms", "hole"), [(1_000, 60_001), (10_000, 60_001), (60_000, 180_001)])
def test_a_pause_is_remembered_if_it_is_long_for_its_agent(interval_ms: int, hole: int) -> None:
    boot = BootProgress.start(b"b" * 16, Boot(7, 0, TICK), interval_ms=interval_ms)
    before = TICK + hole - 1
    assert noted(boot, 1, before, before) is None
    at = before + hole
    assert noted(boot, 2, at, at) == Arrival(7, 2, before, at, at, 0, at)
    assert noted(boot, 3, at + 1000, at + 1000) is None


async def remembered() -> list[tuple[int | None, int, int, int]]:
    """(after, first, last, lost) of every arrival, times as numbers of ticks."""
    async with database.connection() as connection:
        rows = await fetch(
            connection, "SELECT after_ms, first_ms, last_ms, lost FROM arrivals ORDER BY first_ms"
        )
    return [
        (None if after is None else tick(after), tick(first), tick(last), lost)
        for after, first, last, lost in rows
    ]


def tick(milliseconds: int) -> int:
    return (milliseconds - START) // TICK


async def spans() -> list[tuple[int, int, int]]:
    """(interval, first, last) of every boot."""
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT interval_ms, first_ms, last_ms FROM ledger ORDER BY ledger_id")
    return [(interval, tick(first), tick(last)) for interval, first, last in rows]


async def test_catching_up_costs_one_row_a_session(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        for seq in range(1, 41):
            await agent.batch(seq)
        await agent.acked(40)
    async with agent:
        await agent.batch(41)
        await agent.batch(42, [frame(42), frame(44)])
        await agent.acked(42)
    assert await remembered() == [(None, 1, 40, 0), (40, 41, 44, 0)]
    assert await spans() == [(10_000, 1, 44)]


async def test_what_is_in_time_leaves_the_boot_alone(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await store_now(agent, 1)
        await store_now(agent, 2)
    assert await remembered() == []


async def store_now(agent: LedAgent, seq: int, *, skipped: int = 0) -> int:
    at = now_ms()
    await agent.batch(seq, [block(HOST.hash, [at], [(1.0, 2.0)])], skipped=skipped)
    await agent.acked(seq)
    return tick(at)


async def test_lost_batches_are_remembered_with_where_they_were(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        before = await store_now(agent, 1)
        after = await store_now(agent, 9, skipped=7)
    assert await remembered() == [(before, after, after, 7)]


async def test_a_lost_connection_does_not_lose_where_the_hole_began(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        before = await store_now(agent, 1)
    async with agent:
        after = await store_now(agent, 4, skipped=2)
    assert await remembered() == [(before, after, after, 2)]
