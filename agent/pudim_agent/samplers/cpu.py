"""CPU time by mode and by core, from /proc/stat."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.deltas import shares
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

_MODES = ("user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal")
_IDLE, _IOWAIT = _MODES.index("idle"), _MODES.index("iowait")
_Times = dict[bytes, tuple[int, ...]]


@samplers.register("cpu")
class Cpu:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._before: _Times = {}
        self._series = _layout(())

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        after = _parse(self._host.read("stat"))
        if after.keys() != self._before.keys():
            self._series = _layout(name for name in after if name != b"cpu")
        before, self._before = self._before, after
        total = shares(before.get(b"cpu"), after[b"cpu"])
        cores = [_busy(shares(before.get(name), after[name])) for name in after if name != b"cpu"]
        yield Reading(self._series, [_busy(total), *total, float(len(cores)), *cores])


def _busy(modes: list[float]) -> float:
    return 1.0 - modes[_IDLE] - modes[_IOWAIT]


def _parse(text: bytes) -> _Times:
    """{b"cpu" or b"cpu<n>": times by mode}. Guest time, the ninth and tenth field, is part of user and nice."""
    times: _Times = {}
    for line in text[: text.find(b"\nintr")].split(b"\n"):
        name, *fields = line.split()
        times[name] = tuple(map(int, fields[: len(_MODES)]))
    return times


def _layout(cores: Iterable[bytes]) -> tuple[Series, ...]:
    return (
        series("system.cpu.utilization"),
        *(series("system.cpu.utilization", {"cpu.mode": mode}) for mode in _MODES),
        series("system.cpu.logical.count"),
        *(
            series("system.cpu.logical.utilization", {"cpu.logical_number": name[3:].decode()})
            for name in cores
        ),
    )
