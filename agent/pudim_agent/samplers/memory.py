"""Memory and swap, from /proc/meminfo and /proc/vmstat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pudim_agent.deltas import rates, ratio
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_MEMORY = (
    *(
        series("system.memory.usage", {"system.memory.state": state})
        for state in ("used", "free", "cached", "buffers")
    ),
    series("system.memory.utilization"),
    series("system.memory.limit"),
    series("system.linux.memory.available"),
)
_SWAP = (
    *(series("system.paging.usage", {"system.paging.state": state}) for state in ("used", "free")),
    series("system.paging.utilization"),
)
_PAGING = tuple(
    series("system.paging.operations.rate", {"system.paging.direction": way}) for way in ("in", "out")
)


@samplers.register("memory")
class Memory:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._before: tuple[float, Sequence[int]] | None = None

    def sample(self, tick: Tick) -> Iterable[Reading]:
        found = _meminfo(self._host.read("meminfo"))
        yield Reading(_MEMORY, _memory(found))
        if found.get(b"SwapTotal"):
            yield Reading(_SWAP, _swap(found))
            yield Reading(_PAGING, self._paging(tick))

    def _paging(self, tick: Tick) -> Sequence[float]:
        pages = _swapped(self._host.read("vmstat"))
        since, before = self._before or (tick.monotonic, None)
        self._before = tick.monotonic, pages
        return rates(before, pages, tick.monotonic - since)


def _meminfo(text: bytes) -> dict[bytes, float]:
    """Bytes by name."""
    found: dict[bytes, float] = {}
    for line in text.split(b"\n"):
        name, colon, rest = line.partition(b":")
        if colon:
            found[name] = int(rest.split()[0]) * 1024.0
    return found


def _memory(found: dict[bytes, float]) -> list[float]:
    total, free = found[b"MemTotal"], found[b"MemFree"]
    buffers = found.get(b"Buffers", 0.0)
    cached = found.get(b"Cached", 0.0) + found.get(b"SReclaimable", 0.0)
    available = found.get(b"MemAvailable", free + buffers + cached)
    used = max(0.0, total - free - buffers - cached)
    return [used, free, cached, buffers, 1 - ratio(available, total), total, available]


def _swap(found: dict[bytes, float]) -> list[float]:
    total, free = found[b"SwapTotal"], found[b"SwapFree"]
    return [total - free, free, ratio(total - free, total)]


def _swapped(text: bytes) -> tuple[int, int]:
    """Pages swapped in and out since boot."""
    return _after(text, b"\npswpin "), _after(text, b"\npswpout ")


def _after(text: bytes, name: bytes) -> int:
    start = text.index(name) + len(name)
    return int(text[start : text.index(b"\n", start)])
