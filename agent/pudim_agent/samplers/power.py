"""Batteries and mains, from /sys/class/power_supply: laptops, small servers, and UPSes that the kernel knows."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import isnan

from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, read, samplers, series
from pudim_agent.slow import SlowFigures, in_thread
from pudim_agent.text import printable

_SECONDS = 30.0
_MOST = 16
_Figures = dict[Series, float]


@samplers.register("power")
class Power:
    """A battery answers over a slow bus, hence beside the tick."""

    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._folder = f"{host.sys}/class/power_supply"
        self.slow = SlowFigures("power supplies", self._ask, _SECONDS)

    async def run(self) -> None:
        """Supplies do not come and go on servers: with none there is nothing to do."""
        if _listed(self._folder):
            await self.slow.run()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        yield self.slow.reading(tick.monotonic)

    async def _ask(self) -> _Figures:
        return await in_thread(self._look)

    def _look(self) -> _Figures:
        found: _Figures = {}
        for name in _listed(self._folder)[:_MOST]:
            found.update(_supply(f"{self._folder}/{name}", printable(os.fsencode(name))))
        return found


def _supply(folder: str, name: str) -> Iterable[tuple[Series, float]]:
    """A mouse has a battery, too; its scope says that it is not this host's."""
    kind = _text(f"{folder}/type")
    if _text(f"{folder}/scope") == "Device":
        return
    if kind in ("Battery", "UPS"):
        labels = {"hw.id": name, "hw.name": _text(f"{folder}/model_name") or name, "hw.type": "battery"}
        yield series("hw.battery.charge", labels), _number(f"{folder}/capacity") / 100
        if not isnan(watts := _number(f"{folder}/power_now") / 1e6):
            yield series("hw.power", labels), abs(watts)
    elif kind == "Mains":
        labels = {"hw.id": name, "hw.name": name, "hw.type": "power_supply", "hw.state": "ok"}
        yield series("hw.status", labels), _number(f"{folder}/online")


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        return printable(read(path).strip(), 64)
    except OSError:
        return ""


def _number(path: str) -> float:
    try:
        return float(int(read(path)))
    except (OSError, ValueError):
        return NAN
