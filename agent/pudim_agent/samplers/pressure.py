"""Pressure stall information, from /proc/pressure; kernels without it have no such series."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

_RESOURCES = ("cpu", "memory", "io")
_Key = tuple[str, str]


@samplers.register("pressure")
class Pressure:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._keys: tuple[_Key, ...] = ()
        self._series: tuple[Series, ...] = ()

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        found: dict[_Key, float] = {}
        for resource in _RESOURCES:
            try:
                text = self._host.read(f"pressure/{resource}")
            except OSError:  # no such file, or EOPNOTSUPP when booted with psi=0
                continue
            found.update(_parse(resource, text))
        if (keys := tuple(found)) != self._keys:
            self._keys, self._series = keys, tuple(map(_series, keys))
        yield Reading(self._series, list(found.values()))


def _series(key: _Key) -> Series:
    return series("system.linux.pressure.share", {"resource": key[0], "kind": key[1]})


def _parse(resource: str, text: bytes) -> Iterable[tuple[_Key, float]]:
    """Lines of the form `some avg10=1.53 avg60=0.87 avg300=0.73 total=125712`, in percent."""
    for line in text.splitlines():
        kind, average, *_ = line.split()
        yield (resource, kind.decode()), float(average.removeprefix(b"avg10=")) / 100
