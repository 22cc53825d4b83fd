"""The bounded queue between sampling and the collector: a batch stays until the collector has it on disk.

Each append is one write and one fdatasync. Segments are dropped as a whole, the oldest first. Acknowledgements
are noted without a sync: repeating a batch after a crash is harmless, for the collector knows what it has.
While the disk takes nothing (full, read-only) the queue goes on in memory, smaller, and tries the disk again.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
from collections import deque
from collections.abc import Container, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from pudim.vocabulary.errors import PudimError
from pudim.wire.batches import BOOT_BYTES, block, encode_blocks
from pudim.wire.layouts import Source
from pudim_agent.assembly import Frame
from pudim_agent.records import DamagedRecord, Stored
from pudim_agent.segments import FileMedium, MemoryMedium, Segment

_log = logging.getLogger(__name__)
_SEGMENT_BYTES = 1 << 20
_MEMORY_BYTES = 1 << 21
_MEMORY_SEGMENT_BYTES = 1 << 16
_SUFFIX = ".spool"
_ACKED = struct.Struct("<16sQI")


class SpoolInUse(PudimError):
    """Another agent runs on the same state directory."""

    code = "spool_in_use"
    hint = "Stop the other agent, or give this one its own --state-dir."


class Limits(NamedTuple):
    max_bytes: int = 64 << 20
    max_age_ms: int = 72 * 3_600_000


class Entry(NamedTuple):
    """A batch to send. `skipped` sequence numbers directly before it will never come."""

    boot_id: bytes
    seq: int
    skipped: int
    sources: tuple[bytes, ...]
    blocks: bytes
    segment: Segment

    def declarations(self, known: Container[bytes]) -> list[Source]:
        """The sources that are not among `known`. Raises OSError or DamagedRecord."""
        return [self.segment.source(one) for one in self.sources if one not in known]


class Spool:
    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        """Raises SpoolInUse."""
        self._directory = directory
        self._limits = limits or Limits()
        self._segment_bytes = min(_SEGMENT_BYTES, self._limits.max_bytes // 16)
        self._segments: deque[Segment] = deque()
        self._active: Segment | None = None
        self._next_file = 1
        self._floors: dict[bytes, int] = {}
        self._refused: set[tuple[bytes, int]] = set()
        self._passed: dict[bytes, int] = {}
        self._cursor: tuple[Segment, int] | None = None
        self._on_disk = True
        self.lost = 0
        self.torn_bytes = 0
        self._lock = self._claim()
        self.new_boot()
        self._load()

    # Writing

    def new_boot(self) -> None:
        """Sequence numbers and times start over."""
        self._seal()
        self.boot_id = os.urandom(BOOT_BYTES)
        self._seq = 0
        self._floors[self.boot_id] = 0

    def append(self, frames: Sequence[Frame], time_ms: int) -> int:
        """Queue one tick's frames as one batch and return its sequence number. Never raises OSError."""
        self._seq += 1
        blocks = encode_blocks([block(one.source.hash, [time_ms], [one.values]) for one in frames])
        sources = [one.source for one in frames]
        stored = Stored(self._seq, time_ms, tuple(one.hash for one in sources), blocks)
        self._expire(time_ms)
        if not self._try(stored, sources):
            # Not in another file: a nearly full disk takes each file's first bytes and then no batch.
            self._begin(Segment.create(MemoryMedium(), self.boot_id))
            self._try(stored, sources)
        self._shrink()
        return self._seq

    def _try(self, stored: Stored, sources: Sequence[Source]) -> bool:
        segment = self._writable()
        try:
            segment.append(stored, sources)
        except OSError as error:
            self._fell_back(error)
            if not segment.last:
                self._drop(segment)
            return False
        return True

    def _writable(self) -> Segment:
        active = self._active
        if active is not None:
            full = _MEMORY_SEGMENT_BYTES if active.in_memory else self._segment_bytes
            if active.size < full:
                return active
        return self._begin(self._fresh_segment())

    def _begin(self, segment: Segment) -> Segment:
        self._seal()
        self._active = segment
        self._segments.append(segment)
        return segment

    def _fresh_segment(self) -> Segment:
        if self._lock is not None:
            path = self._directory / f"{self._next_file:012d}{_SUFFIX}"
            self._next_file += 1
            try:
                segment = Segment.create(FileMedium.create(path), self.boot_id)
            except OSError as error:
                self._fell_back(error)
            else:
                self._recovered()
                return segment
        return Segment.create(MemoryMedium(), self.boot_id)

    def _fell_back(self, error: OSError) -> None:
        if self._on_disk:
            self._on_disk = False
            _log.warning("the spool's disk takes nothing (%s); the queue goes on in memory", error)

    def _recovered(self) -> None:
        if not self._on_disk:
            self._on_disk = True
            _log.info("the spool is on disk again")

    def _seal(self) -> None:
        if self._active is not None:
            self._active.close()
            self._active = None

    # Reading

    def rewind(self) -> None:
        """Start again at the oldest batch without acknowledgement."""
        self._cursor = None
        self._passed.clear()

    def read(self) -> Entry | None:
        """The next batch in order, None when there is no further one now."""
        while (place := self._place()) is not None:
            segment, offset = place
            stored, end = self._read_from(segment, offset)
            self._cursor = segment, end
            if stored is None:
                if segment is self._segments[-1]:
                    return None
                segment.close()
                self._cursor = self._segments[self._segments.index(segment) + 1], 0
            elif (entry := self._entry(segment, stored)) is not None:
                return entry
        return None

    def _place(self) -> tuple[Segment, int] | None:
        if self._cursor is not None and self._cursor[0] in self._segments:
            return self._cursor
        return (self._segments[0], 0) if self._segments else None

    def _read_from(self, segment: Segment, offset: int) -> tuple[Stored | None, int]:
        try:
            return segment.read(offset)
        except (OSError, DamagedRecord) as error:
            if segment is self._active:
                self._seal()
            before = self._pending(segment)
            segment.end_at(offset, max(segment.first - 1, self._passed.get(segment.boot_id, 0)))
            self.lost += before - self._pending(segment)
            _log.warning("the spool is damaged (%s); %d batches are lost", error, self.lost)
            return None, offset

    def _entry(self, segment: Segment, stored: Stored) -> Entry | None:
        boot, seq = segment.boot_id, stored.seq
        if seq <= self._floors.get(boot, 0) or (boot, seq) in self._refused:
            return None
        before = max(self._floors.get(boot, -1), self._passed.get(boot, -1))
        self._passed[boot] = seq
        skipped = seq - before - 1 if before >= 0 else 0
        return Entry(boot, seq, skipped, stored.sources, stored.blocks, segment)

    # What the collector says

    def acknowledge(self, boot_id: bytes, seq: int) -> None:
        """Everything of this boot up to `seq` is on the collector's disk."""
        newest = self._newest(boot_id)
        if newest:
            self._floors[boot_id] = max(self._floors.get(boot_id, 0), min(seq, newest))
            self._refused = {
                one for one in self._refused if one[0] != boot_id or one[1] > self._floors[boot_id]
            }
            self._note_acknowledged(boot_id)
            self._release()

    def expect(self, boot_id: bytes, seq: int) -> None:
        """The collector waits for `seq` of this boot, which may be gone here: then it counts as skipped."""
        newest = self._newest(boot_id)
        if newest:
            self._floors[boot_id] = max(0, min(seq - 1, newest))
            self._release()

    def give_up(self, boot_id: bytes, seq: int) -> None:
        """The collector will never take this batch."""
        known = self._floors.get(boot_id, 0) < seq <= self._newest(boot_id)
        if known and (boot_id, seq) not in self._refused:
            self._refused.add((boot_id, seq))
            self.lost += 1
            self._release()

    def _newest(self, boot_id: bytes) -> int:
        return max((one.last for one in self._segments if one.boot_id == boot_id), default=0)

    def _note_acknowledged(self, boot_id: bytes) -> None:
        if self._lock is not None:
            body = boot_id + self._floors[boot_id].to_bytes(8, "little")
            with contextlib.suppress(OSError):
                os.pwrite(self._lock, body + crc32(body).to_bytes(4, "little"), 0)

    # Bounds

    @property
    def bytes(self) -> int:
        return sum(one.size for one in self._segments)

    @property
    def batches(self) -> int:
        """Batches that wait for the collector."""
        return sum(map(self._pending, self._segments))

    def _pending(self, segment: Segment) -> int:
        boot, floor = segment.boot_id, self._floors.get(segment.boot_id, 0)
        first = max(segment.first, floor + 1)
        refused = sum(1 for one, seq in self._refused if one == boot and first <= seq <= segment.last)
        return max(0, segment.last - first + 1) - refused if segment.last else 0

    def _expire(self, now_ms: int) -> None:
        oldest = now_ms - self._limits.max_age_ms
        while self._segments and self._segments[0].newest_ms < oldest:
            self._drop_oldest()

    def _shrink(self) -> None:
        while self.bytes > self._limits.max_bytes and len(self._segments) > 1:
            self._drop_oldest()
        while sum(one.size for one in self._segments if one.in_memory) > _MEMORY_BYTES:
            self._drop(next(one for one in self._segments if one.in_memory))

    def _release(self) -> None:
        while (
            self._segments and self._segments[0] is not self._active and not self._pending(self._segments[0])
        ):
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        self._drop(self._segments[0])

    def _drop(self, segment: Segment) -> None:
        self.lost += self._pending(segment)
        self._segments.remove(segment)
        if segment is self._active:
            self._seal()
        try:
            segment.delete()
        except OSError as error:
            self._fell_back(error)
        boot = segment.boot_id
        self._refused = {one for one in self._refused if one[0] != boot or one[1] > segment.last}
        if boot != self.boot_id and not self._newest(boot):
            self._floors.pop(boot, None)
            self._passed.pop(boot, None)

    # Opening and closing

    def _claim(self) -> int | None:
        """The file that says this directory is ours and what was acknowledged; None if it cannot be written."""
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._directory / "acked", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._fell_back(error)
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise SpoolInUse(f"{self._directory} is in use") from error
        return handle

    def _load(self) -> None:
        for path in self._files():
            try:
                segment, torn = Segment.open(path)
            except OSError as error:
                _log.warning("cannot read %s: %s", path.name, error)
                continue
            if torn:
                self.torn_bytes += torn
                self.lost += 1
                _log.warning("%s ended in %d bytes of an unfinished batch", path.name, torn)
            if segment is not None and segment.last:
                self._segments.append(segment)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
            self._next_file = int(path.stem) + 1
        self._load_acknowledged()

    def _files(self) -> list[Path]:
        try:
            return sorted(
                one for one in self._directory.iterdir() if one.suffix == _SUFFIX and one.stem.isdigit()
            )
        except OSError:
            return []

    def _load_acknowledged(self) -> None:
        if self._lock is None:
            return
        content = os.pread(self._lock, _ACKED.size, 0)
        if len(content) == _ACKED.size and crc32(content[:-4]) == int.from_bytes(content[-4:], "little"):
            boot_id, seq, _ = _ACKED.unpack(content)
            if newest := self._newest(boot_id):
                self._floors[boot_id] = min(seq, newest)
                self._release()

    def close(self) -> None:
        for segment in self._segments:
            segment.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
