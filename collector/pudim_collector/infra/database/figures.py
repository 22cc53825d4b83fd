"""What the pools of this process are doing, read when somebody asks: how full they are, and how long one waits for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pudim_collector.infra.telemetry import registry

_PREFIX = "pudim_database_pool"
_LABELS = ["pool"]
_GAUGES = {
    "size": ("pool_size", 1, "Connections there are."),
    "limit": ("pool_max", 1, "Connections there may be."),
    "available": ("pool_available", 1, "Connections that nobody uses now."),
    "waiting": ("requests_waiting", 1, "Who waits for a connection now."),
}
_COUNTERS = {
    "requests": ("requests_num", 1, "Connections asked for."),
    "queued": ("requests_queued", 1, "Connections asked for that were not there at once."),
    "errors": ("requests_errors", 1, "Connections asked for and not given: too busy, or unreachable."),
    "connection_errors": ("connections_errors", 1, "Connections that could not be made."),
    "wait_seconds": ("requests_wait_ms", 1000, "Time that was waited for connections."),
    "use_seconds": ("usage_ms", 1000, "Time that connections were in use."),
}


class Counting(Protocol):
    """A pool with psycopg's own figures; what is zero may be left out of them."""

    name: str

    @property
    def statistics(self) -> Mapping[str, int]: ...


class PoolFigures(Collector):
    """Pools come when they are opened and go when they are closed."""

    def __init__(self) -> None:
        self._pools: list[Counting] = []

    def add(self, pool: Counting) -> None:
        self._pools.append(pool)

    def remove(self, pool: Counting) -> None:
        if pool in self._pools:
            self._pools.remove(pool)

    def collect(self) -> Iterator[Metric]:
        for name, (figure, scale, words) in _GAUGES.items():
            family = GaugeMetricFamily(f"{_PREFIX}_{name}", words, labels=_LABELS)
            yield self._filled(family, figure, scale)
        for name, (figure, scale, words) in _COUNTERS.items():
            counted = CounterMetricFamily(f"{_PREFIX}_{name}", words, labels=_LABELS)
            yield self._filled(counted, figure, scale)

    def _filled(self, family: GaugeMetricFamily | CounterMetricFamily, figure: str, scale: int) -> Metric:
        totals: dict[str, float] = {}
        for pool in self._pools:
            totals[pool.name] = totals.get(pool.name, 0) + pool.statistics.get(figure, 0) / scale
        for name, value in totals.items():
            family.add_metric([name], value)
        return family


pools = PoolFigures()
registry.register(pools)
