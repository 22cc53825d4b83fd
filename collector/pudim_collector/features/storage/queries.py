"""The only reads and writes of the store's history of sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from pudim_collector.infra.database import Connection
from pudim_collector.series.backends import Piece
from pudim_collector.series.sizes import Counted
from pudim_collector.series.statements import fetch

_READ_COUNTS = "SELECT name, bytes, rows, samples, oldest, newest FROM storage_pieces"
_WRITE_COUNT = """
INSERT INTO storage_pieces (name, bytes, rows, samples, oldest, newest) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET
    bytes = excluded.bytes, rows = excluded.rows, samples = excluded.samples,
    oldest = excluded.oldest, newest = excluded.newest
"""
_FORGET_COUNTS = "DELETE FROM storage_pieces WHERE name <> ALL ($1)"
_WRITE_DAY = """
INSERT INTO storage_days (day, raw, minute, hour, database) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (day) DO UPDATE SET
    raw = excluded.raw, minute = excluded.minute, hour = excluded.hour, database = excluded.database
"""
_READ_DAYS = "SELECT day, raw, minute, hour, database FROM storage_days WHERE day >= $1 ORDER BY day"

Day = tuple[date, int, int, int, int]


async def counts(connection: Connection) -> dict[str, tuple[int, Counted]]:
    """By the piece's name: the bytes it had then, and what was counted."""
    rows = await fetch(connection, _READ_COUNTS)
    return {name: (size, Counted(*found)) for name, size, *found in rows}


async def write_count(connection: Connection, piece: Piece, found: Counted) -> None:
    await connection.execute(_WRITE_COUNT, [piece.name, piece.bytes, *found])


async def forget_counts(connection: Connection, kept: Sequence[Piece]) -> None:
    """Of all pieces but these."""
    await connection.execute(_FORGET_COUNTS, [[piece.name for piece in kept]])


async def write_day(connection: Connection, day: date, tiers: Mapping[str, int], database: int) -> None:
    await connection.execute(_WRITE_DAY, [day, tiers["raw"], tiers["minute"], tiers["hour"], database])


async def days_since(connection: Connection, first: date) -> list[Day]:
    """Day, bytes of raw, minute and hour, and of the whole database, oldest first."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in await fetch(connection, _READ_DAYS, [first])]
