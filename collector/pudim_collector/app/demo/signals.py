"""Rhythm and noise, a UTC day at a time: each value depends on the seed and its time alone, however a span is cut."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

TICK = 10_000
DAY = 86_400_000
"""Milliseconds, as all times here."""
TICKS_A_DAY = DAY // TICK
_KNOT = 30
"""Ticks between the points that a smooth noise goes through."""
_EPOCH_WEEKDAY = 4
"""1970-01-01 was a Thursday; Sunday is 0."""
_WEEKEND = (0, 6)
_HOUR = 3_600_000
_MINUTE = 60_000

Column: TypeAlias = npt.NDArray[np.float64]
Times: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]


def ticks_of(day: int) -> Times:
    """The grid times of a day since the epoch."""
    return day * DAY + np.arange(TICKS_A_DAY, dtype=np.int64) * TICK


class Noise:
    """The chance of one server on one day, with as many independent channels as are asked for, in order."""

    def __init__(self, seed: int, server: int, day: int) -> None:
        self._key, self._day = (seed, server), day
        self._rough = np.random.default_rng([seed, server, day])
        self._channel = 0

    def rough(self) -> Column:
        """Standard normal, each tick for itself."""
        return self._rough.standard_normal(TICKS_A_DAY)

    def smooth(self) -> Column:
        """Standard normal every five minutes, straight lines between; midnight's point is both days'."""
        self._channel += 1
        knots = np.append(self._knots(self._day), self._knots(self._day + 1)[:1])
        return np.interp(np.arange(TICKS_A_DAY), np.arange(len(knots)) * _KNOT, knots)

    def _knots(self, day: int) -> Column:
        chance = np.random.default_rng([*self._key, day, self._channel])
        return chance.standard_normal(TICKS_A_DAY // _KNOT)


def daily(times: Times, peak: float) -> Column:
    """0 to 1 with one peak a day, at the hour `peak` in UTC; nights are long and flat."""
    hour = times % DAY / _HOUR
    return (0.5 + 0.5 * np.cos((hour - peak) * np.pi / 12)) ** 1.6


def weekly(times: Times, weekend: float) -> Column:
    """1 on working days, `weekend` on Saturdays and Sundays."""
    weekday = (times // DAY + _EPOCH_WEEKDAY) % 7
    return np.where(np.isin(weekday, _WEEKEND), weekend, 1.0)


def nightly(times: Times) -> Column:
    """1 while the jobs of the night run, from 01:30 to 03:45 UTC, 0 otherwise."""
    hour = times % DAY / _HOUR
    return (np.minimum(hour - 1.5, 3.75 - hour) * 12).clip(0.0, 1.0)


def hourly(times: Times) -> Column:
    """1 for the first four minutes of each hour."""
    return (times % _HOUR < 4 * _MINUTE).astype(np.float64)
