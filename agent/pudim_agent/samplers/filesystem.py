"""Space and inodes of real filesystems, found in /proc/self/mountinfo; one that hangs costs its own values only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import NamedTuple

from pudim_agent.deltas import NAN, ratio
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series
from pudim_agent.text import printable

_LOCAL = frozenset(
    [
        "ext2",
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "zfs",
        "f2fs",
        "bcachefs",
        "jfs",
        "reiserfs",
        "nilfs2",
        "vfat",
        "exfat",
        "ntfs3",
        "hfsplus",
        "ufs",
    ]
)
_NETWORK = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "afs", "9p", "virtiofs", "fuseblk"]
)
_CONTAINER_FILES = frozenset([b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf", b"/dev/termination-log"])
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_PATIENCE = 0.2
_MOST = 64  # filesystems, eight series each; a layout has 2048


@dataclass(frozen=True)
class FilesystemConfig(SamplerConfig):
    network: bool = field(
        default=False, metadata={"help": "Also watch network and FUSE filesystems, each with a time limit."}
    )
    skip: tuple[str, ...] = field(default=(), metadata={"help": "Mount points left out."})


class Mount(NamedTuple):
    point: bytes
    device: bytes
    kind: str
    hangs: bool  # may hang: its server or daemon answers, not the kernel
    readonly: bool


class Found(NamedTuple):
    """What a filesystem said: four values of space, three of inodes if it counts them."""

    space: list[float]
    inodes: list[float]


@samplers.register("filesystem")
class Filesystem:
    Config = FilesystemConfig

    def __init__(self, host: Host, config: FilesystemConfig) -> None:
        self._host, self._config = host, config
        self._text = b""
        self._mounts: tuple[Mount, ...] = ()
        self._series: tuple[Series, ...] = ()
        self._asked: dict[bytes, _Question] = {}
        self._counts_inodes: frozenset[bytes] = frozenset()

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        text = self._host.read("self/mountinfo")
        if text != self._text:
            self._text = text
            self._mounts = tuple(_mounts(text, self._config))
            self._series = ()
        found = {mount: self._look(mount) for mount in self._mounts}
        counting = self._counts_inodes | {mount.point for mount, one in found.items() if one.inodes}
        if not self._series or counting != self._counts_inodes:
            self._counts_inodes = counting
            self._series = self._layout()
        yield Reading(
            self._series, [value for mount, one in found.items() for value in self._values(mount, one)]
        )

    def _layout(self) -> tuple[Series, ...]:
        return tuple(
            one for mount in self._mounts for one in _layout(mount, inodes=mount.point in self._counts_inodes)
        )

    def _values(self, mount: Mount, found: Found) -> list[float]:
        if mount.point not in self._counts_inodes:
            return [float(mount.readonly), *found.space]
        return [float(mount.readonly), *found.space, *(found.inodes or [NAN] * 3)]

    def _look(self, mount: Mount) -> Found:
        try:
            found = self._ask_patiently(mount.point) if mount.hangs else self._ask(mount.point)
        except OSError:
            return Found([NAN] * 4, [])
        return Found(_space(found), _inodes(found))

    def _ask(self, point: bytes) -> os.statvfs_result:
        return self._host.statvfs(os.fsdecode(point))

    def _ask_patiently(self, point: bytes) -> os.statvfs_result:
        """Never more than one thread a mount: while an old question hangs there is no new one."""
        question = self._asked.get(point) or _Question(lambda: self._ask(point))
        self._asked[point] = question
        if not question.done.wait(_PATIENCE):
            raise TimeoutError
        del self._asked[point]
        return question.answer()


class _Question:
    """One statvfs in a daemon thread, which a dead server may keep for ever without holding up our exit."""

    def __init__(self, ask: Callable[[], os.statvfs_result]) -> None:
        self._ask = ask
        self._found: os.statvfs_result | OSError | None = None
        self.done = Event()
        Thread(target=self._run, name="statvfs", daemon=True).start()

    def answer(self) -> os.statvfs_result:
        if isinstance(self._found, os.statvfs_result):
            return self._found
        raise self._found or TimeoutError

    def _run(self) -> None:
        try:
            self._found = self._ask()
        except OSError as error:
            self._found = error
        finally:
            self.done.set()


def _space(found: os.statvfs_result) -> list[float]:
    """Used, free, utilization, limit. Root's reserve counts as neither used nor usable, as in df."""
    block = found.f_frsize
    used, free = (found.f_blocks - found.f_bfree) * block, found.f_bavail * block
    return [float(used), float(free), ratio(used, used + free), float(found.f_blocks * block)]


def _inodes(found: os.statvfs_result) -> list[float]:
    """Used, free, utilization; nothing where inodes are made as needed."""
    if not found.f_files:
        return []
    used, free = found.f_files - found.f_ffree, found.f_favail
    return [float(used), float(free), ratio(used, used + free)]


def _mounts(text: bytes, config: FilesystemConfig) -> Iterable[Mount]:
    """One mount a filesystem: the one nearest to its root, so that bind mounts and subvolumes do not repeat it."""
    nearest: dict[bytes, tuple[tuple[bool, int, int], Mount]] = {}
    for line in text.splitlines():
        number, root, mount = _parse(line)
        if not _wanted(mount, config):
            continue
        rank = (mount.point != b"/", len(root), len(mount.point))
        if number not in nearest or rank < nearest[number][0]:
            nearest[number] = rank, mount
    return sorted(mount for _, mount in nearest.values())[:_MOST]


def _parse(line: bytes) -> tuple[bytes, bytes, Mount]:
    """`36 35 98:0 /root /point rw,noatime shared:1 - ext3 /dev/root rw` (Documentation/filesystems/proc.rst)."""
    place, _, what = line.partition(b" - ")
    _, _, number, root, point, *_ = place.split(b" ")
    kind, device, options, *_ = what.split(b" ")
    name = printable(kind)
    # The superblock's options: they turn when a disk fails, those of the mount only when somebody turns them.
    readonly = b"ro" in options.split(b",")
    return number, root, Mount(_plain(point), _plain(device), name, _is_remote(name), readonly)


def _wanted(mount: Mount, config: FilesystemConfig) -> bool:
    if mount.point in _CONTAINER_FILES or mount.point.decode(errors="replace") in config.skip:
        return False
    return mount.kind in _LOCAL or mount.point == b"/" or (mount.hangs and config.network)


def _is_remote(kind: str) -> bool:
    return kind in _NETWORK or kind.startswith("fuse.")


def _plain(escaped: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), escaped)


def _layout(mount: Mount, *, inodes: bool) -> Iterable[Series]:
    labels = {
        "system.filesystem.mountpoint": printable(mount.point),
        "system.device": printable(mount.device),
        "system.filesystem.type": mount.kind,
    }
    yield series("system.linux.filesystem.readonly", labels)
    for state in ("used", "free"):
        yield series("system.filesystem.usage", {**labels, "system.filesystem.state": state})
    yield series("system.filesystem.utilization", labels)
    yield series("system.filesystem.limit", labels)
    if inodes:
        for state in ("used", "free"):
            yield series("system.filesystem.inodes.usage", {**labels, "system.filesystem.state": state})
        yield series("system.filesystem.inodes.utilization", labels)
