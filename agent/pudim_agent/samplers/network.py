"""Traffic of network interfaces, from /proc/net/dev."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pudim_agent.deltas import rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series
from pudim_agent.text import printable

_METRICS = tuple(f"system.network.{what}.rate" for what in ("io", "packet", "errors", "dropped"))
_RECEIVED, _TRANSMITTED = slice(0, 4), slice(8, 12)  # bytes packets errs drop, twice, in 16 columns
_Counters = dict[bytes, tuple[int, ...]]


@dataclass(frozen=True)
class NetworkConfig(SamplerConfig):
    skip: tuple[str, ...] = field(
        default=("lo", "veth*", "ifb*", "dummy*"),
        metadata={"help": "Interfaces left out, as shell patterns."},
    )


@samplers.register("network")
class Network:
    Config = NetworkConfig

    def __init__(self, host: Host, config: NetworkConfig) -> None:
        self._host, self._skip = host, config.skip
        self._before: _Counters = {}
        self._since = 0.0
        self._series: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        after = self._parse(self._host.read("net/dev"))
        if after.keys() != self._before.keys():
            self._series = tuple(one for name in after for one in _layout(printable(name)))
        seconds = tick.monotonic - self._since
        values = [rate for name in after for rate in rates(self._before.get(name), after[name], seconds)]
        self._before, self._since = after, tick.monotonic
        yield Reading(self._series, values)

    def _parse(self, text: bytes) -> _Counters:
        found: _Counters = {}
        for line in sorted(text.split(b"\n")[2:]):
            name, _, columns = line.rpartition(b":")
            if (name := name.strip()) and self._wanted(name):
                counters = tuple(map(int, columns.split()))
                found[name] = counters[_RECEIVED] + counters[_TRANSMITTED]
        return found

    def _wanted(self, name: bytes) -> bool:
        text = name.decode(errors="replace")
        return not any(fnmatchcase(text, pattern) for pattern in self._skip)


def _layout(interface: str) -> Iterable[Series]:
    for way in ("receive", "transmit"):
        for metric in _METRICS:
            yield series(metric, {"network.interface.name": interface, "network.io.direction": way})
