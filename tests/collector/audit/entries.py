"""What the tests ask of the audit log's rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from pudim_collector.features.audit.rules import INSTALLATION
from pudim_collector.infra.database import database


async def rows(statement: str, *arguments: Any) -> list[dict[str, Any]]:
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), list(arguments))
        return await cursor.fetchall() if cursor.description is not None else []


async def entries(action: str | None = None) -> list[dict[str, Any]]:
    """In the order in which they were written."""
    return await rows(
        "SELECT * FROM audit_entries WHERE action = $1 OR $1::text IS NULL ORDER BY chain, sequence", action
    )


async def actions() -> list[str]:
    return [row["action"] for row in await entries()]


async def team() -> UUID:
    found: UUID = (await rows("SELECT id FROM teams LIMIT 1"))[0]["id"]
    return found


async def of_team(chain: UUID) -> dict[str, dict[str, Any]]:
    """A team's own log: the newest entry of each action."""
    return {row["action"]: row for row in await entries() if row["chain"] == chain}


__all__ = ["INSTALLATION", "actions", "entries", "of_team", "rows", "team"]
