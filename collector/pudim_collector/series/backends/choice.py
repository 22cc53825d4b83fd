"""Which backend keeps the frames: chosen when the database is new, then kept."""

from __future__ import annotations

from collections.abc import Sequence

from pudim_collector.series.backends import Backend, BackendUnavailable, Connection
from pudim_collector.series.backends.hypertable import Hypertable
from pudim_collector.series.backends.partitions import Partitions
from pudim_collector.series.statements import fetch

PREFERENCE: Sequence[Backend] = (Hypertable(), Partitions())


async def chosen_backend(connection: Connection, preference: Sequence[Backend] = PREFERENCE) -> Backend:
    """The backend of this database; makes the table of frames in a new one. Needs a transaction."""
    # Several processes may start at once: the first one chooses.
    await connection.execute("LOCK TABLE store IN EXCLUSIVE MODE")
    rows = await fetch(connection, "SELECT backend FROM store")
    offered = [backend for backend in preference if await backend.offered(connection)]
    if rows:
        kept = [backend for backend in offered if backend.name == rows[0][0]]
        if not kept:
            raise BackendUnavailable(f"frames are kept as {rows[0][0]}")
        return kept[0]
    if not offered:
        raise BackendUnavailable("PostgreSQL 14 or newer is needed")
    await offered[0].create(connection)
    await fetch(connection, "INSERT INTO store (backend) VALUES ($1) RETURNING backend", [offered[0].name])
    return offered[0]
