"""Tables in TimescaleDB hypertables: chunks are made as rows arrive; the community edition compresses old ones."""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import NamedTuple

from psycopg import errors
from psycopg.sql import SQL, Identifier, Literal

from pudim_collector.series.backends import (
    TABLES,
    BackendUnavailable,
    Connection,
    Piece,
    TimeTable,
)
from pudim_collector.series.backends.emptying import PATIENCE, emptied, nobody_uses_a_snapshot
from pudim_collector.series.statements import fetch

log = logging.getLogger(__name__)

COMMUNITY = "timescale"
"""The licence under which the columnstore may be used; the Apache edition's is `apache`."""
OLDEST_COLUMNSTORE = (2, 20)
"""The first that can be told how to end compressing."""
# What its loader has defined is the sign that it is loaded: shared_preload_libraries is shown to few roles.
_AVAILABLE_AND_LOADED = """
SELECT
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
    EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load')
"""
_EDITION = """
SELECT extversion, current_setting('timescaledb.license', true) FROM pg_extension WHERE extname = 'timescaledb'
"""
_IN_COLUMNSTORE = """
SELECT compression_enabled FROM timescaledb_information.hypertables
WHERE hypertable_schema = current_schema() AND hypertable_name = 'frames'
"""
_ANY_COMPRESSED = """
SELECT EXISTS (
    SELECT FROM timescaledb_information.chunks
    WHERE hypertable_schema = current_schema() AND hypertable_name = 'frames' AND is_compressed
)
"""
_PIECES = """
SELECT chunk.hypertable_name, chunk.chunk_name, chunk.range_start, chunk.range_end, size.total_bytes
FROM unnest($1::name[]) AS wanted (name)
CROSS JOIN LATERAL chunks_detailed_size(wanted.name::text::regclass) AS size
JOIN timescaledb_information.chunks AS chunk USING (chunk_schema, chunk_name)
WHERE chunk.hypertable_schema = current_schema() AND chunk.hypertable_name = wanted.name
ORDER BY chunk.range_start, chunk.hypertable_name
"""
# Bits of a chunk's status: 1 is compressed, 2 and 8 tell of rows that came since.
_TO_COMPRESS = """
SELECT chunk_schema, chunk_name, status & 1 = 0
FROM timescaledb_information.chunks
CROSS JOIN LATERAL _timescaledb_functions.chunk_status(format('%I.%I', chunk_schema, chunk_name)::regclass) AS status
WHERE hypertable_schema = current_schema() AND hypertable_name = 'frames' AND range_end <= $1
AND (status & 1 = 0 OR status & 10 <> 0)
ORDER BY range_start
"""
_WITH_ROWS_OF_OLD = """
SELECT chunk_schema, chunk_name FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = 'frames' AND range_end <= $1
AND NOT is_compressed
AND pg_relation_size(format('%I.%I', chunk_schema, chunk_name)::regclass) > 0
ORDER BY range_start
"""
_AS_LONG_AS_IT_TAKES = "SET LOCAL statement_timeout = 0"
"""The day of a large fleet takes longer to compress than any statement may."""
_SEEN_BY_ALL = "SET LOCAL timescaledb.compress_truncate_behaviour = truncate_only"
"""With rows deleted instead, transactions that began before would see the chunk empty."""
_REFUSALS = (
    errors.InsufficientPrivilege,
    errors.FeatureNotSupported,  # a hosted server's list of allowed extensions
    errors.UndefinedFile,  # its control file is there, its library is not
    errors.UndefinedFunction,  # older than 2.13, or outside of this role's search_path
)


class ColumnstoreUnreadable(BackendUnavailable):
    """Old frames are in the columnstore, which the Apache edition cannot read."""

    code = "columnstore_unreadable"
    hint = "Set timescaledb.license to timescale, with a package of the community edition, and restart PostgreSQL."


class Edition(NamedTuple):
    """What TimescaleDB a database has."""

    version: tuple[int, ...]
    licence: str

    @property
    def text(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.licence})"

    @property
    def columnstore(self) -> bool:
        """Its functions exist in every edition; only the licence lets them work."""
        return self.licence == COMMUNITY and self.version >= OLDEST_COLUMNSTORE


class Hypertable:
    name = "hypertable"

    async def offered(self, connection: Connection) -> bool:
        """Whether it is loaded. It ends the session of who tries CREATE EXTENSION when it is not."""
        available, loaded = (await fetch(connection, _AVAILABLE_AND_LOADED))[0]
        if available and not loaded:
            log.warning(
                "TimescaleDB is installed but not loaded: add timescaledb to shared_preload_libraries"
                " and restart PostgreSQL"
            )
        return bool(available and loaded)

    async def create(self, connection: Connection) -> None:
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
            for table in TABLES:
                await _create(connection, table)
            await _set_columnstore(connection)
        except _REFUSALS as refusal:
            raise BackendUnavailable(f"TimescaleDB: {refusal.diag.message_primary}") from refusal

    async def make_room(
        self, connection: Connection, table: TimeTable, oldest: datetime, newest: datetime
    ) -> None:
        """TimescaleDB makes chunks by itself."""

    async def compacts(self, connection: Connection) -> bool:
        return (await edition(connection)).columnstore

    async def compress(self, connection: Connection, before: datetime) -> int:
        if not await self.compacts(connection):
            return 0
        chunks = await fetch(connection, _TO_COMPRESS, [before])
        return sum([await _compressed(connection, Identifier(*chunk), first) for *chunk, first in chunks])

    async def pieces(self, connection: Connection) -> list[Piece]:
        by_name = {table.name: table for table in TABLES}
        rows = await fetch(connection, _PIECES, [list(by_name)])
        return [Piece(by_name[parent], *rest) for parent, *rest in rows]

    async def drop(self, connection: Connection, piece: Piece) -> None:
        async with connection.transaction():
            await connection.execute(PATIENCE)
            await fetch(
                connection,
                "SELECT drop_chunks($1::text::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)",
                [piece.table.name, piece.end, piece.start],
            )

    async def vacate(self, connection: Connection, before: datetime) -> int:
        """Their files become empty. The chunks stay for who waits to write into one, until retention drops them."""
        chunks = await fetch(connection, _WITH_ROWS_OF_OLD, [before])
        return sum([await emptied(connection, Identifier(*chunk)) for chunk in chunks])


async def edition(connection: Connection) -> Edition:
    """Of a database that has the extension."""
    version, licence = (await fetch(connection, _EDITION))[0]
    return Edition(tuple(int(part) for part in re.findall(r"\d+", version)[:2]), licence or "")


async def _create(connection: Connection, table: TimeTable) -> None:
    """Where it is missing: to ask for an index that exists already locks all chunks, and waits for who compresses one."""
    if (await fetch(connection, "SELECT to_regclass($1) IS NOT NULL", [table.name]))[0][0]:
        return
    await connection.execute(SQL("CREATE TABLE {} ({})").format(Identifier(table.name), SQL(table.columns)))
    await connection.execute(
        SQL("SELECT create_hypertable({}, by_range({}, {}), create_default_indexes => false)").format(
            Literal(table.name), Literal(table.by), Literal(table.width)
        )
    )
    await connection.execute(SQL(table.keys))


async def _set_columnstore(connection: Connection) -> None:
    """Once, as it locks the table; also in a database whose server was of the Apache edition before."""
    found = await edition(connection)
    if not found.columnstore:
        if (await fetch(connection, _ANY_COMPRESSED))[0][0]:
            raise ColumnstoreUnreadable(f"this is TimescaleDB {found.text}")
        return
    if (await fetch(connection, _IN_COLUMNSTORE))[0][0]:
        return
    await connection.execute(
        "ALTER TABLE frames SET (timescaledb.enable_columnstore,"
        " timescaledb.segmentby = 'source_id', timescaledb.orderby = 'time')"
    )


async def _compressed(connection: Connection, chunk: Identifier, first: bool) -> bool:
    """The first time, who writes into the chunk waits until it is done; later nobody does, and readers never."""
    try:
        if first:
            await _nobody_uses(connection, chunk)
        async with connection.transaction():
            if not first and not await nobody_uses_a_snapshot(connection):
                return False
            await connection.execute(PATIENCE)
            await connection.execute(_AS_LONG_AS_IT_TAKES)
            await connection.execute(_SEEN_BY_ALL)
            name = Literal(chunk.as_string(connection))
            await connection.execute(SQL("SELECT compress_chunk({}, if_not_compressed => true)").format(name))
    except errors.LockNotAvailable:
        return False
    return True


async def _nobody_uses(connection: Connection, chunk: Identifier) -> None:
    """Compressing ends by waiting for readers. A dump reads for hours: better known before the work than after it."""
    async with connection.transaction():
        await connection.execute(PATIENCE)
        await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(chunk))
