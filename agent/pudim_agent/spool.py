"""The bounded queue between sampling and the collector: a batch stays until the collector has it on disk.

Each append is one write and one fdatasync. When the queue is full, the oldest segments are thinned out to one frame
a minute, and when that is not enough, dropped as a whole. Acknowledgements are noted without a sync: repeating a
batch after a crash is harmless, for the collector knows what it has. While the disk takes nothing (full, read-only)
the queue goes on in memory, smaller, and tries the disk again. Age is measured by the steady clock.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import struct
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from pudim.vocabulary.errors import PudimError
from pudim.wire.batches import BOOT_BYTES, block, encode_blocks
from pudim.wire.layouts import Source
from pudim_agent.assembly import Frame
from pudim_agent.clock import Clock, SystemClock, host_boot
from pudim_agent.records import Birth, DamagedRecord, Stored
from pudim_agent.segments import SEGMENT_BYTES, SUCCESSOR, FileMedium, MemoryMedium, Segment
from pudim_agent.thinning import thinned

_log = logging.getLogger(__name__)
_MOST_SEGMENTS = 1024
"""A clock that goes back again and again begins a boot, and so a segment, each time."""
_SPANS = 16
"""A segment is closed when it is this part of the longest age old, so that what is too old can go in pieces."""
_MEMORY_BYTES = 1 << 21
_MEMORY_SEGMENT_BYTES = 1 << 16
_SUFFIX = ".spool"
_LONGEST_NUMBER = 18
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
    """`lost` counts batches that the collector will never see, `thinned` those that others now stand for."""

    def __init__(
        self, directory: Path, limits: Limits | None = None, *, clock: Clock | None = None, boot: bytes = b""
    ) -> None:
        """`boot` names this run of the host, as clock.host_boot does. Raises SpoolInUse."""
        self._directory = directory
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._host_boot = boot or host_boot()
        self._segment_bytes = min(SEGMENT_BYTES, self._limits.max_bytes // 16)
        self._segments: deque[Segment] = deque()
        self._active: Segment | None = None
        self._next_file = 1
        self._floors: dict[bytes, int] = {}
        self._refused: set[tuple[bytes, int]] = set()
        self._passed: dict[bytes, int] = {}
        self._read_up_to: dict[bytes, int] = {}
        self._cursor: tuple[Segment, int] | None = None
        self._on_disk = True
        self._is_thinning = False
        self.lost = self.thinned = 0
        self.torn_bytes = 0
        self._lock = self._claim()
        self.new_boot()
        self._load()

    # Writing

    def new_boot(self) -> None:
        """Sequence numbers and times start over."""
        self._seal()
        before = getattr(self, "boot_id", b"")
        self.boot_id = os.urandom(BOOT_BYTES)
        self._forget(before)
        self._seq = 0
        self._floors[self.boot_id] = 0

    def append(self, frames: Sequence[Frame], time_ms: int) -> int:
        """Queue one tick's frames as one batch and return its sequence number. Never raises OSError."""
        self._seq += 1
        blocks = encode_blocks([block(one.source.hash, [time_ms], [one.values]) for one in frames])
        sources = [one.source for one in frames]
        stored = Stored(self._seq, time_ms, tuple(one.hash for one in sources), blocks)
        self._expire()
        if not self._try(stored, sources):
            # Not in another file: a nearly full disk takes each file's first bytes and then no batch.
            self._begin(self._memory_segment())
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
            if active.size < full and self._age(active) < self._limits.max_age_ms / _SPANS:
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
                segment = Segment.create(FileMedium.create(path), self.boot_id, self._birth())
            except OSError as error:
                self._fell_back(error)
            else:
                self._recovered()
                return segment
        return self._memory_segment()

    def _memory_segment(self) -> Segment:
        return Segment.create(MemoryMedium(), self.boot_id, self._birth())

    def _birth(self) -> Birth:
        return Birth(self._host_boot, self._clock.now().steady)

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
        before = max(self._floors.get(boot, -1), self._passed.get(boot, -1))
        if seq <= before or (boot, seq) in self._refused:
            return None
        self._read_up_to[boot] = max(seq, self._read_up_to.get(boot, 0))
        if 0 < stored.since <= before:
            # The collector has a part of what was thinned out here: with the rest it would have that part twice.
            self.give_up(boot, seq)
            return None
        self._passed[boot] = seq
        skipped = seq - (before + 1 if before >= 0 else stored.since or seq)
        return Entry(boot, seq, skipped, stored.sources, stored.blocks, segment)

    # What the collector says

    def acknowledge(self, boot_id: bytes, seq: int) -> bool:
        """Everything of this boot up to `seq` is on the collector's disk. Whether that was news.

        Here as in the next two, what was never read is left alone, whatever a collector says.
        """
        before, known = self._floors.get(boot_id, 0), min(seq, self._read_up_to.get(boot_id, 0))
        if known <= before:
            return False
        self._floors[boot_id] = known
        self._refused = {one for one in self._refused if one[0] != boot_id or one[1] > known}
        self._note_acknowledged(boot_id)
        self._release()
        return True

    def expect(self, boot_id: bytes, seq: int) -> None:
        """The collector waits for `seq` of this boot, which may be gone here: then it counts as skipped."""
        if read := self._read_up_to.get(boot_id):
            self._floors[boot_id] = max(0, min(seq - 1, read))
            self._release()

    def give_up(self, boot_id: bytes, seq: int) -> None:
        """The collector will never take this batch."""
        known = self._floors.get(boot_id, 0) < seq <= self._read_up_to.get(boot_id, 0)
        if known and (boot_id, seq) not in self._refused and self._holds(boot_id, seq):
            self._refused.add((boot_id, seq))
            self.lost += 1
            self._release()

    def _holds(self, boot_id: bytes, seq: int) -> bool:
        return any(
            one.boot_id == boot_id and one.first <= seq <= one.last and one.after(seq - 1) > one.after(seq)
            for one in self._segments
        )

    def _newest(self, boot_id: bytes) -> int:
        return max((one.last for one in self._segments if one.boot_id == boot_id), default=0)

    def _forget(self, boot_id: bytes) -> None:
        """A boot of which nothing is left."""
        if boot_id != self.boot_id and not self._newest(boot_id):
            for known in (self._floors, self._passed, self._read_up_to):
                known.pop(boot_id, None)

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
        refused = sum(
            1
            for one, seq in self._refused
            if one == boot and seq > floor and segment.first <= seq <= segment.last
        )
        return max(0, segment.after(floor) - refused)

    def _age(self, segment: Segment) -> float:
        """Milliseconds since it was begun, by the steady clock."""
        return (self._clock.now().steady - segment.birth.steady) * 1000

    def _expire(self) -> None:
        """A segment is too old as a whole when the one after it is."""
        while len(self._segments) > 1 and self._age(self._segments[1]) > self._limits.max_age_ms:
            self._drop_oldest()

    def _shrink(self) -> None:
        while len(self._segments) > 1 and self.bytes > self._limits.max_bytes:
            if not self._thin(self._segments):
                self._drop_oldest()
        while sum(one.size for one in self._in_memory()) > _MEMORY_BYTES:
            if not self._thin(self._in_memory()):
                self._drop(self._in_memory()[0])
        while len(self._segments) > _MOST_SEGMENTS:
            self._drop_oldest()

    def _in_memory(self) -> list[Segment]:
        return [one for one in self._segments if one.in_memory]

    def _thin(self, among: Iterable[Segment]) -> bool:
        """Make the oldest that can be smaller; False if there is none."""
        return any(self._thin_out(one) for one in list(among) if self._may_be_thinned(one))

    def _may_be_thinned(self, segment: Segment) -> bool:
        """What was sent is left as it is: the collector may have it, though it could not say so."""
        unread = segment.first > self._read_up_to.get(segment.boot_id, 0)
        return unread and not segment.is_final and segment is not self._active

    def _thin_out(self, segment: Segment) -> bool:
        before = self._pending(segment)
        try:
            made = segment.replaced_by(thinned(self._unsent(segment)))
        except OSError:
            return False
        except DamagedRecord:
            made = None
        if made is None:
            segment.is_final = True
            return False
        self._segments[self._segments.index(segment)] = made
        self.thinned += before - self._pending(made)
        if not self._is_thinning:
            self._is_thinning = True
            _log.warning("the spool is full; its oldest batches give way to the means of their minutes")
        return True

    def _unsent(self, segment: Segment) -> Iterator[Stored]:
        floor = self._floors.get(segment.boot_id, 0)
        return (one for one in segment.batches() if one.seq > floor)

    def _release(self) -> None:
        while (
            self._segments and self._segments[0] is not self._active and not self._pending(self._segments[0])
        ):
            self._drop_oldest()
        if len(self._segments) <= 1:
            self._is_thinning = False

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
        self._forget(boot)

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
        found: list[Segment] = []
        unreadable = 0
        torn: dict[bytes, int] = {}
        for path in self._files():
            self._next_file = int(path.stem) + 1
            try:
                segment, rest = Segment.open(path)
            except OSError as error:
                _log.warning("cannot read %s: %s", path.name, error)
                continue
            if rest:
                self.torn_bytes += rest
                _log.warning("%s ended in %d bytes of an unfinished batch", path.name, rest)
            if segment is not None and segment.last:
                found.append(segment)
                torn[segment.boot_id] = segment.last if rest else 0
            else:
                unreadable += 1 if rest else 0
                with contextlib.suppress(OSError):
                    path.unlink()
        self._segments.extend(self._in_order(found))
        self.lost = max(self.lost, unreadable)  # holes tell of such a file too, and say how many
        # How many a torn file had is told by the next of its boot, or not at all.
        self.lost += sum(1 for boot, last in torn.items() if last and last == self._newest(boot))
        self._load_acknowledged()

    def _in_order(self, found: Sequence[Segment]) -> Iterator[Segment]:
        """Each batch once, whatever became of the files' names; what is missing between them is lost."""
        boots = {boot: number for number, boot in enumerate(dict.fromkeys(one.boot_id for one in found))}
        newest: dict[bytes, int] = {}
        for segment in sorted(found, key=lambda one: (boots[one.boot_id], one.since, -one.last)):
            before = newest.get(segment.boot_id, segment.since - 1)
            if segment.last <= before:
                with contextlib.suppress(OSError):
                    segment.delete()
                continue
            if segment.first <= before:
                segment.begin_after(before)
            newest[segment.boot_id] = segment.last
            self.lost += max(0, segment.since - before - 1)
            if segment.birth.host_boot != self._host_boot or self._age(segment) < 0:
                segment.birth = self._birth()  # how long the host was off is not known
            yield segment

    def _files(self) -> list[Path]:
        try:
            for leftover in self._directory.glob(f"*{SUCCESSOR}"):
                leftover.unlink()
            return sorted(filter(_is_ours, self._directory.iterdir()), key=lambda one: int(one.stem))
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


def _is_ours(path: Path) -> bool:
    """Whether a spool may have written it. A pipe would be waited for, a link leads elsewhere."""
    named = path.suffix == _SUFFIX and path.stem.isascii() and path.stem.isdigit()
    return named and len(path.stem) <= _LONGEST_NUMBER and path.is_file() and not path.is_symlink()
