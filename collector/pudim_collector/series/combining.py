"""Rows of many series into buckets, rates and groups of series, all at once: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from pudim_collector.series.blocks import Floats
from pudim_collector.series.buckets import GAP, NORMAL_INTERVAL
from pudim_collector.series.fetching import AFTER_TIMES, Flat

Indices = npt.NDArray[np.intp]
_P95 = 0.95


class Aggregate(StrEnum):
    """What becomes of several series in one bucket; `count` counts those that have a value."""

    AVG = "avg"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    P95 = "p95"
    COUNT = "count"


class RankBy(StrEnum):
    """By which figure of the range series are ranked."""

    MEAN = "mean"
    LATEST = "latest"
    MAX = "max"


def ordered(rows: Flat) -> Flat:
    """By series, then by time."""
    keys = rows.series * AFTER_TIMES + rows.time
    if bool((keys[1:] >= keys[:-1]).all()):
        return rows
    return rows[np.argsort(keys, kind="stable")]


def binned(rows: Flat, width: int) -> Flat:
    """Ordered rows in buckets of `width` milliseconds; where nothing was measured, low, high and total are NaN."""
    if not len(rows):
        return rows
    starts = rows.time - rows.time % width
    first = _first(rows.series, starts)
    present = rows.count > 0
    low, high, total = rows.low, rows.high, rows.total
    if not present.all():
        low = np.where(present, low, np.inf)
        high = np.where(present, high, -np.inf)
        total = np.where(present, total, 0.0)
    count = np.add.reduceat(rows.count, first)
    weight = count if rows.weight is rows.count else np.add.reduceat(rows.weight, first)
    return _known(
        Flat(
            rows.series[first],
            starts[first],
            count,
            weight,
            np.minimum.reduceat(low, first),
            np.maximum.reduceat(high, first),
            np.add.reduceat(total, first),
        )
    )


def means(rows: Flat) -> Floats:
    """Never outside of what was measured, whatever a sum was rounded to."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(rows.count > 0, rows.total / rows.weight, np.nan)
    return np.clip(mean, rows.low, rows.high)


def rates(rows: Flat, longest: Sequence[float] | Floats) -> Flat:
    """What cumulative counters gained a second between each of their ordered rows and the one before.

    A fall is a restart from zero. A pause longer than the series' `longest` milliseconds is unknown, not slow.
    Of rollups the highest values are compared: what came between a restart and its bucket's end is left out where
    the bucket's highest value is from before it. Each row has the gain as total and its seconds as weight.
    """
    rows = rows[rows.count > 0]
    before, after = rows[:-1], rows[1:]
    pause = (after.time - before.time).astype(np.float64)
    follows = (after.series == before.series) & (pause <= np.asarray(longest)[after.series])
    gain = np.where(after.high >= before.high, after.high - before.high, after.high)[follows]
    after, seconds = after[follows], pause[follows] / 1000
    speed = gain / seconds
    return replace(after, count=np.ones_like(gain), weight=seconds, low=speed, high=speed, total=gain)


def usual_pauses(rows: Flat, series: int, least: float) -> Floats:
    """Milliseconds between a series' ordered rows when nothing is missing, at least `least`."""
    found = np.full(series, least)
    same = rows.series[1:] == rows.series[:-1]
    pauses = np.diff(rows.time)[same]
    owners = rows.series[1:][same]
    for number in np.unique(owners[pauses > least]):
        own = np.sort(pauses[owners == number])
        found[number] = max(least, float(own[(len(own) - 1) // 2]))
    return found


def grouped(rows: Flat, groups: npt.NDArray[np.int64], how: Aggregate) -> Flat:
    """Buckets of groups of series: `groups` has each series' group. Unknown values count for nothing, not for zero.

    The lowest, mean and highest values of the group's series are aggregated each for themselves; the count is of
    samples, the weight of series that have a value.
    """
    mean = means(rows)
    known = rows.count > 0
    rows, mean = replace(rows, series=groups[rows.series])[known], mean[known]
    order = np.argsort(rows.series * AFTER_TIMES + rows.time, kind="stable")
    rows, mean = rows[order], mean[order]
    if not len(rows):
        return rows
    first = _first(rows.series, rows.time)
    sizes = np.diff(np.append(first, len(rows))).astype(np.float64)
    centre = _aggregated(mean, first, sizes, how)
    return Flat(
        rows.series[first],
        rows.time[first],
        np.add.reduceat(rows.count, first),
        sizes,
        _aggregated(rows.low, first, sizes, how),
        _aggregated(rows.high, first, sizes, how),
        centre * sizes,
    )


def _aggregated(values: Floats, first: Indices, sizes: Floats, how: Aggregate) -> Floats:
    match how:
        case Aggregate.COUNT:
            return sizes
        case Aggregate.SUM:
            return np.asarray(np.add.reduceat(values, first))
        case Aggregate.AVG:
            return np.asarray(np.add.reduceat(values, first) / sizes)
        case Aggregate.MIN:
            return np.asarray(np.minimum.reduceat(values, first))
        case Aggregate.MAX:
            return np.asarray(np.maximum.reduceat(values, first))
        case Aggregate.P95:
            return _quantiles(values, first, sizes, _P95)


def _quantiles(values: Floats, first: Indices, sizes: Floats, share: float) -> Floats:
    """Between the two nearest values of each group, in proportion."""
    groups = np.repeat(np.arange(len(first)), sizes.astype(np.intp))
    ascending = values[np.lexsort((values, groups))]
    place = (sizes - 1) * share
    below = np.floor(place).astype(np.intp)
    above = np.ceil(place).astype(np.intp)
    low, high = ascending[first + below], ascending[first + above]
    return np.asarray(low + (high - low) * (place - below))


def ranking(rows: Flat, series: int, by: RankBy) -> Floats:
    """One figure for each series; NaN where nothing is known."""
    known = rows[rows.count > 0]
    found = np.full(series, np.nan)
    if not len(known):
        return found
    first = np.flatnonzero(np.diff(known.series, prepend=-1))
    last = np.append(first[1:], len(known)) - 1
    if by is RankBy.LATEST:
        figures = means(known)[last]
    elif by is RankBy.MAX:
        figures = np.maximum.reduceat(known.high, first)
    else:
        figures = np.add.reduceat(known.total, first) / np.add.reduceat(known.weight, first)
    found[known.series[first]] = figures
    return found


def gaps(rows: Flat, series: int, step: int, *, rollup: bool) -> tuple[Indices, npt.NDArray[np.int64]]:
    """Rows of ordered buckets before which a gap is, and when it begins.

    Sources may be slower than the normal interval, and raw frames come a little late: among rollups one bucket is
    enough.
    """
    longest = 1.5 if rollup else GAP
    least = float(step * 1000 if rollup else max(step, NORMAL_INTERVAL) * 1000)
    same = rows.series[1:] == rows.series[:-1]
    pauses = np.diff(rows.time)
    if not len(rows) or not bool((same & (pauses > longest * least)).any()):
        return np.empty(0, np.intp), np.empty(0, np.int64)
    usual = usual_pauses(rows, series, least)[rows.series[1:]]
    before = np.flatnonzero(same & (pauses > longest * usual))
    return before + 1, rows.time[before] + usual[before].astype(np.int64)


def _first(series: npt.NDArray[np.int64], time: npt.NDArray[np.int64]) -> Indices:
    """Where each different pair of both begins."""
    changes = np.empty(len(series), np.bool_)
    changes[:1] = True
    np.not_equal(series[1:], series[:-1], out=changes[1:])
    changes[1:] |= time[1:] != time[:-1]
    return np.flatnonzero(changes)


def _known(rows: Flat) -> Flat:
    missing = rows.count == 0
    if not missing.any():
        return rows
    low, high, total = (np.where(missing, np.nan, part) for part in (rows.low, rows.high, rows.total))
    return replace(rows, low=low, high=high, total=total)
