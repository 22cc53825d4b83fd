"""Metrics at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct


class LatestSample(Struct):
    """The newest sample of one series; `value` is null when the agent could not measure it."""

    metric: str
    labels: dict[str, str]
    unit: str
    time: datetime
    value: float | None


class SeriesColumns(Struct):
    """One series in columns: buckets' starts in Unix seconds. A gap is a row of nulls with count 0."""

    server: UUID
    labels: dict[str, str]
    time: list[float]
    min: list[float | None]
    avg: list[float | None]
    max: list[float | None]
    count: list[int]


class SeriesRange(Struct, rename={"start": "from", "end": "to"}):
    """One metric over a range: from and to in Unix seconds, step the buckets' width in seconds."""

    metric: str
    unit: str
    start: float
    end: float
    step: int
    series: list[SeriesColumns]
