"""Linux software RAID: the arrays of /proc/mdstat, as /sys/block describes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from math import isnan
from typing import Any, NamedTuple

from pudim_agent.deltas import NAN, ratio
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, read, samplers, series
from pudim_agent.text import printable

_NAME = re.compile(rb"^(md[\w-]+) : ", re.MULTILINE)
_MOST = 32  # arrays
_MOST_DEVICES = 256  # of an array
_LOOK_SECONDS = 30.0
_COUNTS = ("wanted", "working", "failed", "spare")


class Array(NamedTuple):
    device: str
    level: str
    state: str
    counts: dict[str, int]
    progress: float


@samplers.register("raid")
class Raid:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._due = float("-inf")
        self._arrays: list[Array] = []
        self._devices: tuple[str, ...] = ()
        self._series: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if tick.monotonic >= self._due:
            self._due = tick.monotonic + _LOOK_SECONDS
            self._look(tick.time_ms)
        yield Reading(self._series, [value for array in self._arrays for value in _values(array)])

    def _look(self, at_ms: int) -> None:
        try:
            names = [os.fsdecode(name) for name in _NAME.findall(self._host.read("mdstat"))]
        except OSError:
            return  # a kernel without md
        self._arrays = [_array(self._host.sys, name) for name in sorted(names)[:_MOST]]
        devices = tuple(array.device for array in self._arrays)
        if devices != self._devices:
            self._devices = devices
            self._series = tuple(one for device in devices for one in _layout(device))
        if self._arrays or self._host.storage.knows_arrays:
            self._host.storage.tell_arrays(self._host.notices, at_ms, [_told(one) for one in self._arrays])


def _array(sys: str, name: str) -> Array:
    folder = f"{sys}/block/{name}/md"
    states = _states(folder)
    working = sum("in_sync" in one for one in states)
    counts = {
        "wanted": _count(_text(f"{folder}/raid_disks")),
        "working": working,
        "failed": sum("faulty" in one for one in states),
        "spare": sum("spare" in one and "faulty" not in one for one in states),
    }
    return Array(name, _text(f"{folder}/level"), _state(folder, counts), counts, _progress(folder))


def _states(folder: str) -> list[list[str]]:
    """The words of each member's state, Documentation/admin-guide/md.rst."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith("dev-")]  # noqa: PTH208
    except OSError:
        return []
    return [_text(f"{folder}/{name}/state").split(",") for name in sorted(names)[:_MOST_DEVICES]]


def _state(folder: str, counts: dict[str, int]) -> str:
    """What is being done to it, else whether it is whole."""
    action = _text(f"{folder}/sync_action")
    if action not in ("", "idle"):
        return action
    state = _text(f"{folder}/array_state")
    return (
        "degraded" if counts["working"] < counts["wanted"] and _count(_text(f"{folder}/degraded")) else state
    )


def _progress(folder: str) -> float:
    """`1234 / 5678` sectors, or `none`."""
    done, slash, whole = _text(f"{folder}/sync_completed").partition(" / ")
    return ratio(float(_count(done)), float(_count(whole))) if slash else NAN


def _text(path: str) -> str:
    try:
        return printable(read(path).strip()) if os.path.exists(path) else ""  # noqa: PTH110
    except OSError:
        return ""


def _count(text: str) -> int:
    """`raid_disks` says `4 (3)` while an array grows."""
    first = text.partition(" ")[0]
    return int(first) if first.isdigit() else 0


def _values(array: Array) -> list[float]:
    return [*(float(array.counts[state]) for state in _COUNTS), array.progress]


def _layout(device: str) -> Iterable[Series]:
    for state in _COUNTS:
        yield series("system.linux.raid.device.count", {"system.device": device, "state": state})
    yield series("system.linux.raid.sync.progress", {"system.device": device})


def _told(array: Array) -> dict[str, Any]:
    return {
        "device": array.device,
        "level": array.level,
        "state": array.state,
        "devices": array.counts["wanted"],
        "working": array.counts["working"],
        "failed": array.counts["failed"],
        "progress": None if isnan(array.progress) else array.progress,
    }
