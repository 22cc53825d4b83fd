"""Tables in TimescaleDB hypertables: chunks are made as rows arrive."""

from __future__ import annotations

import logging
from datetime import datetime

from psycopg import errors
from psycopg.sql import SQL, Identifier, Literal

from pudim_collector.series.backends import TABLES, BackendUnavailable, Connection, Piece, TimeTable
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
            for table in TABLES:
                await _create(connection, table)
        except _REFUSALS as refusal:
            raise BackendUnavailable(f"TimescaleDB: {refusal.diag.message_primary}") from refusal

    async def make_room(
        self, connection: Connection, table: TimeTable, oldest: datetime, newest: datetime
    ) -> None:
        """TimescaleDB makes chunks by itself."""

    async def compacts(self, connection: Connection) -> bool:  # noqa: ARG002 - the port's
        return False

    async def compress(self, connection: Connection, before: datetime) -> int:  # noqa: ARG002 - the port's
        return 0

    async def pieces(self, connection: Connection) -> list[Piece]:  # noqa: ARG002 - the port's
        return []

    async def drop(self, connection: Connection, piece: Piece) -> None:
        raise NotImplementedError

    async def vacate(self, connection: Connection, before: datetime) -> int:  # noqa: ARG002 - the port's
        return 0


async def _create(connection: Connection, table: TimeTable) -> None:
    name = Identifier(table.name)
    await connection.execute(SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(name, SQL(table.columns)))
    await connection.execute(
        SQL(
            "SELECT create_hypertable({}, by_range({}, {}), create_default_indexes => false, if_not_exists => true)"
        ).format(Literal(table.name), Literal(table.by), Literal(table.width))
    )
    await connection.execute(SQL(table.keys))
