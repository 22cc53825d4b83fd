"""From fetched rows to an answer: rate, buckets, percentile, groups, rank and gaps, in this order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import Labels, Series
from pudim_collector.series import limits
from pudim_collector.series.buckets import GAP, NORMAL_INTERVAL, Columns
from pudim_collector.series.catalogue import Key
from pudim_collector.series.combining import (
    Aggregate,
    RankBy,
    binned,
    gaps,
    grouped,
    means,
    ordered,
    ranking,
    rates,
    usual_pauses,
)
from pudim_collector.series.fetching import Flat
from pudim_collector.series.limits import TooManySeries
from pudim_collector.series.percentiles import LE, bound_of, percentiles
from pudim_collector.series.selecting import Selector
from pudim_collector.series.tiers import Plan, Tier, step_of

SERVER = "server"
"""In `by`, the server, which is no label."""
_LEAST_TOGETHER = 60
"""Seconds of a bucket where series are combined: sources report at different seconds, and some once a minute."""


class BadQuestion(PudimError):
    """These parts of a question do not fit together."""

    code = "bad_question"
    status = 422


class Rank(NamedTuple):
    """Only the `most` series with the highest figures, or the lowest, in this order."""

    most: int
    by: RankBy = RankBy.MEAN
    lowest: bool = False


@dataclass(frozen=True)
class Question:
    """Series of a selector from `start` until before `end`, in at most `points` buckets or in buckets of `step` seconds.

    `aggregate` makes one series of those whose labels `by` are the same; `percentile` does that to histograms.
    `rate` is of cumulative counters, in their unit a second.
    """

    selector: Selector
    start: datetime
    end: datetime
    points: int = 300
    step: int | None = None
    by: tuple[str, ...] | None = None
    aggregate: Aggregate | None = None
    percentile: float | None = None
    rate: bool = False
    rank: Rank | None = None

    def __post_init__(self) -> None:
        if self.by and self.aggregate is None and self.percentile is None:
            raise BadQuestion("`by` needs `aggregate` or `percentile`.")
        if self.percentile is not None and (self.aggregate or self.rate):
            raise BadQuestion("A percentile of histograms has no `aggregate` and no `rate`.")

    @property
    def combines(self) -> bool:
        return self.aggregate is not None or self.percentile is not None


@dataclass(frozen=True)
class SeriesColumns:
    """One series over a range; no server where several are combined."""

    server_id: UUID | None
    series: Series
    columns: Columns


@dataclass(frozen=True)
class Reading:
    """An answer; `step` is the buckets' width in seconds, `tier` what most of it was made of."""

    tier: Tier
    step: int
    series: list[SeriesColumns]


class _Name(NamedTuple):
    server_id: UUID | None
    series: Series


def chosen_step(question: Question, series: int) -> int:
    """Raises TooManySeries or TooManyPoints."""
    if series > limits.MAX_SERIES:
        raise TooManySeries(f"{series} series of {', '.join(question.selector.metrics)}")
    seconds = (question.end - question.start).total_seconds()
    if question.step is None:
        step = step_of(seconds, question.points)
        return max(step, _LEAST_TOGETHER) if question.combines else step
    if seconds / question.step > limits.MAX_POINTS:
        raise limits.TooManyPoints
    return question.step


def answered(question: Question, plan: Plan, keys: Sequence[Key], parts: Sequence[Flat]) -> Reading:
    """`parts` are the rows of the plan's stretches, of the series numbered as `keys`."""
    names = [_Name(*key) for key in keys]
    rows = _rows(question, plan, len(keys), parts)
    if question.rate:
        names = [_per_second(name) for name in names]
    if question.percentile is not None:
        rows, names = _percentiles(question, rows, names)
    elif question.aggregate is not None:
        groups, names = _groups(names, question.by or (), question.aggregate)
        rows = grouped(rows, groups, question.aggregate)
    numbers = np.unique(rows.series)
    if question.rank is not None:
        numbers = _best(question.rank, ranking(rows, len(names), question.rank.by))
    columns = _columns(rows, len(names), plan)
    return Reading(
        plan.tier,
        plan.step,
        [SeriesColumns(names[n].server_id, names[n].series, columns[n]) for n in numbers.tolist()],
    )


def _rows(question: Question, plan: Plan, series: int, parts: Sequence[Flat]) -> Flat:
    """The plan's buckets; each stretch is made small before all are put together."""
    step = plan.step * 1000
    if not question.rate and question.percentile is None:
        small = [binned(ordered(part), step) for part in parts]
        return small[0] if len(small) == 1 else binned(_joined(small), step)
    if plan.tier is Tier.RAW:
        rows, least = _joined(parts), NORMAL_INTERVAL * 1000
    else:
        # Rollups are compared from one minute or hour to the next, raw frames of the last minutes too.
        unit = plan.tier.unit
        rows, least = binned(_joined([binned(ordered(part), unit) for part in parts]), unit), float(unit)
    return binned(rates(rows, usual_pauses(rows[rows.count > 0], series, least) * GAP), step)


def _joined(parts: Sequence[Flat]) -> Flat:
    return ordered(Flat.joined(parts))


def _per_second(name: _Name) -> _Name:
    unit = name.series.unit
    return _Name(
        name.server_id, Series(name.series.metric, f"{'' if unit == '1' else unit}/s", name.series.labels)
    )


def _percentiles(question: Question, rows: Flat, names: Sequence[_Name]) -> tuple[Flat, list[_Name]]:
    labels = [dict(name.series.labels) for name in names]
    bounds = np.asarray([bound_of(one.pop(LE, "")) for one in labels])
    without = [
        _Name(name.server_id, Series(name.series.metric, "", tuple(one.items())))
        for name, one in zip(names, labels, strict=True)
    ]
    groups, found = _groups(without, question.by)
    usable = ~np.isnan(bounds[rows.series]) if len(names) else np.empty(0, np.bool_)
    return percentiles(rows[usable], groups, bounds, question.percentile or 0.0), found


def _groups(
    names: Sequence[_Name], by: Sequence[str] | None, how: Aggregate | None = None
) -> tuple[npt.NDArray[np.int64], list[_Name]]:
    """Each series' group, and the groups' names: the labels that are the same; None keeps all of them apart."""
    numbers: dict[_Name, int] = {}
    groups = [numbers.setdefault(_group(name, by, how), len(numbers)) for name in names]
    return np.asarray(groups, dtype=np.int64), list(numbers)


def _group(name: _Name, by: Sequence[str] | None, how: Aggregate | None) -> _Name:
    metric, labels = name.series.metric, name.series.labels
    unit = "{series}" if how is Aggregate.COUNT else name.series.unit
    if by is None:
        return _Name(name.server_id, Series(metric, unit, labels))
    return _Name(name.server_id if SERVER in by else None, Series(metric, unit, _only(labels, by)))


def _only(labels: Labels, names: Sequence[str]) -> Labels:
    return tuple(label for label in labels if label[0] in names)


def _best(rank: Rank, figures: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """The numbers of the best series, best first; what has no figure is not among them."""
    order = np.argsort(figures if rank.lowest else -figures, kind="stable")
    return order[~np.isnan(figures[order])][: rank.most]


def _columns(rows: Flat, series: int, plan: Plan) -> list[Columns]:
    """Every series' buckets, with a row where a gap begins."""
    before, starts = gaps(rows, series, plan.step, rollup=plan.tier is not Tier.RAW)
    mean = means(rows)
    numbers, time, low, high, count = rows.series, rows.time, rows.low, rows.high, rows.count
    if len(before):
        numbers = np.insert(numbers, before, numbers[before])
        time, count = np.insert(time, before, starts), np.insert(count, before, 0.0)
        low, mean, high = (np.insert(one, before, np.nan) for one in (low, mean, high))
    ends = np.searchsorted(numbers, np.arange(series + 1))
    seconds = time / 1000
    return [
        Columns(seconds[part], low[part], mean[part], high[part], count[part])
        for part in (slice(ends[n], ends[n + 1]) for n in range(series))
    ]
