"""What frames become: one frame a time, its minutes, its hours. Pure functions of arrays, in any order of arrival."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pudim_collector.series.blocks import Floats, Rollup, Times

MINUTE = 60_000
HOUR = 3_600_000
"""Milliseconds, as all times here."""
HOUR_SPAN = 240 * HOUR
"""What one block of hours holds, aligned to the epoch."""
ABSURD = 1e100
"""No host measures this; sums of it would overflow."""


class Frames(NamedTuple):
    """Frames of one source: `times` ascending and different, `values` of shape (times, width), NaN where missing."""

    times: Times
    values: Floats


class Rolled(NamedTuple):
    """Buckets of one source: `times` are their beginnings, `rollup` has shape (times, width)."""

    times: Times
    rollup: Rollup


def merged(times: Times, values: Floats) -> Frames:
    """Frames in order of time; those of one time are one frame, whose values complete each other."""
    order = np.argsort(times, kind="stable")
    times, values = times[order], values[order]
    first = _beginnings(times)
    if len(first) == len(times):
        return Frames(times, values)
    return Frames(times[first], np.fmax.reduceat(values, first, axis=0))


def minutes_of(frames: Frames) -> Rolled:
    """The minutes that have a frame."""
    if not len(frames.times):
        return Rolled(frames.times, _empty(frames.values.shape[1]))
    beginnings = frames.times - frames.times % MINUTE
    first = _beginnings(beginnings)
    present = np.abs(frames.values) < ABSURD
    count = np.add.reduceat(present.astype(np.float64), first, axis=0)
    return Rolled(
        beginnings[first],
        _known(
            count,
            np.minimum.reduceat(np.where(present, frames.values, np.inf), first, axis=0),
            np.maximum.reduceat(np.where(present, frames.values, -np.inf), first, axis=0),
            np.add.reduceat(np.where(present, frames.values, 0.0), first, axis=0),
        ),
    )


def coarser(rolled: Rolled, width: int) -> Rolled:
    """Buckets of `width` milliseconds out of narrower ones in order of time."""
    if not len(rolled.times):
        return rolled
    beginnings = rolled.times - rolled.times % width
    first = _beginnings(beginnings)
    fine = rolled.rollup
    present = fine.count > 0
    return Rolled(
        beginnings[first],
        _known(
            np.add.reduceat(fine.count, first, axis=0),
            np.minimum.reduceat(np.where(present, fine.low, np.inf), first, axis=0),
            np.maximum.reduceat(np.where(present, fine.high, -np.inf), first, axis=0),
            np.add.reduceat(np.where(present, fine.total, 0.0), first, axis=0),
        ),
    )


def patched(old: Rolled, new: Rolled, replaced: Times) -> Rolled:
    """`old` with the buckets that begin at `replaced` taken from `new` instead, in order of time."""
    kept = ~np.isin(old.times, replaced)
    times = np.concatenate([old.times[kept], new.times])
    order = np.argsort(times)
    return Rolled(times[order], Rollup.stacked([old.rollup[kept], new.rollup])[order])


def _known(count: Floats, low: Floats, high: Floats, total: Floats) -> Rollup:
    missing = count == 0
    if missing.any():
        low, high, total = (np.where(missing, np.nan, part) for part in (low, high, total))
    return Rollup(count, low, high, total)


def _empty(width: int) -> Rollup:
    nothing = np.empty((0, width))
    return Rollup(nothing, nothing, nothing, nothing)


def _beginnings(ascending: Times) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Where each different value begins."""
    return np.flatnonzero(np.diff(ascending, prepend=ascending[:1] - 1))
