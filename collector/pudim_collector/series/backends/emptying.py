"""How the space of a piece comes back whose rows have all been moved: without anybody missing a row."""

from __future__ import annotations

from psycopg import errors
from psycopg.sql import SQL, Identifier

from pudim_collector.series.backends import SNAPSHOT_LOCK, Connection
from pudim_collector.series.statements import fetch

PATIENCE = "SET LOCAL lock_timeout = '1s'"
"""Who waits for an exclusive lock makes everybody behind wait too; a later pass tries again."""


async def emptied(connection: Connection, piece: Identifier) -> bool:
    """Empty the file of a piece that has no rows left; late ones may come again. False where it is in use.

    TRUNCATE is seen by every snapshot at once. Who took one before the rows were moved, and lasts longer than a
    statement, would find them neither here nor in their blocks, so such a one holds SNAPSHOT_LOCK.
    """
    try:
        async with connection.transaction():
            await connection.execute(PATIENCE)
            if not await nobody_uses_a_snapshot(connection):
                return False
            await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(piece))
            cursor = await connection.execute(SQL("SELECT FROM {} LIMIT 1").format(piece))
            if cursor.rowcount:
                return False
            await connection.execute(SQL("TRUNCATE {}").format(piece))
    except errors.LockNotAvailable:
        return False
    return True


async def nobody_uses_a_snapshot(connection: Connection) -> bool:
    """And nobody begins to until the transaction ends."""
    return bool((await fetch(connection, "SELECT pg_try_advisory_xact_lock($1)", [SNAPSHOT_LOCK]))[0][0])
