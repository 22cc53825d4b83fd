"""Frames in a TimescaleDB hypertable: chunks are made as rows arrive."""

from __future__ import annotations

import logging
from datetime import datetime

from psycopg import errors

from pudim_collector.series.backends import BackendUnavailable, Connection
from pudim_collector.series.statements import fetch

log = logging.getLogger(__name__)

# What its loader has defined is the sign that it is loaded: shared_preload_libraries is shown to few roles.
_AVAILABLE_AND_LOADED = """
SELECT
    EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
    EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load')
"""
_REFUSALS = (
    errors.InsufficientPrivilege,
    errors.FeatureNotSupported,  # a hosted server's list of allowed extensions
    errors.UndefinedFile,  # its control file is there, its library is not
    errors.UndefinedFunction,  # older than 2.13, or outside of this role's search_path
)


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
            await connection.execute(
                "CREATE TABLE frames (source_id integer NOT NULL, time timestamptz NOT NULL, values float8[] NOT NULL)"
            )
            await connection.execute(
                "SELECT create_hypertable('frames', by_range('time', INTERVAL '1 day'), create_default_indexes => false)"
            )
            await connection.execute("CREATE INDEX frames_source_time ON frames (source_id, time)")
        except _REFUSALS as refusal:
            raise BackendUnavailable(f"TimescaleDB: {refusal.diag.message_primary}") from refusal

    async def make_room(self, connection: Connection, oldest: datetime, newest: datetime) -> None:
        """TimescaleDB makes chunks by itself."""
