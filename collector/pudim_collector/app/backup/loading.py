"""Fills an empty database out of a backup, in one transaction: all of it is there afterwards, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.backup import catalogue
from pudim_collector.app.backup.archive import ArchiveReader, DamagedBackup, Table

Report = Callable[[str], None]
STORE = "store"
"""How frames are kept is the new database's own choice, so the rest of this table's row is carried over alone."""
_SEEDED = frozenset({"migration", STORE, "retention", "teams", "tenancy"})
_ITS_OWN = frozenset({"backend", "chosen_at", "only_one"})
_SETTINGS = "SELECT set_config('statement_timeout', '0', false), set_config('application_name', 'pudim restore', false)"
_ROLL_UP_AGAIN = """
INSERT INTO unrolled (source_id, hour)
SELECT DISTINCT source_id, (extract(epoch FROM time) / 3600)::integer FROM frames
ON CONFLICT DO NOTHING
"""


class NotEmpty(PudimError):
    """There is something already where the backup would go."""

    code = "not_empty"
    hint = "Restore into a new data folder (--data-dir) or a new database (PUDIM_DATABASE_URL)."


def check_empty(conninfo: str) -> None:
    """Raises NotEmpty, naming what is there. Tables without rows are what an earlier restore may have left."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for table in catalogue.tables(connection):
            if table.name in _SEEDED:
                continue
            query = SQL("SELECT EXISTS (SELECT FROM {})").format(Identifier(table.name))
            row = connection.execute(query).fetchone()
            if row is None or row[0]:
                raise NotEmpty(f"the database has rows in {table.name}")


def load(conninfo: str, archive: ArchiveReader, backend: str, report: Report) -> None:
    """Into tables that are made already. Raises DamagedBackup, after which the database is as before."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_SETTINGS)
        with connection.transaction():
            for table in archive.manifest.tables:
                _load(connection, archive, table)
                report(f"{table.name}: {table.rows:,} rows")
            for name, value in archive.manifest.sequences.items():
                connection.execute("SELECT setval(%s::regclass, %s)", [f'"{name}"', value])
            if backend != archive.manifest.backend:
                # The other way to keep frames compacts them in another form: upkeep does its part once more.
                connection.execute(_ROLL_UP_AGAIN)
        connection.execute("ANALYZE")


def _load(connection: psycopg.Connection[Any], archive: ArchiveReader, table: Table) -> None:
    if table.name == STORE:
        connection.execute("CREATE TEMP TABLE restored_store (LIKE store) ON COMMIT DROP")
        _copy(connection, archive, table, "restored_store")
        connection.execute(_carry_over(table.columns))
        return
    # Migrations put in a few rows of their own, which the backup has as well.
    connection.execute(SQL("DELETE FROM {}").format(Identifier(table.name)))
    _copy(connection, archive, table, table.name)


def _copy(connection: psycopg.Connection[Any], archive: ArchiveReader, table: Table, into: str) -> None:
    columns = SQL(", ").join(Identifier(column) for column in table.columns)
    query = SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(Identifier(into), columns)
    with connection.cursor() as cursor:
        with cursor.copy(query) as copy:
            for block in archive.blocks(table.member, table.sha256):
                copy.write(block)
        if cursor.rowcount != table.rows:
            raise DamagedBackup(f"{table.name} has {cursor.rowcount} rows instead of {table.rows}")


def _carry_over(columns: list[str]) -> Composed:
    changed = SQL(", ").join(
        SQL("{} = restored_store.{}").format(Identifier(name), Identifier(name))
        for name in columns
        if name not in _ITS_OWN
    )
    return SQL("UPDATE store SET {} FROM restored_store").format(changed)
