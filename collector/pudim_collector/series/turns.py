"""Whose turn it is to roll up and to drop: the elected process', pass by pass, or a command's that has to be alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from psycopg.sql import SQL, Literal

from pudim_collector.infra.database import PsycopgEngine, SessionSettings, connect

_LOCK = 0x7075_6469_6D03  # "pudim" and a number of ours
_SESSION = SessionSettings("pudim upkeep's turn", timedelta(0))


@asynccontextmanager
async def upkeep_turn(database: PsycopgEngine) -> AsyncIterator[None]:
    """Wait for the turn, and keep it meanwhile; it ends with the connection, however this process ends."""
    connection = await connect(database.conninfo, _SESSION)
    try:
        await connection.execute(SQL("SELECT pg_advisory_lock({})").format(Literal(_LOCK)))
        yield
    finally:
        await connection.close()
