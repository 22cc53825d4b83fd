"""Metrics at the HTTP edge."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import numpy as np
from msgspec import Struct

from pudim_collector.features.metrics.rules import Range
from pudim_collector.series import answering
from pudim_collector.series.answering import Reading
from pudim_collector.series.catalogue import Named
from pudim_collector.series.reading import Latest


class LatestSample(Struct):
    """The newest sample of one series; `value` is null when the agent could not measure it."""

    metric: str
    labels: dict[str, str]
    unit: str
    time: datetime
    value: float | None

    @classmethod
    def of(cls, latest: Latest) -> LatestSample:
        series = latest.series
        value = latest.value if math.isfinite(latest.value) else None
        return cls(series.metric, dict(series.labels), series.unit, latest.time, value)


class TopSample(Struct):
    """The newest sample of one of the series with the highest or lowest values."""

    server: UUID
    labels: dict[str, str]
    unit: str
    time: datetime
    value: float

    @classmethod
    def of(cls, latest: Latest) -> TopSample:
        series = latest.series
        return cls(latest.server_id, dict(series.labels), series.unit, latest.time, latest.value)


class Column(StrEnum):
    """What is told of each bucket."""

    MIN = "min"
    AVG = "avg"
    MAX = "max"
    COUNT = "count"


ALL_COLUMNS = frozenset(Column)


class SeriesColumns(Struct, omit_defaults=True):
    """One series in columns: buckets' starts in Unix seconds. A gap is a row of nulls with count 0.

    `server` is null where series of several servers are combined.
    """

    server: UUID | None
    labels: dict[str, str]
    time: list[float]
    min: list[float | None] | None = None
    avg: list[float | None] | None = None
    max: list[float | None] | None = None
    count: list[int] | None = None

    @classmethod
    def of(cls, found: answering.SeriesColumns, wanted: Collection[Column] = ALL_COLUMNS) -> SeriesColumns:
        columns = found.columns
        # NaN becomes null in JSON.
        return cls(
            found.server_id,
            dict(found.series.labels),
            columns.time.tolist(),
            columns.low.tolist() if Column.MIN in wanted else None,
            columns.mean.tolist() if Column.AVG in wanted else None,
            columns.high.tolist() if Column.MAX in wanted else None,
            np.rint(columns.count).astype(np.int64).tolist() if Column.COUNT in wanted else None,
        )


class SeriesRange(Struct, rename={"start": "from", "end": "to"}):
    """One metric over a range: from and to in Unix seconds, step the buckets' width in seconds.

    `tier` tells what the buckets were made of: `raw` frames, or rollups of a `minute` or an `hour`.
    """

    metric: str
    unit: str
    start: float
    end: float
    step: int
    tier: str
    series: list[SeriesColumns]

    @classmethod
    def of(
        cls, metric: str, span: Range, found: Reading, wanted: Collection[Column] = ALL_COLUMNS
    ) -> SeriesRange:
        unit = found.series[0].series.unit if found.series else ""
        series = [SeriesColumns.of(one, wanted) for one in found.series]
        return cls(
            metric, unit, span.start.timestamp(), span.end.timestamp(), found.step, found.tier.value, series
        )


class MetricColumns(Struct):
    """The series of one metric."""

    metric: str
    unit: str
    series: list[SeriesColumns]


class Charts(Struct, rename={"start": "from", "end": "to"}):
    """Several metrics over one range, in the order in which they were asked for; otherwise as SeriesRange."""

    start: float
    end: float
    step: int
    tier: str
    metrics: list[MetricColumns]

    @classmethod
    def of(cls, metrics: Sequence[str], span: Range, found: Reading) -> Charts:
        by_metric: dict[str, MetricColumns] = {metric: MetricColumns(metric, "", []) for metric in metrics}
        for one in found.series:
            columns = by_metric[one.series.metric]
            columns.unit = one.series.unit
            columns.series.append(SeriesColumns.of(one))
        return cls(
            span.start.timestamp(),
            span.end.timestamp(),
            found.step,
            found.tier.value,
            list(by_metric.values()),
        )


class Metric(Struct):
    """A metric with its unit, and how many series of how many servers there are of it."""

    name: str
    unit: str
    series: int
    servers: int

    @classmethod
    def of(cls, named: Named) -> Metric:
        return cls(named.metric, named.unit, named.series, named.servers)


class MetricPage(Struct):
    items: list[Metric]
    next_cursor: str | None


class Label(Struct):
    """A label of a metric's series with its values in order, at most `most` of `distinct`."""

    name: str
    values: list[str]
    distinct: int

    @classmethod
    def of(cls, name: str, values: set[str], most: int) -> Label:
        return cls(name, sorted(values)[:most], len(values))


class LabelPage(Struct):
    items: list[Label]
    next_cursor: str | None
