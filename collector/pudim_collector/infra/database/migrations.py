"""Bring a database to this program's schema: once, in order, whole, and safe to ask for by several processes at once.

Piccolo's own runner records a migration after its transaction and takes no lock, so two starters can collide and a crash
in between makes the next start fail.
"""

import asyncio
import contextlib
import hashlib
import io
import logging
import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import psycopg
from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database.engine import PsycopgEngine
from pudim_collector.infra.database.pool import Connection, SessionSettings, connect
from pudim_collector.kernel.clock import Clock

_log = logging.getLogger(__name__)
_NAME = re.compile(r"\d{4}_(pre|post)_[a-z0-9_]+\.(py|sql)")
_NO_TRANSACTION = re.compile(r"^-- pudim: no-transaction\s*$", re.MULTILINE)
_LOCK = 0x7075_6469_6D01  # "pudim", 1
_POLL = 0.1

_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS migration (
    app text NOT NULL,
    name text NOT NULL,
    applied_at timestamptz NOT NULL,
    duration interval NOT NULL,
    sha256 text NOT NULL,
    statements text[] NOT NULL,
    PRIMARY KEY (app, name)
)
"""
_READ_RECORDS = "SELECT name, sha256 FROM migration WHERE app = $1"
_WRITE_RECORD = """
INSERT INTO migration (app, name, applied_at, duration, sha256, statements) VALUES ($1, $2, $3, $4, $5, $6)
"""


class MigrationError(PudimError):
    """A migration could not be applied; the database is as before it."""

    code = "migration_failed"


class MigrationChangedError(MigrationError):
    """A migration that was applied already has other content now."""

    code = "migration_changed"
    hint = "Restore the file as it was and write a new migration instead."


class MigrationNameError(MigrationError):
    """A migration's file is not named NNNN_(pre|post)_what.(py|sql), or its number is taken."""

    code = "migration_name"


@dataclass(frozen=True)
class MigrationApp:
    """A folder of migrations under one name; `.py` after Piccolo's convention, `.sql` as they are.

    A .sql file with the line `-- pudim: no-transaction` holds one statement that cannot run inside one (CREATE INDEX
    CONCURRENTLY, several TimescaleDB calls); it must be repeatable, since its record is written after it.
    """

    name: str
    folder: Path


@dataclass(frozen=True)
class Applied:
    app: str
    name: str
    applied_at: datetime
    duration: timedelta
    statements: tuple[str, ...]


@dataclass(frozen=True)
class _Migration:
    app: str
    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def known_migrations(apps: Sequence[MigrationApp]) -> set[tuple[str, str]]:
    """App and name of every migration that there is."""
    return {(one.app, one.name) for app in apps for one in _discover(app)}


async def migrate(
    engine: PsycopgEngine,
    apps: Sequence[MigrationApp],
    *,
    clock: Clock,
    only: Collection[tuple[str, str]] | None = None,
) -> list[Applied]:
    """Apply what is missing, app by app in the given order, by name within one. Concurrent callers wait.

    With `only`, no others: the tables as an older version had them, for its rows to be put in.
    Raises MigrationError with the migration's name; everything before it stays applied, nothing of it does.
    """
    found = [migration for app in apps for migration in _discover(app)]
    if only is not None:
        found = [migration for migration in found if (migration.app, migration.name) in only]
    applied = []
    async with _locked(engine.conninfo) as connection:
        await connection.execute(_CREATE_RECORD)
        for migration in await _pending(connection, found):
            applied.append(await _apply(engine, connection, migration, clock))
            _log.info("migration %s/%s applied in %s", migration.app, migration.name, applied[-1].duration)
    return applied


def _discover(app: MigrationApp) -> Iterable[_Migration]:
    paths = sorted(path for path in app.folder.iterdir() if path.suffix in {".py", ".sql"})
    taken: set[str] = set()
    for path in paths:
        if path.name == "__init__.py":
            continue
        number = path.name[:4]
        if not _NAME.fullmatch(path.name) or number in taken:
            raise MigrationNameError(
                f"{app.name}/{path.name}: not NNNN_(pre|post)_what, or its number is taken"
            )
        taken.add(number)
        yield _Migration(app.name, path)


@contextlib.asynccontextmanager
async def _locked(conninfo: str) -> AsyncIterator[Connection]:
    """A connection that holds the advisory lock, and on which all work is done: if it dies, so do both.

    It asks again and again instead of waiting in the server, where a waiting statement's snapshot would block
    CREATE INDEX CONCURRENTLY for ever.
    """
    settings = SessionSettings("pudim migrate", statement_timeout=timedelta(0))
    async with await connect(conninfo, settings) as connection:
        while not await _try_lock(connection):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(_POLL)
        yield connection


async def _try_lock(connection: Connection) -> bool:
    row = await (await connection.execute("SELECT pg_try_advisory_lock($1::bigint)", [_LOCK])).fetchone()
    return bool(row and row[0])


async def _pending(connection: Connection, found: Sequence[_Migration]) -> list[_Migration]:
    records = {app: await _records(connection, app) for app in {migration.app for migration in found}}
    pending = []
    for migration in found:
        recorded = records[migration.app].get(migration.name)
        if recorded is None:
            pending.append(migration)
        elif recorded != migration.sha256:
            raise MigrationChangedError(f"{migration.app}/{migration.name} was applied with other content")
    return pending


async def _records(connection: Connection, app: str) -> Mapping[str, str]:
    cursor = await connection.execute(_READ_RECORDS, [app])
    return dict(await cursor.fetchall())


async def _apply(
    engine: PsycopgEngine, connection: Connection, migration: _Migration, clock: Clock
) -> Applied:
    try:
        if migration.path.suffix == ".py":
            return await _apply_piccolo(engine, connection, migration, clock)
        return await _apply_script(engine, connection, migration, clock)
    except (psycopg.Error, PudimError) as error:
        raise MigrationError(f"{migration.app}/{migration.name}: {error}") from error


async def _apply_piccolo(
    engine: PsycopgEngine, connection: Connection, migration: _Migration, clock: Clock
) -> Applied:
    started = clock.monotonic()
    async with engine.transaction(connection=connection) as transaction:
        transaction.statements = []
        await _run_piccolo(migration.path)
        return await _record(connection, migration, clock, started, transaction.statements)


async def _apply_script(
    engine: PsycopgEngine, connection: Connection, migration: _Migration, clock: Clock
) -> Applied:
    started = clock.monotonic()
    script = migration.path.read_text()
    async with contextlib.AsyncExitStack() as stack:
        if not _NO_TRANSACTION.search(script):
            await stack.enter_async_context(engine.transaction(connection=connection))
        await connection.execute(script.encode())
        return await _record(connection, migration, clock, started, [script])


async def _run_piccolo(path: Path) -> None:
    spec = spec_from_file_location(f"pudim_migration_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MigrationNameError(f"{path} cannot be imported")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    manager = await module.forwards()
    if isinstance(manager, MigrationManager):
        with contextlib.redirect_stdout(io.StringIO()):  # Piccolo prints its progress
            await manager.run()


async def _record(
    connection: Connection, migration: _Migration, clock: Clock, started: float, statements: Sequence[str]
) -> Applied:
    duration = timedelta(seconds=clock.monotonic() - started)
    applied = Applied(migration.app, migration.name, clock.now(), duration, tuple(statements))
    await connection.execute(
        _WRITE_RECORD,
        [applied.app, applied.name, applied.applied_at, applied.duration, migration.sha256, list(statements)],
    )
    return applied
