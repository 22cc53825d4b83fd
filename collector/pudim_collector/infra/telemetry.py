"""Pudim's figures about itself, in a registry of our own: the global one also collects other libraries' notions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

registry = CollectorRegistry(auto_describe=True)

CONTENT_TYPE = "text/plain; version=0.0.4"  # the web framework says the charset
_NAME = re.compile(r"pudim_[a-z0-9_]+")


def counter(name: str, help_text: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(_checked(name), help_text, labels, registry=registry)


def gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(_checked(name), help_text, labels, registry=registry)


def histogram(
    name: str,
    help_text: str,
    labels: Sequence[str] = (),
    *,
    buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
) -> Histogram:
    return Histogram(_checked(name), help_text, labels, registry=registry, buckets=buckets)


def exposition() -> bytes:
    """All figures in Prometheus' text format."""
    return generate_latest(registry)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"a metric of Pudim's own is named pudim_..., not {name!r}")
    return name
