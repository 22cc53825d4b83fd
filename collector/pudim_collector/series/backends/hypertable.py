"""Frames in a TimescaleDB hypertable: chunks are made as rows arrive."""

from __future__ import annotations

from datetime import datetime

from pudim_collector.series.backends import Connection
from pudim_collector.series.statements import fetch


class Hypertable:
    name = "hypertable"

    async def offered(self, connection: Connection) -> bool:
        return bool(
            await fetch(connection, "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        )

    async def create(self, connection: Connection) -> None:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        await connection.execute(
            "CREATE TABLE frames (source_id integer NOT NULL, time timestamptz NOT NULL, values float8[] NOT NULL)"
        )
        await connection.execute(
            "SELECT create_hypertable('frames', by_range('time', INTERVAL '1 day'), create_default_indexes => false)"
        )
        await connection.execute("CREATE INDEX frames_source_time ON frames (source_id, time)")

    async def make_room(self, connection: Connection, oldest: datetime, newest: datetime) -> None:
        """TimescaleDB makes chunks by itself."""
