"""The busiest and the largest processes by executable name.

Reading every process is the dearest thing an agent does, so all are read once a minute only; in between just
those of the names that led then, which costs a tenth. No tick reads more than a fixed number of them: on a host
with thousands a walk takes several ticks, and a crowd of one name is read in turns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import nlargest
from math import isnan
from typing import Any, NamedTuple

from pudim_agent.deltas import NAN
from pudim_agent.process_details import ProcessDetails
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, read, samplers, series
from pudim_agent.text import printable

_GROUP = tuple(
    series(metric)
    for metric in ("process.cpu.utilization", "process.memory.usage", "process.count", "process.thread.count")
)
_STATES = {"R": "running", "S": "sleeping", "I": "sleeping", "D": "blocked", "T": "stopped", "t": "stopped"}
_STATUSES = ("running", "sleeping", "blocked", "stopped", "defunct")
_COUNTS = tuple(series("system.process.count", {"process.status": status}) for status in _STATUSES)
_KERNEL_THREAD = 0x00200000
_KERNEL, _OTHER = "[kernel]", "[other]"
_NAMES_A_BOOT = 512  # a program that renames itself for ever must not make a source for each name
_READS_A_TICK = 1000  # 15 to 25 ms
_TELL_SECONDS = 30.0
_WATCHED_MS = 1000  # ticks this close together are for somebody who looks
_PAGE = os.sysconf("SC_PAGESIZE")
_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessConfig(SamplerConfig):
    top: int = field(
        default=10,
        metadata={"help": "How many names, and processes, by CPU and by memory.", "low": 1, "high": 50},
    )
    walk_seconds: float = field(
        default=60.0, metadata={"help": "Time between looks at every process.", "low": 1.0, "high": 3600.0}
    )
    command_lines: bool = field(
        default=True, metadata={"help": "Tell the command lines of the leading processes, without secrets."}
    )


class Process(NamedTuple):
    """One look at one process. `cpu` is in cores since the look before, NaN at the first."""

    name: str
    state: str
    ticks: int
    threads: int
    started: int
    memory: int
    at: float
    cpu: float = NAN


@dataclass
class _Walk:
    """A look at every process that was there when it began."""

    begun: float
    left: list[int]
    found: dict[int, Process] = field(default_factory=dict)

    def take(self, most: int) -> list[int]:
        taken, self.left = self.left[:most], self.left[most:]
        return taken


@samplers.register("process")
class Processes:
    Config = ProcessConfig

    def __init__(self, host: Host, config: ProcessConfig) -> None:
        self._host, self._config = host, config
        self._cores = os.cpu_count() or 1
        self._details = ProcessDetails(host.proc, command_lines=config.command_lines)
        self._seen: dict[int, Process] = {}
        self._groups: dict[str, list[int]] = {}
        self._counts: list[float] = []
        self._walk: _Walk | None = None
        self._walked: float | None = None
        self._walk_due = 0.0
        self._turn = 0
        self._tell_due = 0.0
        self._before_ms = 0
        self._labels: dict[str, tuple[tuple[str, str], ...]] = {}

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if self._walk is None and (self._walked is None or tick.monotonic >= self._walk_due):
            self._begin_walk(tick.monotonic)
        self._refresh(tick.monotonic)
        if self._walk is not None:
            self._go_on(self._walk, tick.monotonic)
        self._tell(tick)
        if self._counts:
            yield Reading(_COUNTS, self._counts)
        for name, pids in self._groups.items():
            yield Reading(_GROUP, self._sum(pids), "process", self._label(name))

    def _begin_walk(self, now: float) -> None:
        every = [int(entry) for entry in os.listdir(self._host.proc) if entry.isdigit()]  # noqa: PTH208
        self._walk = _Walk(now, every)

    def _go_on(self, walk: _Walk, now: float) -> None:
        walk.found.update(self._look(walk.take(_READS_A_TICK), now))
        if not walk.left:
            self._walk = None
            self._end_walk(walk)

    def _end_walk(self, walk: _Walk) -> None:
        # The first walk knows no CPU use to rank by, so the next tick walks again.
        self._walk_due = walk.begun if self._walked is None else walk.begun + self._config.walk_seconds
        self._walked = walk.begun
        self._seen = {pid: _newer(found, self._seen.get(pid)) for pid, found in walk.found.items()}
        groups = self._by_name()
        self._groups = {name: groups[name] for name in _leaders(groups, self._seen, self._config.top)}
        self._counts = _count(self._seen.values())
        self._details.look_again()

    def _refresh(self, now: float) -> None:
        pids = [pid for group in self._groups.values() for pid in group]
        if len(pids) > _READS_A_TICK:
            start = self._turn % len(pids)
            pids = (pids[start:] + pids[:start])[:_READS_A_TICK]
            self._turn = start + _READS_A_TICK
        fresh = self._look(pids, now)
        for pid in pids:
            before = self._seen.pop(pid, None)
            if (found := fresh.get(pid)) and before and found.started == before.started:
                self._seen[pid] = found
        self._groups = {
            name: [pid for pid in group if pid in self._seen] for name, group in self._groups.items()
        }

    def _tell(self, tick: Tick) -> None:
        watched = 0 < tick.time_ms - self._before_ms <= _WATCHED_MS
        self._before_ms = tick.time_ms
        if self._walked is None or (tick.monotonic < self._tell_due and not watched):
            return
        self._tell_due = tick.monotonic + _TELL_SECONDS
        top = self._config.top
        busy = nlargest(top, (pid for pid, one in self._seen.items() if one.cpu > 0), self._cpu)
        large = nlargest(top, (pid for pid, one in self._seen.items() if one.memory > 0), self._memory)
        told = {pid: one for pid in {*busy, *large} if (one := self._told(pid, tick.monotonic))}
        document = {
            "cpu": [told[pid] for pid in busy if pid in told],
            "memory": [told[pid] for pid in large if pid in told],
        }
        self._host.notices.tell("processes", tick.time_ms, document)

    def _cpu(self, pid: int) -> float:
        return self._seen[pid].cpu

    def _memory(self, pid: int) -> int:
        return self._seen[pid].memory

    def _told(self, pid: int, now: float) -> dict[str, Any] | None:
        """None when it is another process by now, or none."""
        seen = self._seen[pid]
        found = seen if seen.at == now else self._look([pid], now).get(pid)
        if found is None or found.started != seen.started:
            return None
        try:
            details = self._details.of(pid, found.started, found.name)
        except OSError:
            return None
        return {
            "pid": pid,
            "name": found.name,
            "command": details.command,
            "user": details.user,
            "cpu": None if isnan(found.cpu) else round(found.cpu, 4),
            "memory": found.memory,
            "threads": found.threads,
            "started": self._details.started_ms(found.started),
        }

    def _look(self, pids: Iterable[int], now: float) -> dict[int, Process]:
        found: dict[int, Process] = {}
        for pid in pids:
            with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
                found[pid] = self._with_cpu(pid, _parse(read(f"{self._host.proc}/{pid}/stat"), now))
        return found

    def _with_cpu(self, pid: int, found: Process) -> Process:
        before = self._seen.get(pid)
        if before and before.started == found.started:
            ticks, since = found.ticks - before.ticks, before.at
        elif self._walked is not None:
            ticks, since = found.ticks, self._walked  # born after the last walk
        else:
            return found
        return found._replace(cpu=ticks / _HERTZ / (found.at - since)) if found.at > since else found

    def _by_name(self) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for pid, process in self._seen.items():
            groups.setdefault(process.name, []).append(pid)
        return groups

    def _sum(self, pids: list[int]) -> list[float]:
        found = [self._seen[pid] for pid in pids]
        known = [one.cpu for one in found if not isnan(one.cpu)]
        cpu = NAN if found and not known else sum(known) / self._cores
        return [
            cpu,
            float(sum(one.memory for one in found)),
            float(len(found)),
            float(sum(one.threads for one in found)),
        ]

    def _label(self, name: str) -> tuple[tuple[str, str], ...]:
        if name not in self._labels and len(self._labels) >= _NAMES_A_BOOT:
            name = _OTHER
        return self._labels.setdefault(name, (("process.executable.name", name),))


def _newer(found: Process, seen: Process | None) -> Process:
    """Leaders are looked at in every tick of a walk too, and a second look at one moment knows no CPU use."""
    return seen if seen and seen.started == found.started and seen.at >= found.at else found


def _leaders(groups: Mapping[str, list[int]], seen: Mapping[int, Process], top: int) -> list[str]:
    """The `top` names by CPU and the `top` by memory, in the order of the alphabet."""
    memory = {name: sum(seen[pid].memory for pid in pids) for name, pids in groups.items()}
    cpu = {name: sum(seen[pid].cpu for pid in pids if seen[pid].cpu > 0) for name, pids in groups.items()}
    busy = [name for name in sorted(groups, key=cpu.__getitem__, reverse=True)[:top] if cpu[name] > 0]
    large = [name for name in sorted(groups, key=memory.__getitem__, reverse=True)[:top] if memory[name] > 0]
    return sorted({*busy, *large})


def _count(found: Iterable[Process]) -> list[float]:
    counts = dict.fromkeys(_STATUSES, 0.0)
    for process in found:
        counts[_STATES.get(process.state, "defunct")] += 1
    return list(counts.values())


def _parse(text: bytes, now: float) -> Process:
    """`pid (name) state ...`, proc_pid_stat(5). The name may hold anything, brackets and line ends included."""
    opening, closing = text.index(b"("), text.rindex(b")")
    fields = text[closing + 2 :].split(b" ", 22)
    name = _KERNEL if int(fields[6]) & _KERNEL_THREAD else printable(text[opening + 1 : closing])
    return Process(
        name=name,
        state=fields[0].decode(),
        ticks=int(fields[11]) + int(fields[12]),
        threads=int(fields[17]),
        started=int(fields[19]),
        memory=int(fields[21]) * _PAGE,
        at=now,
    )
