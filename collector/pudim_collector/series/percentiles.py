"""Percentiles of histograms, from what their cumulative buckets gained: Prometheus' linear interpolation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pudim_collector.series.blocks import Floats
from pudim_collector.series.fetching import Flat

LE = "le"
"""The label that holds a bucket's upper bound."""
SUFFIXES = (".bucket", "_bucket")


def bound_of(text: str) -> float:
    """A bucket's upper bound; NaN for what is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def percentiles(rows: Flat, groups: npt.NDArray[np.int64], bounds: Floats, share: float) -> Flat:
    """Per group and time, the value below which `share` of what was observed lies; count is of observations.

    `rows` hold what each bucket gained, `groups` and `bounds` each series' group and upper bound. Where nothing was
    observed, or the bucket without a bound is unknown, nothing is known.
    """
    found = [
        _of_group(rows[groups[rows.series] == group], bounds, share, int(group))
        for group in np.unique(groups[rows.series])
    ]
    return Flat.joined(found)


def _of_group(rows: Flat, bounds: Floats, share: float, group: int) -> Flat:
    times, row = np.unique(rows.time, return_inverse=True)
    limits, column = np.unique(bounds[rows.series], return_inverse=True)
    gained = np.zeros((len(times), len(limits)))
    known = np.zeros_like(gained)
    np.add.at(gained, (row, column), np.where(rows.count > 0, rows.total, 0.0))
    np.add.at(known, (row, column), rows.count)
    # A bucket that is unknown says no more than the one below it; a lower one never holds more than a higher one.
    gained = np.maximum.accumulate(gained, axis=1)
    if len(limits) < 2 or not np.isinf(limits[-1]):  # noqa: PLR2004 - a bucket with a bound and one without
        return Flat.joined([])
    observed = np.where(known[:, -1] > 0, gained[:, -1], 0.0)
    value = np.where(observed > 0, _interpolated(limits, gained, observed * share), np.nan)
    nothing = np.isnan(value)
    weight = np.ones_like(value)
    return Flat(
        np.full(len(times), group), times, np.where(nothing, 0.0, observed), weight, value, value, value
    )


def _interpolated(limits: Floats, gained: Floats, rank: Floats) -> Floats:
    """Within the bucket that holds the `rank`th observation, as if they were spread evenly in it."""
    column = np.minimum((gained < rank[:, None]).sum(axis=1), len(limits) - 1)
    rows = np.arange(len(rank))
    upper = limits[column]
    first = column == 0
    below = np.where(first, 0.0, gained[rows, column - 1])
    lower = np.where(first, 0.0, limits[column - 1])
    inside = gained[rows, column] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        value = lower + (upper - lower) * (rank - below) / inside
    value = np.where(first & (upper <= 0), upper, value)
    # Beyond the last bound nothing is known but that.
    return np.asarray(np.where(column == len(limits) - 1, limits[-2], value))
