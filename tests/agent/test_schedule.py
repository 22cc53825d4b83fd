"""Ticks on the real clock."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from pudim_agent.clock import SystemClock
from pudim_agent.schedule import Schedule, Tick


async def _take(schedule: Schedule, count: int) -> list[Tick]:
    found: list[Tick] = []
    async for tick in schedule.ticks():
        found.append(tick)
        if len(found) == count:
            break
    return found


async def test_ticks_follow_the_grid() -> None:
    ticks = await asyncio.wait_for(_take(Schedule(100, SystemClock()), 4), 5)
    assert all(tick.time_ms % 100 == 0 for tick in ticks)
    assert [two.time_ms - one.time_ms for one, two in pairwise(ticks)] == [100] * 3


async def test_a_shorter_interval_wakes_a_long_sleep() -> None:
    schedule = Schedule(3_600_000, SystemClock())
    waiting = asyncio.ensure_future(_take(schedule, 2))
    await asyncio.sleep(0.02)
    schedule.set_interval(100)
    assert len(await asyncio.wait_for(waiting, 5)) == 2
    schedule.set_interval(None)
    assert schedule.interval_ms == 3_600_000
