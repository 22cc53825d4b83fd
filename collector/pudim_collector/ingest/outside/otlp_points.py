"""OTLP's data points as samples of series: what each kind of metric becomes, after OpenTelemetry's data model.

A gauge and a cumulative sum stay what they are; a sum over an interval becomes a rate; a histogram becomes series of
running counts by upper bound (`le`), as Prometheus has them; a summary becomes series by `quantile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf, isfinite
from typing import Any, NamedTuple

from opentelemetry.proto.metrics.v1 import metrics_pb2

from pudim.wire.layouts import Labels, Series, labels_of
from pudim_collector.ingest.outside.exponential import MAX_BUCKETS, Exponential, bounds_and_counts
from pudim_collector.ingest.outside.labels import checked_labels, checked_name, checked_unit
from pudim_collector.ingest.outside.otlp_attributes import text_of
from pudim_collector.ingest.outside.refusals import BadPoint, PartRefusal, TooManyBuckets
from pudim_collector.ingest.outside.samples import Arrival, Push

_DELTA = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
_CUMULATIVE = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
_NOTHING_RECORDED = metrics_pb2.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
_NS_IN_MS = 1_000_000
_NS_IN_S = 1_000_000_000


class _Value(NamedTuple):
    """One sample of a data point: what is added to the metric's name, its unit, its extra label, its value."""

    suffix: str
    unit: str
    extra: tuple[tuple[str, str], ...]
    value: float


def take_metric(push: Push, arrival: Arrival, metric: Any) -> None:
    """All data points of one metric; what cannot be kept is refused by name. Raises TooManySamples."""
    kind = metric.WhichOneof("data")
    read = _READERS.get(kind)
    if read is None:
        return
    whole = getattr(metric, kind)
    try:
        name, unit = checked_name(metric.name), checked_unit(metric.unit)
        delta = _is_delta(whole) if kind in _SUMMED else False
    except PartRefusal as refusal:
        _refuse_all(push, whole.data_points, refusal)
        return
    for point in whole.data_points:
        number = push.next_point()
        if not point.flags & _NOTHING_RECORDED:
            try:
                _take_point(arrival, number, name, point, read(point, unit, delta))
            except PartRefusal as refusal:
                push.refused.add(refusal)
    push.check_size()


def _refuse_all(push: Push, points: Iterable[Any], refusal: PartRefusal) -> None:
    for _ in points:
        push.next_point()
        push.refused.add(refusal)


def _take_point(arrival: Arrival, number: int, name: str, point: Any, values: Iterable[_Value]) -> None:
    if not point.time_unix_nano:
        raise BadPoint(f"a data point of {name} without a time")
    time = point.time_unix_nano // _NS_IN_MS
    own = [(one.key, text_of(one.value)) for one in point.attributes]
    labels: dict[tuple[str, ...], Labels] = {}
    found = []
    for suffix, unit, extra, value in values:
        keys = tuple(key for key, _ in extra)
        if keys not in labels:
            labels[keys] = checked_labels(own, (*arrival.target.labels, *((key, "") for key in keys)))
        found.append((Series(name + suffix, unit, labels_of(dict(labels[keys] + extra))), value))
    for series, value in found:  # whole or not at all
        arrival.add(arrival.number(series), time, value, number)


def _is_delta(whole: Any) -> bool:
    """Raises BadPoint where nothing says over which time values are summed."""
    if whole.aggregation_temporality not in {_DELTA, _CUMULATIVE}:
        raise BadPoint("a sum or histogram without a temporality")
    return bool(whole.aggregation_temporality == _DELTA)


def _seconds(point: Any) -> float:
    """How long the interval was that a delta is of. Raises BadPoint."""
    interval = point.time_unix_nano - point.start_time_unix_nano
    if not point.start_time_unix_nano or interval <= 0:
        raise BadPoint("a sum over an interval that does not begin before it ends")
    return float(interval) / _NS_IN_S


def _number(point: Any) -> float:
    kind = point.WhichOneof("value")
    if kind is None:
        raise BadPoint("a data point without a value")
    return float(getattr(point, kind))


def _level(point: Any, unit: str, delta: bool) -> Iterator[_Value]:
    value = _number(point)
    if delta:
        yield _Value(".rate", f"{unit or '1'}/s", (), value / _seconds(point))
    else:
        yield _Value("", unit, (), value)


def _counted(point: Any, unit: str, delta: bool, buckets: Iterable[tuple[float, int]]) -> Iterator[_Value]:
    """A histogram's count, sum and buckets; over an interval all of them are rates."""
    suffix, over, per = (".rate", _seconds(point), "/s") if delta else ("", 1.0, "")
    yield _Value(f".count{suffix}", f"1{per}", (), point.count / over)
    if point.HasField("sum"):
        yield _Value(f".sum{suffix}", f"{unit or '1'}{per}" if delta else unit, (), point.sum / over)
    for bound, count in buckets:
        yield _Value(f".bucket{suffix}", f"1{per}", (("le", bound_text(bound)),), count / over)
    yield _Value(f".bucket{suffix}", f"1{per}", (("le", "+Inf"),), point.count / over)


def _explicit(point: Any, unit: str, delta: bool) -> Iterator[_Value]:
    bounds, counts = list(point.explicit_bounds), list(point.bucket_counts)
    if len(bounds) > MAX_BUCKETS:
        raise TooManyBuckets(f"a histogram of {len(bounds)} bounds, at most {MAX_BUCKETS} are kept")
    if counts and len(counts) != len(bounds) + 1:
        raise BadPoint("a histogram whose bounds and counts do not match")
    if any(not low < high for low, high in zip(bounds, [*bounds[1:], inf], strict=True)):
        raise BadPoint("a histogram whose bounds do not ascend")
    return _counted(point, unit, delta, _running(bounds, counts))


def _running(bounds: list[float], counts: list[int]) -> list[tuple[float, int]]:
    total, found = 0, []
    for bound, count in zip(bounds, counts, strict=False):
        total += count
        if isfinite(bound):
            found.append((bound, total))
    return found


def _exponential(point: Any, unit: str, delta: bool) -> Iterator[_Value]:
    given = Exponential(
        point.scale,
        point.zero_threshold,
        point.zero_count,
        point.positive.offset,
        list(point.positive.bucket_counts),
        point.negative.offset,
        list(point.negative.bucket_counts),
    )
    return _counted(point, unit, delta, bounds_and_counts(given))


def _summary(point: Any, unit: str, delta: bool) -> Iterator[_Value]:  # noqa: ARG001 - as the other readers
    if len(point.quantile_values) > MAX_BUCKETS:
        raise TooManyBuckets(f"a summary of {len(point.quantile_values)} quantiles")
    yield _Value(".count", "1", (), point.count)
    yield _Value(".sum", unit, (), point.sum)
    for one in point.quantile_values:
        yield _Value("", unit, (("quantile", bound_text(one.quantile)),), one.value)


def bound_text(bound: float) -> str:
    """A bound as a label: as short as tells it apart, `0.5`, `10`, `1.18921`."""
    return f"{bound:.6g}"


_READERS = {
    "gauge": _level,
    "sum": _level,
    "histogram": _explicit,
    "exponential_histogram": _exponential,
    "summary": _summary,
}
_SUMMED = frozenset({"sum", "histogram", "exponential_histogram"})
