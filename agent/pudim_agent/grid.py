"""Which times samples get: whole multiples of the interval, each at most once and in order, whatever the clock does."""

from __future__ import annotations

from dataclasses import dataclass

from pudim_agent.clock import Now

_JUMP_SECONDS = 1.0  # chrony slews smaller differences


@dataclass(frozen=True)
class Wait:
    """Nothing is due for so long."""

    seconds: float


@dataclass(frozen=True)
class Due:
    """Take the sample of grid time `time_ms`. `new_epoch`: the clock went back, times start over."""

    time_ms: int
    new_epoch: bool = False


class Grid:
    """Decides from the clocks alone. A late sample keeps its grid time; times that passed meanwhile are missed."""

    def __init__(self, interval_ms: int, now: Now) -> None:
        self._interval = interval_ms
        self.jumps = 0
        self.missed = 0
        self._last = self._floor(now.wall_ms)  # the first sample is the next on the grid
        self._uncounted = False
        self._offset = now.wall_ms / 1000 - now.steady

    @property
    def interval_ms(self) -> int:
        return self._interval

    @interval_ms.setter
    def interval_ms(self, interval_ms: int) -> None:
        self._interval = interval_ms
        self._uncounted = True  # the old grid's distance says nothing about misses on the new one

    def step(self, now: Now) -> Due | Wait:
        self._count_jump(now)
        newest = self._floor(now.wall_ms)
        if newest > self._last:
            return self._take(newest)
        if now.wall_ms < self._last - self._interval:
            self._last, self._uncounted = newest, False
            return Due(newest, new_epoch=True)
        return Wait((self._floor(self._last) + self._interval - now.wall_ms) / 1000)

    def _take(self, time_ms: int) -> Due:
        if not self._uncounted:
            self.missed += (time_ms - self._last) // self._interval - 1
        self._last, self._uncounted = time_ms, False
        return Due(time_ms)

    def _count_jump(self, now: Now) -> None:
        offset = now.wall_ms / 1000 - now.steady
        if abs(offset - self._offset) > _JUMP_SECONDS:
            self.jumps += 1
            self._uncounted = True  # time that never was is not missed
        self._offset = offset

    def _floor(self, wall_ms: int) -> int:
        return wall_ms - wall_ms % self._interval
