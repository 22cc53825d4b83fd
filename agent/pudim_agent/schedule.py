"""Turns the grid into ticks: sleeps until the next one is due, and wakes at once when the interval changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pudim.deadlines import happens_within
from pudim_agent.clock import Clock
from pudim_agent.grid import Due, Grid, Wait

_LONGEST_SLEEP = 30.0  # a stepped wall clock or a resumed laptop is noticed within this time


@dataclass(frozen=True)
class Tick:
    """One sampling: its time on the grid, and the monotonic moment that rates are computed from."""

    time_ms: int
    monotonic: float
    new_epoch: bool = False


class Schedule:
    def __init__(self, interval_ms: int, clock: Clock) -> None:
        self._own_interval = interval_ms
        self._clock = clock
        self._changed = asyncio.Event()
        self.grid = Grid(interval_ms, clock.now())

    @property
    def interval_ms(self) -> int:
        return self.grid.interval_ms

    def set_interval(self, interval_ms: int | None) -> None:
        """The collector's wish; None returns to the configured interval."""
        wanted = interval_ms or self._own_interval
        if wanted != self.grid.interval_ms:
            self.grid.interval_ms = wanted
            self._changed.set()

    async def ticks(self) -> AsyncIterator[Tick]:
        while True:
            match self.grid.step(now := self._clock.now()):
                case Due(time_ms, new_epoch):
                    yield Tick(time_ms, now.monotonic, new_epoch)
                case Wait(seconds):
                    await self._sleep(min(seconds, _LONGEST_SLEEP))

    async def _sleep(self, seconds: float) -> None:
        self._changed.clear()
        await happens_within(max(seconds, 0.001), self._changed)
