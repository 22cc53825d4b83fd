"""What a piece holds, counted: for figures that people read, never on the way of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import AsyncRawCursor
from psycopg.sql import SQL, Identifier

from pudim_collector.series.backends import EPOCH, FRAMES, Connection, Piece
from pudim_collector.series.blocks import unpack_times
from pudim_collector.series.statements import fetch, run


class Counted(NamedTuple):
    """`rows` are times of sources, `samples` are values in them; `oldest` and `newest` are None where there is none."""

    rows: int
    samples: int
    oldest: datetime | None
    newest: datetime | None


class Edition(NamedTuple):
    """What keeps the frames: PostgreSQL's version, and TimescaleDB's with its licence, where it is there."""

    postgresql: str
    timescaledb: str | None
    licence: str | None


class Waiting(NamedTuple):
    """What the upkeep has not done: notes of commits, units of a source and an hour; when it last did what is recent."""

    notes: int
    units: int
    rolled_until: datetime | None


_BLOCKS = """
SELECT coalesce(sum(found.rows), 0)::bigint, coalesce(sum(found.rows * width.series), 0)::bigint, min(found.oldest), max(found.newest)
FROM (
    SELECT source_id, sum(rows) AS rows, min(start) AS oldest, max(start) AS newest FROM {}
    WHERE start >= $1 AND start < $2 GROUP BY source_id
) AS found
JOIN sources USING (source_id)
JOIN (SELECT layout_id, jsonb_array_length(series) AS series FROM layouts) AS width USING (layout_id)
"""
_TOGETHER = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint FROM unnest($1::text[]) AS name"
_TIMES = "SELECT times FROM {} WHERE start = $1 LIMIT 1000"


async def counted(connection: Connection, piece: Piece) -> Counted:
    """Rows and samples of one piece of any table."""
    if piece.table is FRAMES:
        return Counted(*(await run(connection, "count_frames", piece.start, piece.end))[0])
    table = Identifier(piece.table.name)
    cursor = AsyncRawCursor(connection)
    await cursor.execute(SQL(_BLOCKS).format(table), [piece.start, piece.end])
    ((rows, samples, first, last),) = await cursor.fetchall()
    if not rows:
        return Counted(0, 0, None, None)
    oldest = min(start for start, _ in await _spans(connection, table, first))
    return Counted(rows, samples, oldest, max(end for _, end in await _spans(connection, table, last)))


async def bytes_of(connection: Connection, tables: Sequence[str]) -> int:
    """Of tables together, with their indexes."""
    row = await (await connection.execute(_TOGETHER, [list(tables)])).fetchone()
    return int(row[0]) if row else 0


async def _spans(
    connection: Connection, table: Identifier, start: datetime
) -> list[tuple[datetime, datetime]]:
    """The first and last time in each block that starts then."""
    cursor = AsyncRawCursor(connection)
    await cursor.execute(SQL(_TIMES).format(table), [start])
    found = [unpack_times(times) for (times,) in await cursor.fetchall()]
    return [(_moment(int(times[0])), _moment(int(times[-1]))) for times in found if len(times)]


def _moment(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


async def edition(connection: Connection) -> Edition:
    return Edition(*(await run(connection, "edition"))[0])


async def waiting(connection: Connection) -> Waiting:
    return Waiting(*(await run(connection, "waiting"))[0])


async def database_bytes(connection: Connection) -> int:
    return int((await fetch(connection, "SELECT pg_database_size(current_database())"))[0][0])
