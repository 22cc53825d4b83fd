"""What the collector counts about itself, in one registry of its own, shown at `/metrics`."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, description, labels, registry=registry)


def gauge(name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(name, description, labels, registry=registry)


def histogram(
    name: str, description: str, *, buckets: Sequence[float], labels: Sequence[str] = ()
) -> Histogram:
    return Histogram(name, description, labels, buckets=buckets, registry=registry)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(registry)
