"""What a simulated server's agent would have measured: the real samplers' series, in their order, with values of a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pudim.vocabulary.metrics import METRICS
from pudim.wire.layouts import Series, labels_of
from pudim_collector.app.demo.machines import Machine, Mount, Process
from pudim_collector.app.demo.signals import Column, Noise, Times, daily, hourly, nightly, weekly
from pudim_collector.app.demo.story import Story

_PAGE = 4096
_JIFFIES = 1000
"""Clock ticks of one core between two samples: finer shares cannot be measured."""


class Measured(NamedTuple):
    series: Series
    values: Column


@dataclass(frozen=True)
class Day:
    """A server's day before anything is measured. `busy` is the share of its cores that works, `work` what for."""

    machine: Machine
    story: Story
    times: Times
    noise: Noise
    work: Column
    busy: Column

    @classmethod
    def of(cls, machine: Machine, story: Story, times: Times, noise: Noise) -> Day:
        kind = machine.kind
        visitors = daily(times, kind.peak) * weekly(times, kind.weekend)
        work = visitors * (1 + 0.13 * noise.smooth()) + 1.1 * story.crowd(times) + 0.12 * hourly(times)
        jobs = kind.nightly * nightly(times)
        busy = kind.idle + kind.swing * work + jobs + 0.012 * noise.rough() + 0.01 * noise.smooth()
        return cls(
            machine, story, times, noise, np.clip(work + jobs, 0.02, None), np.clip(busy, 0.004, 0.985)
        )

    def constant(self, value: float) -> Column:
        return np.full(len(self.times), value)


def host(day: Day) -> list[Measured]:
    """The frame of the source `host`; where the agent cannot know a value it is NaN."""
    parts = (cpu, disk, filesystem, load, memory, network, pressure, processes, agent, uptime)
    return [one for part in parts for one in part(day)]


def cpu(day: Day) -> Iterator[Measured]:
    cores = day.machine.kind.cores
    grain = _JIFFIES * cores
    waiting = np.clip(0.004 + 0.02 * day.work * (1 + 0.4 * day.noise.smooth()), 0, 1 - day.busy)
    shares = {
        "user": day.busy * 0.71,
        "nice": day.constant(0.0),
        "system": day.busy * 0.22,
        "interrupt": day.constant(0.0),
        "softirq": day.busy * 0.06,
        "steal": day.busy * 0.01,
        "iowait": waiting,
    }
    modes = {name: np.floor(share * grain) / grain for name, share in shares.items()}
    modes["idle"] = np.clip(1.0 - sum(modes.values()), 0.0, 1.0)
    busy = 1.0 - modes["idle"] - modes["iowait"]
    yield _measured("system.cpu.utilization", busy)
    for mode in ("user", "nice", "system", "idle", "iowait", "interrupt", "softirq", "steal"):
        yield _measured("system.cpu.utilization", modes[mode], {"cpu.mode": mode})
    yield _measured("system.cpu.logical.count", day.constant(cores))
    for core in range(cores):
        share = busy * (1 + 0.08 * day.noise.smooth()) + 0.01 * day.noise.rough()
        values = np.clip(_rounded(share * _JIFFIES) / _JIFFIES, 0.0, 1.0)
        yield _measured("system.cpu.logical.utilization", values, {"cpu.logical_number": str(core)})


def disk(day: Day) -> Iterator[Measured]:
    kind = day.machine.kind
    for device in _disks(kind.mounts):
        spent = np.zeros(len(day.times))
        for way, base, size in (("read", kind.reads, 18_000), ("write", kind.writes, 11_000)):
            wanted = base * day.work * (1 + 0.25 * day.noise.rough() + 0.15 * day.noise.smooth())
            operations = _rounded(np.clip(wanted, 0, None) * 10) / 10
            moved = _rounded(operations * size * (1 + 0.1 * day.noise.smooth()) / 512) * 512
            wait = _rounded(0.0006 + 0.0011 * day.busy**2 * (1 + 0.2 * day.noise.smooth()), 5)
            spent += operations * wait * 0.6
            labels = {"system.device": device, "disk.io.direction": way}
            yield _measured("system.disk.io.rate", np.clip(moved, 0, None), labels)
            yield _measured("system.disk.operations.rate", operations, labels)
            yield _measured(
                "system.disk.await", np.where(operations > 0, np.clip(wait, 0, None), np.nan), labels
            )
        yield _measured(
            "system.disk.utilization", _rounded(np.clip(spent, 0, 1), 4), {"system.device": device}
        )


def filesystem(day: Day) -> Iterator[Measured]:
    for mount in sorted(day.machine.kind.mounts, key=lambda mount: mount.point):
        used = _pages(_level(day, mount) * mount.size)
        usable = float(mount.size // 100 * 95 // _PAGE * _PAGE)
        labels = {
            "system.filesystem.mountpoint": mount.point,
            "system.device": mount.device,
            "system.filesystem.type": mount.kind,
        }
        yield _measured("system.filesystem.usage", used, {**labels, "system.filesystem.state": "used"})
        yield _measured(
            "system.filesystem.usage", usable - used, {**labels, "system.filesystem.state": "free"}
        )
        yield _measured("system.filesystem.utilization", used / usable, labels)
        yield _measured("system.filesystem.limit", day.constant(float(mount.size)), labels)


def load(day: Day) -> Iterator[Measured]:
    cores = day.machine.kind.cores
    for span, jitter in (("1m", 0.2), ("5m", 0.08), ("15m", 0.03)):
        running = cores * day.busy * (1.15 + jitter * day.noise.smooth())
        yield _measured(f"system.cpu.load_average.{span}", _rounded(np.clip(running, 0, None), 2))


def memory(day: Day) -> Iterator[Measured]:
    kind = day.machine.kind
    total = float(kind.memory)
    up_days = (day.times - day.story.booted(day.times)) / 86_400_000
    share = kind.used + 0.14 * day.work + 0.006 * np.minimum(up_days, 25) + 0.004 * day.noise.smooth()
    used = _pages(np.clip(share, 0.05, 0.9) * total)
    buffers = _pages(day.constant(0.021) * total)
    cached = _pages((total - used - buffers) * np.clip(0.82 + 0.03 * day.noise.smooth(), 0.4, 0.95))
    free = total - used - buffers - cached
    available = free + _pages(cached * 0.92)
    for state, values in (("used", used), ("free", free), ("cached", cached), ("buffers", buffers)):
        yield _measured("system.memory.usage", values, {"system.memory.state": state})
    yield _measured("system.memory.utilization", 1 - available / total)
    yield _measured("system.memory.limit", day.constant(total))
    yield _measured("system.linux.memory.available", available)
    if kind.swap:
        yield from _swap(day, float(kind.swap))


def _swap(day: Day, total: float) -> Iterator[Measured]:
    used = _pages(np.clip(0.06 + 0.05 * day.story.crowd(day.times) + 0.01 * day.noise.smooth(), 0, 1) * total)
    for state, values in (("used", used), ("free", total - used)):
        yield _measured("system.paging.usage", values, {"system.paging.state": state})
    yield _measured("system.paging.utilization", used / total)
    for way in ("in", "out"):
        pages = _rounded(np.clip(40 * day.story.crowd(day.times) * (1 + day.noise.rough()), 0, None), 1)
        yield _measured("system.paging.operations.rate", pages, {"system.paging.direction": way})


def network(day: Day) -> Iterator[Measured]:
    for way, share, packet in (("receive", 0.24, 420.0), ("transmit", 1.0, 980.0)):
        wanted = day.machine.kind.traffic * share * day.work * (1 + 0.08 * day.noise.rough())
        moved = _rounded(np.clip(wanted * (1 + 0.1 * day.noise.smooth()), 900, None))
        labels = {"network.interface.name": "eth0", "network.io.direction": way}
        yield _measured("system.network.io.rate", moved, labels)
        yield _measured("system.network.packet.rate", _rounded(moved / packet, 1), labels)
        yield _measured("system.network.errors.rate", day.constant(0.0), labels)
        dropped = _rounded(np.clip(day.noise.rough() - 3.2 + day.story.crowd(day.times), 0, None), 1)
        yield _measured("system.network.dropped.rate", dropped, labels)


def pressure(day: Day) -> Iterator[Measured]:
    some = {
        "cpu": np.clip(day.busy - 0.55, 0, None) * 0.7,
        "memory": 0.02 * day.story.crowd(day.times),
        "io": np.clip(0.008 * day.work + 0.004 * day.noise.rough(), 0, None),
    }
    for resource, share in some.items():
        for kind, part in (("some", 1.0), ("full", 0.0 if resource == "cpu" else 0.6)):
            labels = {"resource": resource, "kind": kind}
            yield _measured("system.linux.pressure.share", _rounded(share * part, 4), labels)


def processes(day: Day) -> Iterator[Measured]:
    """Counted once a minute."""
    every = sum(one.count for one in day.machine.kind.processes)
    running = _rounded(1 + day.busy * day.machine.kind.cores)[::6].repeat(6)
    sleeping = 62.0 + every - running
    counts = {"running": running, "sleeping": sleeping, "blocked": _rounded(day.work * 0.4)[::6].repeat(6)}
    for status in ("running", "sleeping", "blocked", "stopped", "defunct"):
        values = counts.get(status, day.constant(0.0))
        yield _measured("system.process.count", values, {"process.status": status})


def agent(day: Day) -> Iterator[Measured]:
    yield _measured("pudim.agent.cpu.utilization", _rounded(np.abs(0.0005 + 0.0002 * day.noise.rough()), 5))
    yield _measured("pudim.agent.memory.usage", _pages(32_700_000 + 90_000 * day.noise.smooth()))
    yield _measured("pudim.agent.sample.duration", _rounded(np.abs(0.0007 + 0.0001 * day.noise.rough()), 6))
    for name in (
        "spool.usage",
        "spool.count",
        "batches.lost",
        "samplers.errors",
        "ticks.missed",
        "clock.jumps",
    ):
        yield _measured(f"pudim.agent.{name}", day.constant(0.0))


def uptime(day: Day) -> Iterator[Measured]:
    yield _measured("system.uptime", (day.times - day.story.booted(day.times)) / 1000.0)


def process(day: Day, one: Process) -> Iterator[Measured]:
    """The frame of the source `process` of one name."""
    memory_used = np.clip(day.machine.kind.used + 0.14 * day.work, 0, 0.9) * day.machine.kind.memory
    share = day.busy * one.cpu * np.clip(1 + 0.1 * day.noise.rough(), 0, None)
    yield _measured("process.cpu.utilization", _rounded(share, 5))
    yield _measured("process.memory.usage", _pages(memory_used * one.memory))
    yield _measured("process.count", day.constant(one.count))
    yield _measured("process.thread.count", day.constant(one.threads))


def _measured(metric: str, values: Column, labels: Mapping[str, str] | None = None) -> Measured:
    return Measured(Series(metric, METRICS[metric].unit, labels_of(labels or {})), values)


def _rounded(values: Column, digits: int = 0) -> Column:
    return values.round(digits)


def _pages(values: Column) -> Column:
    return np.floor(values / _PAGE) * _PAGE


def _disks(mounts: Iterable[Mount]) -> list[str]:
    """Whole disks of partitions such as /dev/vda1, each once."""
    return sorted({mount.device.removeprefix("/dev/").rstrip("0123456789") for mount in mounts})


def _level(day: Day, mount: Mount) -> Column:
    """The used share; logs come and go by the day."""
    fill = day.story.filling(day.times)
    if not mount.cleaned:
        fill = (day.times / 86_400_000 % 365) / 365
    return mount.low + (mount.high - mount.low) * fill + 0.006 * (day.times % 86_400_000) / 86_400_000
