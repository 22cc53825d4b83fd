"""One piece of the spool: the batches of one boot in one file, or in memory while the disk takes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from pudim.wire.layouts import HASH_BYTES, Source
from pudim_agent import records
from pudim_agent.identity import sync_directory
from pudim_agent.records import Birth, DamagedRecord, Record, Stored

SEGMENT_BYTES = 1 << 20
_LONGEST_FILE = SEGMENT_BYTES + 2 * records.LONGEST
"""The last batch that is put into a segment may be as long as a record can be, and needs its sources."""
SUCCESSOR = ".next"


class Medium(Protocol):
    """Where a segment's bytes are. All raise OSError."""

    in_memory: bool

    def append(self, offset: int, content: bytes) -> None:
        """Returns when `content` will survive a power cut, as far as this medium can."""
        ...

    def read(self, offset: int, length: int) -> bytes: ...

    def cut(self, length: int) -> None: ...

    def close(self) -> None: ...

    def delete(self) -> None: ...

    def successor(self) -> Medium:
        """An empty one that may take this one's place."""
        ...

    def take_place_of(self, other: Medium) -> None:
        """At once: whatever happens, one of both is there. The other is not used any more."""
        ...


class FileMedium:
    in_memory = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @classmethod
    def create(cls, path: Path) -> FileMedium:
        medium = cls(path)
        medium._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            sync_directory(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                medium.delete()
            raise
        return medium

    def append(self, offset: int, content: bytes) -> None:
        handle = self._open()
        if os.pwrite(handle, content, offset) != len(content):
            raise OSError(28, "short write")
        os.fdatasync(handle)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._open(), length, offset)

    def cut(self, length: int) -> None:
        os.truncate(self.path, length)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def delete(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)

    def successor(self) -> FileMedium:
        path = self.path.with_suffix(SUCCESSOR)
        path.unlink(missing_ok=True)
        return FileMedium.create(path)

    def take_place_of(self, other: Medium) -> None:
        if not isinstance(other, FileMedium):
            raise OSError(18, "a file cannot take the place of memory")
        self.path.replace(other.path)
        self.path = other.path
        other.close()
        with contextlib.suppress(OSError):  # after a power cut it may be the other again, which is as good
            sync_directory(self.path.parent)

    def _open(self) -> int:
        if self._handle is None:
            self._handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        return self._handle


class MemoryMedium:
    in_memory = True

    def __init__(self) -> None:
        self._content = bytearray()

    def append(self, offset: int, content: bytes) -> None:
        self._content[offset:] = content

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._content[offset : offset + length])

    def cut(self, length: int) -> None:
        del self._content[length:]

    def close(self) -> None:
        return

    def delete(self) -> None:
        self._content.clear()

    def successor(self) -> MemoryMedium:
        return MemoryMedium()

    def take_place_of(self, other: Medium) -> None:
        other.delete()


class Segment:
    """Batches `first` to `last` of one boot, in order. Empty while `last` is 0.

    `since` is the oldest batch that it stands for, which is `first` unless the segment was thinned out.
    """

    def __init__(self, medium: Medium, boot_id: bytes, birth: Birth) -> None:
        self.medium = medium
        self.boot_id, self.birth = boot_id, birth
        self.since = self.first = self.last = 0
        self.size = 0
        self.is_final = False
        """It was thinned out, or that would make it hardly smaller."""
        self._sources: dict[bytes, tuple[int, int]] = {}
        self._seqs: list[int] = []  # of a thinned out segment, where they are few; else it has all of them

    @classmethod
    def create(cls, medium: Medium, boot_id: bytes, birth: Birth) -> Segment:
        """Raises OSError."""
        segment = cls(medium, boot_id, birth)
        try:
            segment._write(records.encode_boot(boot_id, birth))
        except OSError:
            with contextlib.suppress(OSError):
                medium.delete()
            raise
        return segment

    @classmethod
    def open(cls, path: Path) -> tuple[Segment | None, int]:
        """What is whole of a file, None when nothing is, and the number of bytes that were not. Raises OSError."""
        length = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE)
        medium = FileMedium(path)
        found = records.whole_records(content)
        segment: Segment | None = None
        with contextlib.suppress(DamagedRecord, StopIteration):
            first = next(found)
            segment = cls(medium, records.decode_boot(first), records.decode_birth(first))
            segment.size = first.end
            for one in found:
                segment._note(one)
        torn = length - (segment.size if segment else 0)
        if segment and torn:
            with contextlib.suppress(OSError):  # the rest is not read again either way
                medium.cut(segment.size)
        return segment, torn

    @property
    def in_memory(self) -> bool:
        return self.medium.in_memory

    def after(self, seq: int) -> int:
        """How many of its batches come after `seq`."""
        if self._seqs:
            return sum(1 for one in self._seqs if one > seq)
        return max(0, self.last - max(self.first, seq + 1) + 1) if self.last else 0

    def append(self, stored: Stored, sources: Sequence[Source]) -> None:
        """All or nothing. Raises OSError; then the segment takes no more."""
        new = [source for source in sources if source.hash not in self._sources]
        content = [records.encode_source(source) for source in new]
        content.append(records.encode_batch(stored))
        start = self.size
        self._write(b"".join(content))
        for source, encoded in zip(new, content, strict=False):
            self._sources[source.hash] = start, len(encoded)
            start += len(encoded)
        self._grow(stored)

    def read(self, offset: int) -> tuple[Stored | None, int]:
        """The next batch at or after `offset`, and the offset after it. Raises OSError or DamagedRecord."""
        while offset < self.size:
            found = self._record(offset)
            offset = found.end
            if records.is_batch(found):
                return records.decode_batch(found), offset
        return None, offset

    def batches(self) -> Iterator[Stored]:
        """All of them. Raises OSError or DamagedRecord."""
        stored, offset = self.read(0)
        while stored is not None:
            yield stored
            stored, offset = self.read(offset)

    def source(self, known_by: bytes) -> Source:
        """Raises OSError or DamagedRecord."""
        if known_by not in self._sources:
            raise DamagedRecord("a batch names a source that its segment does not hold")
        return records.decode_source(self._record(self._sources[known_by][0]).payload)

    def replaced_by(self, batches: Iterable[Stored]) -> Segment | None:
        """A segment of `batches` in this one's place; None, and nothing changed, if that makes it hardly smaller.

        Raises OSError or DamagedRecord; then nothing changed either.
        """
        made = Segment.create(self.medium.successor(), self.boot_id, self.birth)
        try:
            for one in batches:
                made.append(one, [self.source(known_by) for known_by in one.sources])
            pays = 0 < made.size <= self.size // 2
            if pays:
                made.medium.take_place_of(self.medium)
        except (OSError, DamagedRecord):
            made.discard()
            raise
        finally:
            made.close()
            self.close()
        if not pays:
            made.discard()
        return made if pays else None

    def end_at(self, offset: int, last: int) -> None:
        """Forget what lies behind a damaged place."""
        self._seqs = [one for one in self._seqs if one <= last]
        self.size, self.last = offset, last if self.first <= last else 0

    def begin_after(self, seq: int) -> None:
        """An older segment has everything up to `seq`."""
        self._seqs = [one for one in self._seqs if one > seq]
        self.first = self._seqs[0] if self._seqs else max(self.first, seq + 1)
        self.since = max(self.since, seq + 1)

    def close(self) -> None:
        self.medium.close()

    def delete(self) -> None:
        """Raises OSError."""
        self.medium.delete()

    def discard(self) -> None:
        """Delete it if that is possible."""
        with contextlib.suppress(OSError):
            self.medium.delete()

    def _record(self, offset: int) -> Record:
        header = self.medium.read(offset, records.HEADER.size)
        body = self.medium.read(offset + len(header), records.size_of(header))
        return records.record(header, body, offset)

    def _write(self, content: bytes) -> None:
        try:
            self.medium.append(self.size, content)
        except OSError:
            with contextlib.suppress(OSError):
                self.medium.cut(self.size)
            raise
        self.size += len(content)

    def _note(self, found: Record) -> None:
        """Raises DamagedRecord."""
        if found.kind == records.SOURCE:
            self._sources[found.payload[:HASH_BYTES]] = self.size, found.end - self.size
        elif records.is_batch(found):
            stored = records.decode_batch(found)
            if stored.seq <= self.last:
                raise DamagedRecord
            self._grow(stored)
        self.size = found.end

    def _grow(self, stored: Stored) -> None:
        self.first = self.first or stored.seq
        self.since = self.since or stored.since or stored.seq
        self.last = stored.seq
        if stored.since:
            self._seqs.append(stored.seq)
            self.is_final = True
