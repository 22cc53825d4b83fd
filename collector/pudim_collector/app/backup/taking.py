"""Takes a backup while Pudim runs: every table out of one snapshot, beside which frames go on being stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from psycopg.sql import SQL, Identifier

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.backup import catalogue
from pudim_collector.app.backup.archive import (
    FIRST_FORMAT,
    FORMAT,
    AppliedMigration,
    ArchiveWriter,
    KeyFile,
    Manifest,
    Room,
    Stopped,
    Table,
    new_archive,
)
from pudim_collector.app.backup.catalogue import FoundTable
from pudim_collector.app.backup.locking import Lock, Locker
from pudim_collector.app.key_succession import LINES
from pudim_collector.app.keys import COMMAND_FILE, FILE_NAME, RELEASE_FILE, SUCCESSION_FILE
from pudim_collector.infra.key_ring import RING_FILE
from pudim_collector.series.backends import SNAPSHOT_LOCK, TABLES, Piece

Report = Callable[[str], None]
KEY_FILES = (
    *(FILE_NAME, COMMAND_FILE, SUCCESSION_FILE, RELEASE_FILE, RING_FILE),
    *(name for line in LINES for name in (line.next_file, line.chain_file)),
)
RECORD = "migration"
"""Whoever restores applies the same migrations, which record themselves."""
_ALREADY_SMALL = frozenset(table.name for table in TABLES if table.name != "frames")
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SETTINGS = "SELECT set_config('statement_timeout', '0', false), set_config('application_name', 'pudim backup', false)"
_EDITION = """
SELECT split_part(current_setting('server_version'), ' ', 1),
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), (SELECT backend FROM store)
"""


class NothingToBackUp(PudimError):
    """This database holds no Pudim."""

    code = "nothing_to_back_up"
    hint = "Look at PUDIM_DATABASE_URL or --data-dir."


class Snapshot:
    """The state of a database at one moment, to be copied out of it. All its calls block."""

    def __init__(self, conninfo: str) -> None:
        self._connection: psycopg.Connection[Any] = psycopg.connect(conninfo, autocommit=True)
        try:
            self._connection.execute(_SETTINGS)
            self._connection.execute("SELECT pg_advisory_lock_shared(%s)", [SNAPSHOT_LOCK])
            self.tables = self._begin()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()

    def write(
        self,
        target: Path,
        data_dir: Path,
        pieces: Sequence[Piece],
        now: datetime,
        *,
        report: Report,
        stopped: Stopped,
        passphrase: bytes | None = None,
    ) -> Manifest:
        """`pieces` were listed after the snapshot was taken. Raises BackupExists."""
        # Not at the end: a key that these rows are sealed under may be retired while they are written.
        secrets = {name: (data_dir / name).read_bytes() for name in KEY_FILES if (data_dir / name).exists()}
        lock = None if passphrase is None else Lock.fresh()
        if lock is not None and passphrase is not None:
            locker = Locker(lock, passphrase)
            secrets = {name: locker.lock(name, secret) for name, secret in secrets.items()}
        with new_archive(target, stopped) as archive:
            written = [self._write(archive, table, report) for table in self.tables if table.name != RECORD]
            keys = [_write_key(archive, name, secret) for name, secret in secrets.items()]
            manifest = self._manifest(written, keys, pieces, now, lock)
            archive.finish(manifest)
            report("Checking what was written ...")
        return manifest

    def _begin(self) -> list[FoundTable]:
        """Hold every table before the snapshot is taken: upkeep's TRUNCATE of moved rows looks to no snapshot."""
        wanted = catalogue.tables(self._connection)
        if not any(table.name == RECORD for table in wanted):
            raise NothingToBackUp
        while True:
            self._connection.execute(_BEGIN)
            names = SQL(", ").join(Identifier(table.name) for table in wanted)
            self._connection.execute(SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
            found = catalogue.tables(self._connection)
            if {table.name for table in found} == {table.name for table in wanted}:
                return found
            self._connection.execute("ROLLBACK")
            wanted = found

    def _write(self, archive: ArchiveWriter, table: FoundTable, report: Report) -> Table:
        member = f"tables/{table.name}.copy"
        columns = SQL(", ").join(Identifier(column) for column in table.columns)
        query = SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(
            columns, Identifier(table.name)
        )
        with self._connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                size, digest = archive.add(
                    member,
                    _reported(iter(copy), table.name, report),
                    compressed=table.name not in _ALREADY_SMALL,
                )
            rows = cursor.rowcount
        report(f"{table.name}: {rows:,} rows, {size:,} bytes")
        return Table(table.name, list(table.columns), member, rows, size, digest)

    def _manifest(
        self,
        written: list[Table],
        keys: list[KeyFile],
        pieces: Sequence[Piece],
        now: datetime,
        lock: Lock | None,
    ) -> Manifest:
        edition = self._connection.execute(_EDITION).fetchone()
        postgresql, timescaledb, backend = edition or ("", None, "")
        applied = self._connection.execute("SELECT app, name FROM migration ORDER BY applied_at, app, name")
        return Manifest(
            FIRST_FORMAT if lock is None else FORMAT,
            now,
            version("pudim-collector"),
            postgresql,
            timescaledb,
            backend or "",
            [AppliedMigration(app, name) for app, name in applied],
            _rooms(pieces),
            dict(catalogue.sequences(self._connection)),
            written,
            keys,
            lock,
        )


def _rooms(pieces: Sequence[Piece]) -> list[Room]:
    return [
        Room(table.name, min(one.start for one in own), max(one.end for one in own))
        for table in TABLES
        if (own := [piece for piece in pieces if piece.table is table])
    ]


def _write_key(archive: ArchiveWriter, name: str, secret: bytes) -> KeyFile:
    archive.add(f"files/{name}", [secret], compressed=False)
    return KeyFile(name, f"files/{name}", hashlib.sha256(secret).hexdigest())


_OFTEN = 256 << 20


def _reported(
    blocks: Iterator[bytes | bytearray | memoryview], name: str, report: Report
) -> Iterator[bytes | bytearray | memoryview]:
    """A word each so often, for a table that takes long."""
    size, due = 0, _OFTEN
    for block in blocks:
        size += len(block)
        if size >= due:
            due += _OFTEN
            report(f"{name}: {size:,} bytes so far")
        yield block
