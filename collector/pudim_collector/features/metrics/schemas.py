"""Metrics at the HTTP edge."""

from __future__ import annotations

import math
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from pudim_collector.features.metrics.rules import Range
from pudim_collector.series import reading
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


class SeriesColumns(Struct):
    """One series in columns: buckets' starts in Unix seconds. A gap is a row of nulls with count 0."""

    server: UUID
    labels: dict[str, str]
    time: list[float]
    min: list[float | None]
    avg: list[float | None]
    max: list[float | None]
    count: list[int]

    @classmethod
    def of(cls, found: reading.SeriesColumns) -> SeriesColumns:
        columns = found.columns
        # NaN becomes null in JSON.
        return cls(
            found.server_id,
            dict(found.series.labels),
            columns.time.tolist(),
            columns.low.tolist(),
            columns.mean.tolist(),
            columns.high.tolist(),
            columns.count.astype(int).tolist(),
        )


class SeriesRange(Struct, rename={"start": "from", "end": "to"}):
    """One metric over a range: from and to in Unix seconds, step the buckets' width in seconds."""

    metric: str
    unit: str
    start: float
    end: float
    step: int
    series: list[SeriesColumns]

    @classmethod
    def of(cls, metric: str, span: Range, found: reading.Reading) -> SeriesRange:
        unit = found.series[0].series.unit if found.series else ""
        series = [SeriesColumns.of(one) for one in found.series]
        return cls(metric, unit, span.start.timestamp(), span.end.timestamp(), found.step, series)
