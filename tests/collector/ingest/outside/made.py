"""Requests as the senders make them, right or hostile."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import cramjam
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pudim_collector.ingest.outside.messages import Label, WriteRequest

STALE = struct.unpack("<d", (0x7FF0000000000002).to_bytes(8, "little"))[0]
"""Prometheus' mark of a series that ended."""

Samples = Iterable[tuple[int, float]]


def write_request(*series: tuple[Mapping[str, str], Samples]) -> bytes:
    """A WriteRequest of remote write, not yet compressed."""
    request = WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        one.labels.extend(
            Label(name=name, value=value).SerializeToString() for name, value in sorted(labels.items())
        )
        for time, value in samples:
            one.samples.add(timestamp=time, value=value)
    return bytes(request.SerializeToString())


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body)


def attributes(**named: Any) -> list[dict[str, Any]]:
    """Attributes in OTLP's JSON; an underscore in a name stands for a dot."""
    return [{"key": key.replace("_", "."), "value": _value(value)} for key, value in named.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case dict():
            return value
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}


def metric(name: str, kind: str, *points: dict[str, Any], unit: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "unit": unit, kind: {"dataPoints": list(points), **more}}


def export(*metrics: dict[str, Any], scope: str = "", **resource: Any) -> dict[str, Any]:
    """An ExportMetricsServiceRequest in OTLP's JSON."""
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes(**resource)},
                "scopeMetrics": [{"scope": {"name": scope}, "metrics": list(metrics)}],
            }
        ]
    }


def protobuf(request: dict[str, Any]) -> bytes:
    return bytes(json_format.ParseDict(request, ExportMetricsServiceRequest()).SerializeToString())


def ns(milliseconds: int) -> str:
    return str(milliseconds * 1_000_000)
