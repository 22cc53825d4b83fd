"""The file of a backup: a zip of tables in PostgreSQL's binary copy form, key files, and a manifest that is written last."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.backup.locking import Lock

FORMAT = 2
"""The newest that is understood; one whose keys are not locked is written as the first, so that an older Pudim reads it."""
FIRST_FORMAT = 1
_MANIFEST = "manifest.json"
_PART = 1 << 20
_PRIVATE = 0o600
_FASTEST = 1

Stopped = Callable[[], None]
"""Called again and again; raises when the work is not wanted any more."""


class BackupExists(PudimError):
    """There is a file of this name already."""

    code = "backup_exists"
    hint = "Name another one; a folder gets a file named by the time."


class DamagedBackup(PudimError):
    """The backup is not whole."""

    code = "damaged_backup"
    hint = "Use another backup; this one was cut short or has changed since it was written."


class NewerBackup(PudimError):
    """The backup was taken by a newer Pudim."""

    code = "newer_backup"
    hint = "Restore it with that version or a newer one."


class Table(msgspec.Struct):
    """`member` holds the rows of `columns`; `compressed` where that pays."""

    name: str
    columns: list[str]
    member: str
    rows: int
    bytes: int
    sha256: str


class KeyFile(msgspec.Struct):
    """A private file of the data folder, by its path there."""

    path: str
    member: str
    sha256: str


class AppliedMigration(msgspec.Struct, frozen=True):
    app: str
    name: str


class Room(msgspec.Struct):
    """The time for which a table has pieces."""

    table: str
    oldest: datetime
    newest: datetime


class Manifest(msgspec.Struct):
    """What a backup holds and where it came from. `sequences` are the last values that were given out.

    With a `lock` the files are under a passphrase; their checksums are of what is locked.
    """

    format: int
    taken_at: datetime
    pudim: str
    postgresql: str
    timescaledb: str | None
    backend: str
    migrations: list[AppliedMigration]
    rooms: list[Room]
    sequences: dict[str, int]
    tables: list[Table]
    files: list[KeyFile]
    lock: Lock | None = None

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class ArchiveWriter:
    """Members in order, then the manifest: a file without one is not whole, and neither is a zip that was cut short."""

    def __init__(self, archive: zipfile.ZipFile, stopped: Stopped) -> None:
        self._archive, self._stopped = archive, stopped

    def add(
        self, member: str, blocks: Iterable[bytes | bytearray | memoryview], *, compressed: bool
    ) -> tuple[int, str]:
        """The member's bytes and SHA-256."""
        self._archive.compression = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        digest, size = hashlib.sha256(), 0
        with self._archive.open(member, "w", force_zip64=True) as file:
            for block in _gathered(blocks):
                self._stopped()
                digest.update(block)
                size += len(block)
                file.write(block)
        return size, digest.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        self._archive.compression = zipfile.ZIP_DEFLATED
        self._archive.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


@contextmanager
def new_archive(target: Path, stopped: Stopped) -> Iterator[ArchiveWriter]:
    """A file of this name appears when the block ends well: whole, on disk, for its owner only. Raises BackupExists."""
    if target.exists():
        raise BackupExists(f"{target} exists")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=_PRIVATE, exist_ok=False)
    try:
        with draft.open("r+b") as file:
            with zipfile.ZipFile(file, "w", allowZip64=True, compresslevel=_FASTEST) as archive:
                yield ArchiveWriter(archive, stopped)
            file.flush()
            os.fsync(file.fileno())
        read_whole(draft, stopped)
        target.hardlink_to(draft)
    except FileExistsError as error:
        raise BackupExists(f"{target} exists") from error
    finally:
        draft.unlink()


class ArchiveReader:
    """A backup that is open; each member is checked while it is read."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, stopped: Stopped) -> None:
        self._archive, self._path, self._stopped = archive, path, stopped
        self.manifest = self._manifest()

    def blocks(self, member: str, sha256: str) -> Iterator[bytes]:
        """Raises DamagedBackup, at the latest after the last block."""
        digest = hashlib.sha256()
        try:
            with self._archive.open(member) as file:
                for block in _parts(file):
                    self._stopped()
                    digest.update(block)
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError) as error:
            raise DamagedBackup(f"{self._path}: {member} is damaged: {error}") from error
        if digest.hexdigest() != sha256:
            raise DamagedBackup(f"{self._path}: {member} is not what was written")

    def _manifest(self) -> Manifest:
        try:
            text = self._archive.read(_MANIFEST)
            known = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            if msgspec.json.decode(known["format"], type=int) > FORMAT:
                raise NewerBackup
            return msgspec.json.decode(text, type=Manifest)
        except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, msgspec.DecodeError) as error:
            raise DamagedBackup(f"{self._path}: its manifest is damaged or missing") from error


@contextmanager
def open_archive(path: Path, stopped: Stopped) -> Iterator[ArchiveReader]:
    """Raises DamagedBackup or NewerBackup."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError) as error:
        raise DamagedBackup(f"{path} is no whole backup: {error}") from error
    except OSError as error:
        raise DamagedBackup(f"{path} cannot be read: {error.strerror}") from error
    with archive:
        yield ArchiveReader(archive, path, stopped)


def read_whole(path: Path, stopped: Stopped) -> Manifest:
    """Check every byte. Raises DamagedBackup, naming what is damaged."""
    with open_archive(path, stopped) as reader:
        manifest = reader.manifest
        members = [(one.member, one.sha256) for one in manifest.tables]
        for member, sha256 in (*members, *((one.member, one.sha256) for one in manifest.files)):
            for _ in reader.blocks(member, sha256):
                pass
        return manifest


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_PART):
        yield block


def _gathered(blocks: Iterable[bytes | bytearray | memoryview]) -> Iterator[bytes]:
    """PostgreSQL sends a row at a time; a call for each into zip and digest would take longer than the row."""
    gathered = bytearray()
    for block in blocks:
        gathered += block
        if len(gathered) >= _PART:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)
