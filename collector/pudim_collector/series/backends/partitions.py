"""Tables in native range partitions, made ahead and dropped whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from psycopg.sql import SQL, Composed, Identifier, Literal

from pudim_collector.series.backends import EPOCH, FRAMES, TABLES, Connection, Piece, TimeTable
from pudim_collector.series.backends.emptying import PATIENCE, emptied
from pudim_collector.series.statements import fetch

OLDEST_SERVER = 160_000
_PIECES = """
SELECT parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid), pg_total_relation_size(child.oid)
FROM pg_inherits
JOIN pg_class AS child ON child.oid = inhrelid
JOIN pg_class AS parent ON parent.oid = inhparent
WHERE parent.relname = ANY ($1) AND parent.relnamespace = current_schema()::regnamespace
"""
_ROOM_LOCK = 0x7075_6469_6D05  # "pudim" and a number of ours
_THERE = "SELECT to_regclass($1) IS NOT NULL"
_RANGES = """
SELECT pg_get_expr(child.relpartbound, child.oid)
FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
WHERE inhparent = $1::regclass
"""
_RANGE = re.compile(r"FOR VALUES FROM \('([^']+)'\) TO \('([^']+)'\)")


class Partitions:
    name = "partitions"

    async def offered(self, connection: Connection) -> bool:
        return connection.info.server_version >= OLDEST_SERVER

    async def create(self, connection: Connection) -> None:
        for table in TABLES:
            # Asked first: to find an index that is there locks its table, behind a commit and before all others.
            if not (await fetch(connection, _THERE, [table.name]))[0][0]:
                await connection.execute(_create(table))
                await connection.execute(SQL(table.keys))

    async def make_room(
        self, connection: Connection, table: TimeTable, oldest: datetime, newest: datetime
    ) -> None:
        starts = await _missing(connection, table, oldest, newest)
        if starts:
            # One process at a time, and then what another one has made meanwhile is seen.
            await fetch(connection, "SELECT pg_advisory_xact_lock($1)", [_ROOM_LOCK])
            starts = await _missing(connection, table, oldest, newest)
        for start in starts:
            # Attached, and not made as a partition: that would wait for every reader, with all writers behind it.
            await connection.execute(_create_piece(table, start))
            await connection.execute(_attach_piece(table, start))

    async def compacts(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's
        return False

    async def compress(self, connection: Connection, before: datetime) -> int:  # noqa: ARG002 - the port's
        return 0

    async def pieces(self, connection: Connection) -> list[Piece]:
        by_name = {table.name: table for table in TABLES}
        rows = await fetch(connection, _PIECES, [list(by_name)])
        found = [Piece(by_name[parent], name, *_range(bounds), size) for parent, name, bounds, size in rows]
        return sorted(found, key=lambda piece: (piece.start, piece.name))

    async def drop(self, connection: Connection, piece: Piece) -> None:
        async with connection.transaction():
            await connection.execute(PATIENCE)
            await connection.execute(SQL("DROP TABLE IF EXISTS {}").format(Identifier(piece.name)))

    async def vacate(self, connection: Connection, before: datetime) -> int:
        ended = [one for one in await self.pieces(connection) if one.table is FRAMES and one.end <= before]
        return sum([await _vacated(connection, piece) for piece in ended])


async def _missing(
    connection: Connection, table: TimeTable, oldest: datetime, newest: datetime
) -> list[datetime]:
    """The beginnings of pieces that no partition covers."""
    ranges = [_range(row[0]) for row in await fetch(connection, _RANGES, [table.name])]
    found, start = [], table.start_of(oldest)
    while start <= newest:
        if not any(first <= start < end for first, end in ranges):
            found.append(start)
        start += table.width
    return found


async def _vacated(connection: Connection, piece: Piece) -> bool:
    size = (await fetch(connection, "SELECT pg_relation_size($1::regclass)", [piece.name]))[0][0]
    return bool(size) and await emptied(connection, Identifier(piece.name))


def _create(table: TimeTable) -> Composed:
    return SQL("CREATE TABLE IF NOT EXISTS {} ({}) PARTITION BY RANGE ({})").format(
        Identifier(table.name),
        SQL(table.columns),
        Identifier(table.by),
    )


def _name(table: TimeTable, start: datetime) -> str:
    return f"{table.name}_{start:%Y%m%d%H}"


def _create_piece(table: TimeTable, start: datetime) -> Composed:
    return SQL("CREATE TABLE {} (LIKE {} INCLUDING STORAGE)").format(
        Identifier(_name(table, start)), Identifier(table.name)
    )


def _attach_piece(table: TimeTable, start: datetime) -> Composed:
    return SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
        Identifier(table.name), Identifier(_name(table, start)), Literal(start), Literal(start + table.width)
    )


def _range(bounds: str) -> tuple[datetime, datetime]:
    """From and to; where there is none, as of a default partition that somebody made, it is empty."""
    found = _RANGE.fullmatch(bounds)
    if found is None:
        return EPOCH, EPOCH
    start, end = (datetime.fromisoformat(text).astimezone(UTC) for text in found.groups())
    return start, end
