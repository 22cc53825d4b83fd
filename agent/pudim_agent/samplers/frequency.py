"""How fast the cores run, from cpufreq; virtual machines mostly have no such thing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, read, samplers, series

_MOST = 16
_PATIENCE = 0.005
"""Seconds a tick. Linux before 5.18 sleeps 10 ms to measure a core of Intel's; the next one is asked at the next tick."""


@samplers.register("frequency")
class Frequency:
    """Of at most 16 cores, spread over all; each keeps its figure until it is its turn again."""

    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        folder = f"{host.sys}/devices/system/cpu"
        cores = _spread(_cores(folder))
        self._paths = [f"{folder}/cpu{core}/cpufreq/scaling_cur_freq" for core in cores]
        self._values = [NAN] * len(cores)
        self._series = (
            series("system.cpu.frequency"),
            *(series("system.cpu.frequency", {"cpu.logical_number": str(core)}) for core in cores),
        )
        self._next = 0

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        if not self._paths:
            return
        started = time.perf_counter()
        for _ in self._paths:
            self._values[self._next] = _hertz(self._paths[self._next])
            self._next = (self._next + 1) % len(self._paths)
            if time.perf_counter() - started > _PATIENCE:
                break
        known = [one for one in self._values if one > 0]
        yield Reading(self._series, [sum(known) / len(known) if known else NAN, *self._values])


def _cores(folder: str) -> list[int]:
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []
    numbers = sorted(int(name[3:]) for name in names if name.startswith("cpu") and name[3:].isdigit())
    return [core for core in numbers if os.path.exists(f"{folder}/cpu{core}/cpufreq/scaling_cur_freq")]  # noqa: PTH110


def _spread(cores: list[int]) -> list[int]:
    if len(cores) <= _MOST:
        return cores
    return [cores[n * len(cores) // _MOST] for n in range(_MOST)]


def _hertz(path: str) -> float:
    """The file says kilohertz, or `<unknown>` when the core sleeps."""
    try:
        return int(read(path)) * 1000.0
    except (OSError, ValueError):
        return NAN
