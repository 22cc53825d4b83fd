"""CPU time by mode and by core, and what the scheduler did, from /proc/stat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pudim_agent.deltas import NAN, rates, shares
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

_MODES = ("user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal")
_IDLE, _IOWAIT = _MODES.index("idle"), _MODES.index("iowait")
_MOST_CORES = 256  # a series each; a layout has 2048
_Times = dict[bytes, tuple[int, ...]]
_COUNTERS = tuple(re.compile(rb"\n%s (\d+)" % name) for name in (b"ctxt", b"intr", b"processes"))
_THREADS = tuple(re.compile(rb"\n%s (\d+)" % name) for name in (b"procs_running", b"procs_blocked"))
_ACTIVITY = (
    series("system.cpu.context_switches.rate"),
    series("system.cpu.interrupts.rate"),
    series("system.process.created.rate"),
    *(series("system.linux.thread.count", {"state": state}) for state in ("running", "blocked")),
)


@dataclass(frozen=True)
class CpuConfig(SamplerConfig):
    modes_of_cores: int = field(
        default=16,
        metadata={"help": "Of how many cores each mode is told, not only how busy.", "low": 0, "high": 128},
    )


@samplers.register("cpu")
class Cpu:
    Config = CpuConfig

    def __init__(self, host: Host, config: CpuConfig) -> None:
        self._host, self._detailed = host, config.modes_of_cores
        self._before: _Times = {}
        self._series = _layout((), 0)
        self._counted: tuple[float, Sequence[float]] | None = None

    def sample(self, tick: Tick) -> Iterable[Reading]:
        text = self._host.read("stat")
        after = _parse(text)
        if after.keys() != self._before.keys():
            self._series = _layout([name for name in after if name != b"cpu"], self._detailed)
        before, self._before = self._before, after
        total = shares(before.get(b"cpu"), after[b"cpu"])
        cores = [shares(before.get(name), after[name]) for name in after if name != b"cpu"]
        values = [_busy(total), *total, float(len(cores)), *map(_busy, cores[:_MOST_CORES])]
        for core in cores[: self._detailed]:
            values += core[:_IDLE]
            values += core[_IOWAIT:]
        yield Reading(self._series, values)
        yield Reading(_ACTIVITY, self._activity(text, tick))

    def _activity(self, text: bytes, tick: Tick) -> list[float]:
        counters = _numbers(text, _COUNTERS)
        since, before = self._counted or (tick.monotonic, None)
        self._counted = tick.monotonic, counters
        return [*rates(before, counters, tick.monotonic - since), *_numbers(text, _THREADS)]


def _busy(modes: list[float]) -> float:
    return 1.0 - modes[_IDLE] - modes[_IOWAIT]


def _numbers(text: bytes, wanted: Iterable[re.Pattern[bytes]]) -> list[float]:
    start = text.find(b"\nintr")
    return [float(found[1]) if (found := one.search(text, start)) else NAN for one in wanted]


def _parse(text: bytes) -> _Times:
    """{b"cpu" or b"cpu<n>": times by mode}. Guest time, the ninth and tenth field, is part of user and nice."""
    times: _Times = {}
    for line in text[: text.find(b"\nintr")].split(b"\n"):
        name, *fields = line.split()
        times[name] = tuple(map(int, fields[: len(_MODES)]))
    return times


def _layout(cores: Sequence[bytes], detailed: int) -> tuple[Series, ...]:
    numbers = [name[3:].decode() for name in cores]
    return (
        series("system.cpu.utilization"),
        *(series("system.cpu.utilization", {"cpu.mode": mode}) for mode in _MODES),
        series("system.cpu.logical.count"),
        *(series("system.cpu.logical.utilization", {"cpu.logical_number": n}) for n in numbers[:_MOST_CORES]),
        *(
            series("system.cpu.logical.mode.utilization", {"cpu.logical_number": number, "cpu.mode": mode})
            for number in numbers[:detailed]
            for mode in _MODES
            if mode != "idle"
        ),
    )
