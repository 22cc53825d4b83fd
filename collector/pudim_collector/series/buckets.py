"""How a range is cut into buckets, and where a gap shows: values in, values out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Widths of buckets in seconds that a person reads easily on an axis."""
NORMAL_INTERVAL = 10.0
"""Seconds between frames when nobody watches."""
GAP = 2.5
"""A pause of more than this many normal intervals is a gap."""

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Buckets of one series, oldest first: start in Unix seconds, and what the samples in it were.

    All have one length. A gap is one row whose count is 0 and whose other values are NaN.
    """

    time: Column
    low: Column
    mean: Column
    high: Column
    count: Column


def step_of(seconds: float, points: int) -> int:
    """The narrowest readable bucket with which `seconds` has at most `points` of them; at least one second."""
    for step in STEPS:
        if seconds / step <= points:
            return step
    days = -(-seconds // (points * 86400))
    return int(days) * 86400


def columns(
    time: Sequence[float],
    low: Sequence[float | None],
    mean: Sequence[float | None],
    high: Sequence[float | None],
    count: Sequence[float],
    *,
    step: int,
) -> Columns:
    """Columns of buckets in order of time, with a row for each gap."""
    times = np.asarray(time, dtype=np.float64)
    before = _gaps(times, step)
    interval = _interval(times, step)

    def spread(values: Sequence[float | None], missing: float) -> Column:
        return np.insert(np.asarray(values, dtype=np.float64), before, missing)

    return Columns(
        np.insert(times, before, times[before - 1] + interval),
        spread(low, np.nan),
        spread(mean, np.nan),
        spread(high, np.nan),
        spread(count, 0.0),
    )


def _interval(times: Column, step: int) -> float:
    """What passes between two buckets when nothing is missing; sources may be slower than the normal interval."""
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return max(float(step), usual, NORMAL_INTERVAL)


def _gaps(times: Column, step: int) -> npt.NDArray[np.intp]:
    """Indices of the buckets that follow a gap."""
    return np.flatnonzero(np.diff(times) > GAP * _interval(times, step)) + 1
