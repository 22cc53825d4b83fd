"""Temperatures, fans and power, from the kernel's hardware monitors (hwmon) or else its thermal zones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, read, samplers, series
from pudim_agent.slow import SlowFigures, in_thread
from pudim_agent.text import printable

_SECONDS = 10.0
_MOST = 96  # figures
_COLDEST, _HOTTEST = -55.0, 200.0  # beyond is what a monitor says of a sensor that is not connected
_FIND_EVERY = 30  # looks


class Sensor(NamedTuple):
    series: Series
    path: str
    scale: float
    sane: Callable[[float], bool]


class _Kind(NamedTuple):
    ending: str
    metric: str
    scale: float
    sane: Callable[[float], bool]


def _bearable(value: float) -> bool:
    return _COLDEST <= value <= _HOTTEST


def _positive(value: float) -> bool:
    return value >= 0


# By the beginning of a file's name, Documentation/hwmon/sysfs-interface.rst.
_KINDS = {
    "temp": (
        _Kind("_input", "hw.temperature", 1e-3, _bearable),
        _Kind("_crit", "hw.temperature.limit", 1e-3, _bearable),
    ),
    "fan": (_Kind("_input", "hw.fan.speed", 1.0, _positive),),
    "power": (_Kind("_input", "hw.power", 1e-6, _positive), _Kind("_average", "hw.power", 1e-6, _positive)),
}


@samplers.register("sensors")
class Sensors:
    """Some are behind buses that take milliseconds for each, or for ever: they are read beside the tick."""

    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._sys = host.sys
        self.slow = SlowFigures("sensors", self._ask, _SECONDS)
        self._sensors: list[Sensor] = []
        self._looks = 0

    async def run(self) -> None:
        await self.slow.run()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        yield self.slow.reading(tick.monotonic)

    async def _ask(self) -> dict[Series, float]:
        """No thread for nothing: a virtual machine has no sensors, and gets none later but with a driver."""
        if self._looks % _FIND_EVERY == 0:
            self._sensors = find(self._sys)
        self._looks += 1
        return await in_thread(self._read) if self._sensors else {}

    def _read(self) -> dict[Series, float]:
        return {one.series: _value(one) for one in self._sensors}


def find(sys: str) -> list[Sensor]:
    monitors = _listed(f"{sys}/class/hwmon")
    found = [one for name in monitors for one in _of_monitor(f"{sys}/class/hwmon/{name}")]
    if not any(one.series.metric == "hw.temperature" for one in found):
        zones = [name for name in _listed(f"{sys}/class/thermal") if name.startswith("thermal_zone")]
        found += [_zone(f"{sys}/class/thermal/{name}", name) for name in zones]
    # Two boards may carry the same chip at the same address; one figure for one name.
    return list({one.series: one for one in found}.values())[:_MOST]


def _of_monitor(folder: str) -> Iterable[Sensor]:
    """Named by its chip and where that sits, for its number changes from boot to boot."""
    chip = _text(f"{folder}/name") or "?"
    place = printable(os.fsencode(os.path.basename(os.path.realpath(f"{folder}/device"))))  # noqa: PTH119
    names = frozenset(_listed(folder))
    for stem, kind in _channels(names):
        label = _text(f"{folder}/{stem}_label") or f"{chip} {stem}"
        labels = {"hw.id": f"{chip} {place} {stem}", "hw.name": label, "hw.type": _type(stem)}
        yield Sensor(series(kind.metric, labels), f"{folder}/{stem}{kind.ending}", kind.scale, kind.sane)


def _channels(names: frozenset[str]) -> Iterable[tuple[str, _Kind]]:
    for name in sorted(names):
        stem, _, _ = name.partition("_")
        for kind in _KINDS.get(stem.rstrip("0123456789"), ()):
            averaged = kind.ending == "_average" and f"{stem}_input" in names
            if name == stem + kind.ending and not averaged:
                yield stem, kind


def _type(stem: str) -> str:
    return {"temp": "temperature", "fan": "fan"}.get(stem.rstrip("0123456789"), "power_supply")


def _zone(folder: str, name: str) -> Sensor:
    labels = {"hw.id": name, "hw.name": _text(f"{folder}/type") or name, "hw.type": "temperature"}
    return Sensor(series("hw.temperature", labels), f"{folder}/temp", 1e-3, _bearable)


def _value(sensor: Sensor) -> float:
    """A sensor that sleeps or is broken says so by an error."""
    try:
        value = int(read(sensor.path)) * sensor.scale
    except (OSError, ValueError):
        return NAN
    return value if sensor.sane(value) else NAN


def _text(path: str) -> str:
    try:
        return printable(read(path).strip(), 64)
    except OSError:
        return ""


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder), key=lambda name: (len(name), name))  # noqa: PTH208 - hwmon2 before hwmon10
    except OSError:
        return []
