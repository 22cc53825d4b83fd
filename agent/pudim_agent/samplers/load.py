"""Load averages, from /proc/loadavg."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = tuple(series(f"system.cpu.load_average.{span}") for span in ("1m", "5m", "15m"))


@samplers.register("load")
class Load:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        yield Reading(_SERIES, [float(one) for one in self._host.read("loadavg").split()[:3]])
