"""Frames in native range partitions, one a UTC day, made ahead."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from psycopg.sql import SQL, Identifier, Literal

from pudim_collector.series.backends import Connection

DAY = timedelta(days=1)
OLDEST_SERVER = 140_000


class Partitions:
    name = "partitions"

    async def offered(self, connection: Connection) -> bool:
        return connection.info.server_version >= OLDEST_SERVER

    async def create(self, connection: Connection) -> None:
        await connection.execute(
            "CREATE TABLE frames (source_id integer NOT NULL, time timestamptz NOT NULL, values float8[] NOT NULL)"
            " PARTITION BY RANGE (time)"
        )
        await connection.execute("CREATE INDEX frames_source_time ON frames (source_id, time)")

    async def make_room(self, connection: Connection, oldest: datetime, newest: datetime) -> None:
        for day in days(oldest, newest):
            await connection.execute(
                SQL("CREATE TABLE IF NOT EXISTS {} PARTITION OF frames FOR VALUES FROM ({}) TO ({})").format(
                    Identifier(f"frames_{day:%Y%m%d}"), Literal(day), Literal(day + DAY)
                )
            )


def days(oldest: datetime, newest: datetime) -> list[datetime]:
    """Midnights (UTC) of every day from `oldest`'s to `newest`'s."""
    first = datetime.combine(oldest.astimezone(UTC).date(), time(), UTC)
    return [first + n * DAY for n in range((newest - first) // DAY + 1)]
