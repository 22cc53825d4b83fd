"""Input and output of whole disks, from /proc/diskstats."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pudim_agent.deltas import increases, ratio
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series
from pudim_agent.text import printable

_SECTOR = 512  # the kernel's unit in this file, whatever the disk's own sector size
# Columns after the name, from Documentation/admin-guide/iostats.rst: operations, merged, sectors, milliseconds.
_READS, _READ_SECTORS, _READ_MS = 0, 2, 3
_WRITES, _WRITE_SECTORS, _WRITE_MS = 4, 6, 7
_BUSY_MS, _WEIGHTED_MS = 9, 10
_MOST = 96  # disks, eight series each; a layout has 2048
_Counters = dict[bytes, tuple[int, ...]]


@dataclass(frozen=True)
class DiskConfig(SamplerConfig):
    skip: tuple[str, ...] = field(
        default=("loop*", "ram*", "zram*", "sr*", "fd*"),
        metadata={"help": "Devices left out, as shell patterns."},
    )


@samplers.register("disk")
class Disk:
    Config = DiskConfig

    def __init__(self, host: Host, config: DiskConfig) -> None:
        self._host, self._skip = host, config.skip
        self._whole: dict[bytes, bool] = {}
        self._before: _Counters = {}
        self._since = 0.0
        self._series: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        after = self._parse(self._host.read("diskstats"))
        if after.keys() != self._before.keys():
            self._series = tuple(one for name in after for one in _layout(printable(name)))
        seconds = tick.monotonic - self._since
        values = [value for name in after for value in _rates(self._before.get(name), after[name], seconds)]
        self._before, self._since = after, tick.monotonic
        yield Reading(self._series, values)

    def _parse(self, text: bytes) -> _Counters:
        found: _Counters = {}
        for line in text.splitlines():
            _, _, name, *columns = line.split()
            if self._wanted(name) and len(found) < _MOST:
                found[name] = tuple(map(int, columns[: _WEIGHTED_MS + 1]))
        return found

    def _wanted(self, name: bytes) -> bool:
        """Whole disks only; a partition's work is already in its disk's. Asked of /sys once for each name."""
        if name not in self._whole:
            text = os.fsdecode(name)
            skipped = any(fnmatchcase(text, pattern) for pattern in self._skip)
            self._whole[name] = not skipped and os.path.isdir(f"{self._host.sys}/block/{text}")  # noqa: PTH112
        return self._whole[name]


def _rates(before: Sequence[int] | None, after: Sequence[int], seconds: float) -> list[float]:
    """In the order of `_layout`. An operation's mean time is NaN when there was none."""
    gained = increases(before, after)
    return [
        ratio(gained[_READ_SECTORS] * _SECTOR, seconds),
        ratio(gained[_READS], seconds),
        ratio(gained[_READ_MS] / 1000, gained[_READS]),
        ratio(gained[_WRITE_SECTORS] * _SECTOR, seconds),
        ratio(gained[_WRITES], seconds),
        ratio(gained[_WRITE_MS] / 1000, gained[_WRITES]),
        _at_most_one(ratio(gained[_BUSY_MS] / 1000, seconds)),
        ratio(gained[_WEIGHTED_MS] / 1000, seconds),
    ]


def _at_most_one(value: float) -> float:
    """The kernel rounds to milliseconds. Not min(): of 1 and NaN it gives 1."""
    return 1.0 if value > 1 else value


def _layout(device: str) -> Iterable[Series]:
    for way in ("read", "write"):
        for metric in ("system.disk.io.rate", "system.disk.operations.rate", "system.disk.await"):
            yield series(metric, {"system.device": device, "disk.io.direction": way})
    yield series("system.disk.utilization", {"system.device": device})
    yield series("system.linux.disk.queue.length", {"system.device": device})
