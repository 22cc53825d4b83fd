"""Time since boot, from /proc/uptime, and the boot's own time: a reboot is where that changes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = (series("system.uptime"), series("system.boot.time"))
_BTIME = re.compile(rb"^btime (\d+)$", re.MULTILINE)
_LOOK_SECONDS = 600.0  # the boot's time moves only when the clock is set


@samplers.register("uptime")
class Uptime:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._booted = NAN
        self._due = float("-inf")

    def sample(self, tick: Tick) -> Iterable[Reading]:
        uptime = float(self._host.read("uptime").split()[0])
        if tick.monotonic >= self._due:
            self._due = tick.monotonic + _LOOK_SECONDS
            found = _BTIME.search(self._host.read("stat"))
            self._booted = float(found[1]) if found else NAN
        yield Reading(_SERIES, [uptime, self._booted])
