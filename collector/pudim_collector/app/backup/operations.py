"""`pudim admin backup` and `restore`: the database is found or made, and the blocking work done beside the loop."""

from __future__ import annotations

import asyncio
import secrets as random
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pudim_collector.app.backup import loading
from pudim_collector.app.backup.archive import (
    Manifest,
    NewerBackup,
    Stopped,
    open_archive,
    read_whole,
)
from pudim_collector.app.backup.loading import NotEmpty, check_empty
from pudim_collector.app.backup.locking import Locker, PassphraseNeededError
from pudim_collector.app.backup.taking import KEY_FILES, NothingToBackUp, Report, Snapshot
from pudim_collector.app.features import MIGRATIONS, SEALED
from pudim_collector.app.keys import collector_key, key_ring
from pudim_collector.app.operating import BackupRestored, BackupTaken, tell
from pudim_collector.app.process import migrate_database, open_database, shared_database
from pudim_collector.app.sealed import verify
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import known_migrations, migrate
from pudim_collector.infra.private_files import create_private
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.backends import TABLES, Piece
from pudim_collector.series.backends.choice import PREFERENCE, chosen_backend
from pudim_collector.series.statements import fetch

T = TypeVar("T")
_SUFFIX = ".pudim-backup"
_POSTGRES = "postgres"


class Interrupted(Exception):
    """Somebody ended the command."""


async def back_up(
    settings: Settings, target: Path, report: Report, passphrase: bytes | None = None
) -> tuple[Path, Manifest]:
    """Write a backup to `target`, or into it under the time's name where it is a folder. Pudim may run meanwhile."""
    now = SystemClock().now()
    path = _path_in(target, now)
    async with shared_database(settings):
        snapshot = await _beside(lambda _: Snapshot(database.conninfo))
        with closing(snapshot):
            pieces = await _pieces()
            manifest = await _beside(
                lambda stopped: snapshot.write(
                    path,
                    settings.data_dir,
                    pieces,
                    now,
                    report=report,
                    stopped=stopped,
                    passphrase=passphrase,
                )
            )
        await tell(BackupTaken(path.name, manifest.rows, len(manifest.tables)))
    return path, manifest


def _path_in(target: Path, now: datetime) -> Path:
    return target / f"pudim-{now:%Y%m%dT%H%M%SZ}{_SUFFIX}" if target.is_dir() else target


async def check(source: Path) -> Manifest:
    """Read every byte. Raises DamagedBackup, naming what is damaged."""
    return await _beside(lambda stopped: read_whole(source, stopped))


async def restore(
    settings: Settings, source: Path, report: Report, passphrase: bytes | None = None
) -> Manifest:
    """Make a Pudim out of a backup where none is.

    Raises NotEmpty, DamagedBackup, NewerBackup, PassphraseNeededError or WrongPassphraseError, with nothing made.
    """
    report("Checking the backup ...")
    manifest = await check(source)
    if newer := {(one.app, one.name) for one in manifest.migrations} - known_migrations(MIGRATIONS):
        raise NewerBackup(f"it knows {', '.join(sorted('/'.join(one) for one in newer))}")
    keys = await _beside(lambda _: _opened_keys(source, manifest, passphrase))
    _check_folder(settings, manifest, keys)
    async with _scratch(settings.data_dir) as scratch:
        _put_keys(keys, scratch)
        await _fill(replace(settings, data_dir=scratch), source, report)
        _put_keys(keys, settings.data_dir)
        if settings.database_url is None:
            # Last, and whole: a folder with a database in it is a Pudim.
            (scratch / _POSTGRES).rename(settings.data_dir / _POSTGRES)
    return manifest


def _check_folder(settings: Settings, manifest: Manifest, keys: Mapping[str, bytes]) -> None:
    """Raises NotEmpty, or a KeyFileError where a ring was named that cannot be used."""
    if settings.secret_keys_file is not None:
        key_ring(settings, manifest.taken_at)
    if settings.database_url is None and (settings.data_dir / _POSTGRES).exists():
        raise NotEmpty(f"{settings.data_dir} has a database")
    for name, secret in keys.items():
        path = settings.data_dir / name
        if path.exists() and path.read_bytes() != secret:
            raise NotEmpty(f"{path} is another Pudim's")


def _opened_keys(source: Path, manifest: Manifest, passphrase: bytes | None) -> dict[str, bytes]:
    """The private files by name. Raises PassphraseNeededError or WrongPassphraseError."""
    if manifest.lock is not None and passphrase is None:
        raise PassphraseNeededError
    locker = Locker(manifest.lock, passphrase) if manifest.lock and passphrase else None
    found = {}
    with open_archive(source, _never) as reader:
        for one in reader.manifest.files:
            if one.path in KEY_FILES:
                secret = b"".join(reader.blocks(one.member, one.sha256))
                found[one.path] = locker.open(one.path, secret) if locker else secret
    return found


async def _fill(settings: Settings, source: Path, report: Report) -> None:
    """The tables as they were when the backup was taken, their rows, then what this version adds."""
    async with open_database(settings):
        conninfo = database.conninfo
        await _beside(lambda _: check_empty(conninfo))
        with open_archive(source, _never) as reader:
            applied = {(one.app, one.name) for one in reader.manifest.migrations}
        await migrate(database, MIGRATIONS, clock=SystemClock(), only=applied)
        backend = await _make_tables(reader.manifest)
        await _beside(lambda stopped: _load(conninfo, source, backend, report, stopped))
        await migrate_database()
        await _open_secrets(settings, report)
        restored = reader.manifest
        await tell(BackupRestored(source.name, restored.rows, f"{restored.taken_at:%Y-%m-%dT%H:%M:%SZ}"))


async def _open_secrets(settings: Settings, report: Report) -> None:
    """What does not open did not when the backup was taken, or its ring is elsewhere: told, and no reason to have nothing."""
    ring = key_ring(settings, SystemClock().now())
    outcome = await verify(SEALED, Sealers(ring, collector_key(settings.data_dir)), _never)
    for fault in outcome.faults:
        report(f"{fault.column} of {fault.owner} does not open: {fault.code}")
    report(f"{outcome.values:,} secrets, {len(outcome.faults):,} of them do not open.")


def _load(conninfo: str, source: Path, backend: str, report: Report, stopped: Stopped) -> None:
    with open_archive(source, stopped) as reader:
        loading.load(conninfo, reader, backend, report)


async def _make_tables(manifest: Manifest) -> str:
    """The backend that this server offers, with room for every row."""
    tables = {table.name: table for table in TABLES}
    async with database.transaction(), database.connection() as connection:
        backend = await chosen_backend(connection)
        for room in manifest.rooms:
            await backend.make_room(connection, tables[room.table], room.oldest, room.newest)
    return backend.name


async def _pieces() -> list[Piece]:
    """Raises NothingToBackUp."""
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT backend FROM store")
        for backend in PREFERENCE:
            if rows and backend.name == rows[0][0]:
                return await backend.pieces(connection)
    raise NothingToBackUp


def _put_keys(keys: Mapping[str, bytes], data_dir: Path) -> None:
    """Never over another key; the same one may be there."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, secret in keys.items():
        if not (data_dir / name).exists():
            create_private(data_dir / name, secret)


@asynccontextmanager
async def _scratch(data_dir: Path) -> AsyncIterator[Path]:
    """A folder on the same disk in which a database is made before it gets its name; gone afterwards."""
    scratch = data_dir / f"restoring-{random.token_hex(4)}"
    for folder in (data_dir, scratch):
        await asyncio.to_thread(folder.mkdir, 0o700, parents=True, exist_ok=True)
    try:
        yield scratch
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


async def _beside(work: Callable[[Stopped], T]) -> T:
    """Run blocking work in a thread; who is cancelled tells it so, and waits until it has cleaned up."""
    ended = threading.Event()

    def stopped() -> None:
        if ended.is_set():
            raise Interrupted

    task = asyncio.get_running_loop().run_in_executor(None, work, stopped)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        ended.set()
        await asyncio.gather(task, return_exceptions=True)
        raise


def _never() -> None:
    """Nobody ends it, nobody counts."""
