"""Which backend keeps the frames: chosen when the database is new, then kept."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pudim_collector.series.backends import Backend, BackendUnavailable, Connection, NoBackend
from pudim_collector.series.backends.hypertable import Hypertable
from pudim_collector.series.backends.partitions import Partitions
from pudim_collector.series.statements import fetch

PREFERENCE: Sequence[Backend] = (Hypertable(), Partitions())
log = logging.getLogger(__name__)


async def chosen_backend(connection: Connection, preference: Sequence[Backend] = PREFERENCE) -> Backend:
    """The backend of this database; makes the table of frames in a new one. Needs a transaction."""
    # Several processes may start at once: the first one chooses.
    await connection.execute("LOCK TABLE store IN EXCLUSIVE MODE")
    rows = await fetch(connection, "SELECT backend FROM store")
    if not rows:
        return await _choose(connection, preference)
    for backend in preference:
        if backend.name == rows[0][0] and await backend.offered(connection):
            await backend.create(connection)
            return backend
    raise BackendUnavailable(f"frames are kept as {rows[0][0]}")


async def _choose(connection: Connection, preference: Sequence[Backend]) -> Backend:
    """The first that the server offers and lets this role make."""
    for backend in preference:
        if not await backend.offered(connection):
            continue
        try:
            async with connection.transaction():
                await backend.create(connection)
        except BackendUnavailable as refusal:
            log.warning("frames are not kept as %s: %s", backend.name, refusal)
            continue
        await fetch(connection, "INSERT INTO store (backend) VALUES ($1) RETURNING backend", [backend.name])
        return backend
    raise NoBackend
