"""Load and memory of GPUs: NVIDIA's as `nvidia-smi` tells them, AMD's from /sys."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan

from pudim_agent.deltas import NAN, ratio
from pudim_agent.programs import find, output_of
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, read, samplers, series
from pudim_agent.slow import SlowFigures, in_thread
from pudim_agent.text import printable

_COLUMNS = (
    "pci.bus_id",
    "name",
    "utilization.gpu",
    "memory.used",
    "memory.total",
    "temperature.gpu",
    "power.draw",
    "fan.speed",
)
_MOST = 32
_PATIENCE, _MOST_BYTES = 10.0, 1 << 16
_MEBIBYTE = 1 << 20
_Figures = dict[Series, float]


@dataclass(frozen=True)
class GpuConfig(SamplerConfig):
    seconds: float = field(
        default=30.0,
        metadata={
            "help": "Time between calls of nvidia-smi, each of which takes CPU.",
            "low": 1.0,
            "high": 3600.0,
        },
    )


@samplers.register("gpu")
class Gpu:
    """Neither is asked at a tick: a program takes its time, and a GPU that sleeps is woken by the question."""

    Config = GpuConfig

    def __init__(self, host: Host, config: GpuConfig) -> None:
        self._host = host
        self.slow = SlowFigures("GPUs", self._ask, config.seconds)
        self._program = find("nvidia-smi", host.programs)
        self._cards = [] if self._program else _cards(host.sys)

    async def run(self) -> None:
        if self._program or self._cards:
            await self.slow.run()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        yield self.slow.reading(tick.monotonic)

    async def _ask(self) -> _Figures:
        if self._program:
            return await _nvidia(self._program)
        return await in_thread(self._amd) if self._cards else {}

    def _amd(self) -> _Figures:
        """Temperature, power and fans of these are among the sensors."""
        return {one: value for card in self._cards for one, value in _amd(card)}


async def _nvidia(program: str) -> _Figures:
    found = await output_of(
        program,
        f"--query-gpu={','.join(_COLUMNS)}",
        "--format=csv,noheader,nounits",
        patience=_PATIENCE,
        most=_MOST_BYTES,
    )
    if found.status:
        raise OSError(f"nvidia-smi ended with {found.status}")
    return parse(found.text)


def parse(text: bytes) -> _Figures:
    """A line a GPU, in the order of `_COLUMNS`. What one cannot tell is `[N/A]` or `[Not Supported]`, hence left out."""
    found: _Figures = {}
    for line in text.splitlines()[:_MOST]:
        columns = line.split(b", ")
        if len(columns) != len(_COLUMNS):
            raise ValueError(f"nvidia-smi answered {printable(line)!r}")
        name, bus = printable(columns[1].strip()), printable(columns[0].strip())
        busy, used, limit, celsius, watts, fan = map(_number, columns[2:])
        used, limit = used * _MEBIBYTE, limit * _MEBIBYTE
        values = {
            "hw.gpu.utilization": busy / 100,
            "hw.temperature": celsius,
            "hw.power": watts,
            "hw.fan.speed_ratio": fan / 100,
            **_memory(used, limit),
        }
        found.update(_labelled(bus, name, values))
    return found


def _cards(sys: str) -> list[str]:
    folder = f"{sys}/class/drm"
    try:
        names = [name for name in os.listdir(folder) if name[4:].isdigit()]  # noqa: PTH208 - card0, not card0-DP-1
    except OSError:
        return []
    cards = [f"{folder}/{name}/device" for name in sorted(names)[:_MOST]]
    return [card for card in cards if os.path.exists(f"{card}/gpu_busy_percent")]  # noqa: PTH110


def _amd(card: str) -> Iterable[tuple[Series, float]]:
    busy, used, limit = (
        _file(f"{card}/{name}") for name in ("gpu_busy_percent", "mem_info_vram_used", "mem_info_vram_total")
    )
    bus = printable(os.fsencode(os.path.basename(os.path.realpath(card))))  # noqa: PTH119
    yield from _labelled(bus, "AMD GPU", {"hw.gpu.utilization": busy / 100, **_memory(used, limit)})


def _memory(used: float, limit: float) -> dict[str, float]:
    return {
        "hw.gpu.memory.usage": used,
        "hw.gpu.memory.limit": limit,
        "hw.gpu.memory.utilization": ratio(used, limit),
    }


def _labelled(bus: str, name: str, values: Mapping[str, float]) -> Iterable[tuple[Series, float]]:
    labels = {"hw.id": f"gpu {bus}", "hw.name": name, "hw.type": "gpu"}
    return ((series(metric, labels), value) for metric, value in values.items() if not isnan(value))


def _number(column: bytes) -> float:
    try:
        value = float(column)
    except ValueError:
        return NAN
    return value if value >= 0 else NAN


def _file(path: str) -> float:
    try:
        return _number(read(path))
    except OSError:
        return NAN
