"""Time since boot, from /proc/uptime."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = (series("system.uptime"),)


@samplers.register("uptime")
class Uptime:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        yield Reading(_SERIES, [float(self._host.read("uptime").split()[0])])
