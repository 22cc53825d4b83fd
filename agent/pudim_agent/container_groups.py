"""Containers as the kernel knows them: which control groups are one, and what each of them uses (cgroup v2).

The paths are those of Docker, Podman, containerd and CRI-O, with systemd's or with the cgroupfs driver. Files and
units: Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from math import isnan
from typing import NamedTuple

from pudim_agent.deltas import NAN, increases, rates, ratio
from pudim_agent.samplers import Series, read, series

_NAME = re.compile(r"(?:(docker|libpod|cri-containerd|crio|nerdctl)-)?([0-9a-f]{64})(?:\.scope)?")
_RUNTIMES = {
    "docker": "docker",
    "libpod": "podman",
    "cri-containerd": "containerd",
    "crio": "cri-o",
    "nerdctl": "containerd",
}
_PARENTS = {"docker": "docker", "libpod_parent": "podman", "machine.slice": "podman", "buildkit": "docker"}
_USER = re.compile(r"/user-(\d{1,10})\.slice(?:/|$)")
_MOST_FOLDERS = 4096
_DEEPEST = 10
_NO_CHILDREN = 2  # links of a folder without folders, where the filesystem counts them as cgroupfs does
_DEVICE_COUNTERS = (b"rbytes", b"wbytes", b"rios", b"wios")


class Group(NamedTuple):
    """`inode` tells a container from the same one started again; `owner` is the user whose rootless one it is."""

    id: str
    runtime: str
    path: str
    inode: int
    owner: int | None


def is_v2(root: str) -> bool:
    return os.path.exists(f"{root}/cgroup.controllers")  # noqa: PTH110


def find(root: str) -> list[Group]:
    """The control groups under `root` that are containers. What is inside one is its own business."""
    found: list[Group] = []
    folders = [(root, "", 0)]
    for _ in range(_MOST_FOLDERS):
        if not folders:
            break
        path, parent, depth = folders.pop()
        for entry in sorted(_children(path), key=_name):
            if group := _group(entry, parent, root):
                found.append(group)
            elif depth < _DEEPEST and _stat(entry).st_nlink != _NO_CHILDREN:
                folders.append((entry.path, entry.name, depth + 1))
    return found


def _children(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # it ended meanwhile


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _stat(entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat(follow_symlinks=False)
    except OSError:
        return os.stat_result((0,) * 10)


def _group(entry: os.DirEntry[str], parent: str, root: str) -> Group | None:
    if not (match := _NAME.fullmatch(entry.name)):
        return None
    runtime = _RUNTIMES.get(match[1] or "") or _PARENTS.get(parent) or "unknown"
    owner = _USER.search(entry.path[len(root) :])
    return Group(match[2], runtime, entry.path, _stat(entry).st_ino, int(owner[1]) if owner else None)


class Meter:
    """What one container uses, from look to look."""

    def __init__(self, group: Group, proc: str) -> None:
        self.group = group
        self._proc = proc
        self._before: dict[str, tuple[float, list[float]]] = {}
        self._pid = 0
        self._network = 0
        self._throttling = [NAN, NAN]
        self._parts: list[tuple[str, Callable[[float], list[float]]]] = []
        self.cpu_limit = self.memory_limit = self.cpu = self.memory = NAN

    def look_around(self) -> None:
        """Which figures there are, and the limits: they change seldom, so this is asked seldom."""
        self.cpu_limit, self.memory_limit = self._cpu_max(), self._one("memory.max")
        self._network = self._find_network()
        self._parts = [(name, read_part) for name, read_part in self._every_part() if self._has(name)]

    def _every_part(self) -> Iterator[tuple[str, Callable[[float], list[float]]]]:
        yield "cpu", self._cpu
        yield "cpu limit", self._cpu_of_limit
        yield "memory", self._memory
        yield "memory limit", self._memory_of_limit
        yield "oom", self._oom
        yield "io", self._io
        yield "threads", self._threads
        for resource in ("cpu", "memory", "io"):
            yield f"{resource} pressure", self._pressure(resource)
        yield "network", self._traffic

    def _has(self, part: str) -> bool:
        if part == "network":
            return self._network != 0
        if part.endswith(" limit"):
            return not isnan(self.cpu_limit if part == "cpu limit" else self.memory_limit)
        return os.access(f"{self.group.path}/{_FILES[part]}", os.R_OK)

    def read(self, now: float) -> list[float]:
        """Values in the order of `series`. Raises OSError when the container is gone."""
        os.stat(self.group.path)  # noqa: PTH116
        return [value for _, read_part in self._parts for value in read_part(now)]

    @property
    def series(self) -> tuple[Series, ...]:
        return layout(tuple(name for name, _ in self._parts))

    def _cpu(self, now: float) -> list[float]:
        found = _pairs(self._read("cpu.stat"))
        used = self._rates("cpu", [found.get(b"usage_usec", NAN)], now)[0] / 1e6
        self._throttling = [found.get(b"nr_periods", 0.0), found.get(b"nr_throttled", 0.0)]
        self.cpu = used
        return [used]

    def _cpu_of_limit(self, now: float) -> list[float]:
        periods, throttled = self._gained("throttling", self._throttling, now)
        return [self.cpu_limit, ratio(self.cpu, self.cpu_limit), ratio(throttled, periods)]

    def _memory(self, _now: float) -> list[float]:
        current = self._one("memory.current")
        found = _pairs(self._read("memory.stat"))
        self.memory = max(0.0, current - found.get(b"inactive_file", 0.0)) if not isnan(current) else NAN
        return [current, self.memory, found.get(b"anon", NAN)]

    def _memory_of_limit(self, _now: float) -> list[float]:
        return [self.memory_limit, ratio(self.memory, self.memory_limit)]

    def _oom(self, now: float) -> list[float]:
        return self._rates("oom", [_pairs(self._read("memory.events")).get(b"oom_kill", NAN)], now)

    def _io(self, now: float) -> list[float]:
        return self._rates("io", _summed(self._read("io.stat")), now)

    def _threads(self, _now: float) -> list[float]:
        return [self._one("pids.current")]

    def _pressure(self, resource: str) -> Callable[[float], list[float]]:
        def look(_now: float) -> list[float]:
            return _averages(self._read(f"{resource}.pressure"))

        return look

    def _traffic(self, now: float) -> list[float]:
        path = f"{self._proc}/{self._pid}/net/dev"
        try:
            # The number may be another process' by now, of another network.
            text = read(path) if os.stat(path).st_ino == self._network else b""  # noqa: PTH116
        except OSError:
            text = b""
        return self._rates("network", _received_and_sent(text), now)

    def _find_network(self) -> int:
        """The inode of the file that counts its traffic; 0 when it cannot be read, or is the host's own."""
        try:
            self._pid = _first_process(self.group.path)
            found = os.stat(f"{self._proc}/{self._pid}/net/dev").st_ino  # noqa: PTH116
            return 0 if found == os.stat(f"{self._proc}/self/net/dev").st_ino else found  # noqa: PTH116
        except (OSError, ValueError):
            return 0

    def _cpu_max(self) -> float:
        """`max 100000` or `50000 100000`: time in each period, of all cores together."""
        quota, _, period = self._read("cpu.max").partition(b" ")
        return ratio(_number(quota), _number(period.strip()))

    def _one(self, name: str) -> float:
        return _number(self._read(name).strip())

    def _read(self, name: str) -> bytes:
        try:
            return read(f"{self.group.path}/{name}")
        except OSError:
            return b""

    def _rates(self, name: str, after: list[float], now: float) -> list[float]:
        since, before = self._before.get(name, (now, None))
        self._before[name] = now, after
        return rates(before, after, now - since)

    def _gained(self, name: str, after: list[float], now: float) -> list[float]:
        _, before = self._before.get(name, (now, None))
        self._before[name] = now, after
        return increases(before, after)


_FILES = {
    "cpu": "cpu.stat", "memory": "memory.current", "oom": "memory.events", "io": "io.stat", "threads": "pids.current",
    **{f"{resource} pressure": f"{resource}.pressure" for resource in ("cpu", "memory", "io")},
}  # fmt: skip


def _of_way(metric: str, key: str, ways: Iterable[str]) -> tuple[Series, ...]:
    return tuple(series(metric, {key: way}) for way in ways)


def _of_pressure(resource: str) -> tuple[Series, ...]:
    return tuple(
        series("container.pressure.share", {"resource": resource, "kind": kind}) for kind in ("some", "full")
    )


_SERIES: dict[str, tuple[Series, ...]] = {
    "cpu": (series("container.cpu.usage"),),
    "cpu limit": tuple(
        series(f"container.cpu.{name}") for name in ("limit", "utilization", "throttled.share")
    ),
    "memory": tuple(series(f"container.memory.{name}") for name in ("usage", "working_set", "rss")),
    "memory limit": (series("container.memory.limit"), series("container.memory.utilization")),
    "oom": (series("container.memory.oom_kill.rate"),),
    "io": (
        *_of_way("container.disk.io.rate", "disk.io.direction", ("read", "write")),
        *_of_way("container.disk.operations.rate", "disk.io.direction", ("read", "write")),
    ),
    "threads": (series("container.thread.count"),),
    **{f"{resource} pressure": _of_pressure(resource) for resource in ("cpu", "memory", "io")},
    "network": _of_way("container.network.io.rate", "network.io.direction", ("receive", "transmit")),
}


@lru_cache(maxsize=64)
def layout(parts: tuple[str, ...]) -> tuple[Series, ...]:
    """One object for each set of parts, which nearly all containers of a host share."""
    return tuple(one for part in parts for one in _SERIES[part])


def _number(text: bytes) -> float:
    """NaN for `max` and for what is no number."""
    return float(text) if text.isdigit() else NAN


def _pairs(text: bytes) -> dict[bytes, float]:
    """Lines of `name number`."""
    words = text.split()
    return {name: _number(value) for name, value in zip(words[::2], words[1::2], strict=False)}


def _summed(text: bytes) -> list[float]:
    """Lines of `8:0 rbytes=1 wbytes=2 ...`, one a device. None yet is zero: nothing was read."""
    totals = dict.fromkeys(_DEVICE_COUNTERS, 0.0)
    for word in text.split():
        name, equals, value = word.partition(b"=")
        if equals and name in totals:
            totals[name] += _number(value)
    return list(totals.values())


def _averages(text: bytes) -> list[float]:
    """`some avg10=1.53 ...` and `full avg10=...`, in percent."""
    found = {b"some": NAN, b"full": NAN}
    for line in text.splitlines():
        kind, _, rest = line.partition(b" avg10=")
        if kind in found:
            found[kind] = _percent(rest.partition(b" ")[0])
    return list(found.values())


def _percent(text: bytes) -> float:
    try:
        return float(text) / 100
    except ValueError:
        return NAN


def _received_and_sent(text: bytes) -> list[float]:
    """Bytes of all interfaces but the loopback; columns as in /proc/net/dev. Unknown without any text."""
    received = sent = 0.0 if text else NAN
    for line in text.splitlines()[2:]:
        name, colon, rest = line.partition(b":")
        columns = rest.split()
        if colon and name.strip() != b"lo" and len(columns) > 8:  # noqa: PLR2004
            received += _number(columns[0])
            sent += _number(columns[8])
    return [received, sent]


def _first_process(path: str, depth: int = 3) -> int:
    """A process of the group, or of one inside: a group with children has none of its own. Raises OSError, ValueError."""
    text = read(f"{path}/cgroup.procs")
    if text or not depth:
        return int(text.split(b"\n", 1)[0])
    for child in sorted(_children(path), key=_name):
        with suppress(OSError, ValueError):
            return _first_process(child.path, depth - 1)
    raise ValueError("no process")
