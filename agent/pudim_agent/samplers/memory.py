"""Memory in its parts, swap and page faults, from /proc/meminfo and /proc/vmstat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pudim_agent.deltas import NAN, rates, ratio
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

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
_FAULTS = (
    *(series("system.paging.faults.rate", {"system.paging.fault.type": kind}) for kind in ("minor", "major")),
    series("system.linux.memory.oom_kills.rate"),
)
_DETAILS: tuple[tuple[bytes, Series], ...] = (
    (b"Shmem", series("system.memory.shared")),
    (b"AnonPages", series("system.linux.memory.anonymous")),
    (b"Mapped", series("system.linux.memory.mapped")),
    (b"SReclaimable", series("system.linux.memory.slab.usage", {"linux.memory.slab.state": "reclaimable"})),
    (b"SUnreclaim", series("system.linux.memory.slab.usage", {"linux.memory.slab.state": "unreclaimable"})),
    (b"PageTables", series("system.linux.memory.page_tables")),
    (b"KernelStack", series("system.linux.memory.kernel_stack")),
    (b"Dirty", series("system.linux.memory.dirty")),
    (b"Writeback", series("system.linux.memory.writeback")),
    (b"Committed_AS", series("system.linux.memory.committed")),
    (b"CommitLimit", series("system.linux.memory.commit_limit")),
)
_ZSWAP: tuple[tuple[bytes, Series], ...] = (
    (b"Zswap", series("system.linux.memory.zswap.usage", {"state": "compressed"})),
    (b"Zswapped", series("system.linux.memory.zswap.usage", {"state": "original"})),
)
_VMSTAT = tuple(b"\n%s " % name for name in (b"pswpin", b"pswpout", b"pgfault", b"pgmajfault", b"oom_kill"))
_HUGE = tuple(
    series("system.linux.memory.hugepages.usage", {"system.memory.state": state})
    for state in ("used", "free")
)


@samplers.register("memory")
class Memory:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._before: tuple[float, Sequence[float]] | None = None
        self._zswapping = False
        self._names: tuple[bytes, ...] = ()
        self._details: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        found = _meminfo(self._host.read("meminfo"))
        counted = self._counted(tick)
        yield Reading(_MEMORY, _memory(found))
        if found.get(b"SwapTotal"):
            yield Reading(_SWAP, _swap(found))
            yield Reading(_PAGING, counted[: len(_PAGING)])
        yield Reading(_FAULTS, counted[len(_PAGING) :])
        yield self._detailed(found)
        if found.get(b"HugePages_Total"):
            yield Reading(_HUGE, _huge(found))

    def _counted(self, tick: Tick) -> Sequence[float]:
        """Each by itself: a kernel that lacks one has the others."""
        after = _counters(self._host.read("vmstat"))
        since, before = self._before or (tick.monotonic, None)
        self._before = tick.monotonic, after
        seconds = tick.monotonic - since
        return [rates(before and [before[n]], [one], seconds)[0] for n, one in enumerate(after)]

    def _detailed(self, found: Mapping[bytes, float]) -> Reading:
        """Only what this kernel has. Zswap says 0 where it is off, hence only once it held something."""
        self._zswapping = self._zswapping or bool(found.get(b"Zswapped"))
        wanted = (*_DETAILS, *_ZSWAP) if self._zswapping else _DETAILS
        names = tuple(name for name, _ in wanted if name in found)
        if names != self._names:
            self._names = names
            self._details = tuple(one for name, one in wanted if name in found)
        return Reading(self._details, [found[name] for name in names])


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


def _huge(found: Mapping[bytes, float]) -> list[float]:
    """The counts are of pages; all of /proc/meminfo was taken for kibibytes."""
    page = found.get(b"Hugepagesize", NAN) / 1024
    free = found[b"HugePages_Free"] * page
    return [found[b"HugePages_Total"] * page - free, free]


def _counters(text: bytes) -> list[float]:
    """Pages swapped in and out, faults (all but the major ones, and those), and OOM kills since boot."""
    swapped_in, swapped_out, faults, major, kills = (_after(text, name) for name in _VMSTAT)
    return [swapped_in, swapped_out, faults - major, major, kills]


def _after(text: bytes, name: bytes) -> float:
    start = text.find(name)
    if start < 0:
        return NAN
    return float(text[start + len(name) : text.index(b"\n", start + 1)])
