"""One piece of the spool: the batches of one boot in one file, or in memory while the disk takes nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pudim.wire.layouts import HASH_BYTES, Source
from pudim_agent import records
from pudim_agent.identity import sync_directory
from pudim_agent.records import DamagedRecord, Record, Stored


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


class FileMedium:
    in_memory = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @classmethod
    def create(cls, path: Path) -> FileMedium:
        medium = cls(path)
        medium._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        sync_directory(path.parent)
        return medium

    def append(self, offset: int, content: bytes) -> None:
        handle = self._open()
        if os.pwrite(handle, content, offset) != len(content):
            raise OSError(28, "short write")
        os.fdatasync(handle)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._open(), length, offset)

    def cut(self, length: int) -> None:
        os.truncate(self._path, length)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def delete(self) -> None:
        self.close()
        self._path.unlink()

    def _open(self) -> int:
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
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


class Segment:
    """Batches `first` to `last` of one boot, in order. Empty while `last` is 0."""

    def __init__(self, medium: Medium, boot_id: bytes) -> None:
        self._medium = medium
        self.boot_id = boot_id
        self.first = self.last = 0
        self.newest_ms = 0
        self.size = 0
        self._sources: dict[bytes, tuple[int, int]] = {}

    @classmethod
    def create(cls, medium: Medium, boot_id: bytes) -> Segment:
        """Raises OSError."""
        segment = cls(medium, boot_id)
        try:
            segment._write(records.encode_boot(boot_id))
        except OSError:
            with contextlib.suppress(OSError):
                medium.delete()
            raise
        return segment

    @classmethod
    def open(cls, path: Path) -> tuple[Segment | None, int]:
        """What is whole of a file, None when nothing is, and the number of bytes that were not. Raises OSError."""
        content = path.read_bytes()
        medium = FileMedium(path)
        found = records.whole_records(content)
        segment: Segment | None = None
        with contextlib.suppress(DamagedRecord, StopIteration):
            first = next(found)
            segment = cls(medium, records.decode_boot(first))
            segment.size = first.end
            for one in found:
                segment._note(one)
        torn = len(content) - (segment.size if segment else 0)
        if segment and torn:
            with contextlib.suppress(OSError):  # the rest is not read again either way
                medium.cut(segment.size)
        return segment, torn

    @property
    def in_memory(self) -> bool:
        return self._medium.in_memory

    def append(self, stored: Stored, sources: Sequence[Source]) -> None:
        """All or nothing. Raises OSError; then the segment takes no more."""
        new = [source for source in sources if source.hash not in self._sources]
        content = [records.encode_source(source) for source in new]
        content.append(records.encode_batch(*stored))
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
            if found.kind == records.BATCH:
                return records.decode_batch(found.payload), offset
        return None, offset

    def source(self, known_by: bytes) -> Source:
        """Raises OSError or DamagedRecord."""
        if known_by not in self._sources:
            raise DamagedRecord("a batch names a source that its segment does not hold")
        return records.decode_source(self._record(self._sources[known_by][0]).payload)

    def end_at(self, offset: int, last: int) -> None:
        """Forget what lies behind a damaged place."""
        self.size, self.last = offset, last if self.first <= last else 0

    def close(self) -> None:
        self._medium.close()

    def delete(self) -> None:
        """Raises OSError."""
        self._medium.delete()

    def _record(self, offset: int) -> Record:
        header = self._medium.read(offset, records.HEADER.size)
        body = self._medium.read(offset + len(header), records.size_of(header))
        return records.record(header, body, offset)

    def _write(self, content: bytes) -> None:
        try:
            self._medium.append(self.size, content)
        except OSError:
            with contextlib.suppress(OSError):
                self._medium.cut(self.size)
            raise
        self.size += len(content)

    def _note(self, found: Record) -> None:
        """Raises DamagedRecord."""
        if found.kind == records.SOURCE:
            self._sources[found.payload[:HASH_BYTES]] = self.size, found.end - self.size
        elif found.kind == records.BATCH:
            stored = records.decode_batch(found.payload)
            if stored.seq <= self.last:
                raise DamagedRecord
            self._grow(stored)
        self.size = found.end

    def _grow(self, stored: Stored) -> None:
        self.first = self.first or stored.seq
        self.last = stored.seq
        self.newest_ms = max(self.newest_ms, stored.time_ms)
