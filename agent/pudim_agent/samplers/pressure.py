"""Pressure stall information, from /proc/pressure; kernels without it have no such series."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.deltas import rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

_RESOURCES = ("cpu", "memory", "io", "irq")
_Key = tuple[str, str]
_Totals = dict[_Key, int]


@samplers.register("pressure")
class Pressure:
    """Shares are of the whole time since the sample before, from the kernel's totals: its own averages of 10 s
    would miss what passed between two samples that are further apart, and blur what is nearer.
    """

    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._before: _Totals = {}
        self._since = 0.0
        self._series: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        after: _Totals = {}
        for resource in _RESOURCES:
            try:
                text = self._host.read(f"pressure/{resource}")
            except OSError:  # no such file, or EOPNOTSUPP when booted with psi=0
                continue
            after.update(_parse(resource, text))
        if after.keys() != self._before.keys():
            self._series = tuple(map(_series, after))
            self._before = {}
        seconds = tick.monotonic - self._since
        found = rates(list(self._before.values()) or None, list(after.values()), seconds * 1e6)
        self._before, self._since = after, tick.monotonic
        yield Reading(self._series, [1.0 if one > 1 else one for one in found])


def _series(key: _Key) -> Series:
    return series("system.linux.pressure.share", {"resource": key[0], "kind": key[1]})


def _parse(resource: str, text: bytes) -> Iterable[tuple[_Key, int]]:
    """Lines of the form `some avg10=1.53 avg60=0.87 avg300=0.73 total=125712`, the total in microseconds."""
    for line in text.splitlines():
        kind, *_, total = line.split()
        yield (resource, kind.decode()), int(total.removeprefix(b"total="))
