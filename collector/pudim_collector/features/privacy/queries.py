"""All reads and writes of who is deleted, and of how long rows are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.personal import REMOVED_AT_ONCE, Kept, Person, bound

_PERSON = """
SELECT users.id, users.name, users.email, users.email_key,
    ARRAY(SELECT api_tokens.id FROM api_tokens WHERE api_tokens.made_by = users.id),
    users.language
FROM users
"""
# Whoever changes who belongs to a team locks its row first, as this does.
_LOCK_TEAMS = """
SELECT teams.id FROM teams
WHERE teams.id IN (SELECT memberships.team_id FROM memberships WHERE memberships.user_id = $1)
ORDER BY teams.id FOR UPDATE
"""
_OWNED_ALONE = """
SELECT teams.name FROM memberships AS his JOIN teams ON teams.id = his.team_id
WHERE his.user_id = $1 AND his.role = 'owner' AND NOT EXISTS (
    SELECT FROM memberships AS others
    WHERE others.team_id = his.team_id AND others.role = 'owner' AND others.user_id <> $1
)
ORDER BY teams.name, teams.id
"""
_LAST_OPERATOR = """
SELECT users.operator AND NOT EXISTS (SELECT FROM users AS others WHERE others.operator AND others.id <> $1)
FROM users WHERE users.id = $1
"""


async def find_person(user_id: UUID) -> Person | None:
    async with database.connection() as connection:
        return await _person(connection, f"{_PERSON} WHERE users.id = $1", user_id)


async def find_by_email(email_key: str) -> Person | None:
    async with database.connection() as connection:
        return await _person(connection, f"{_PERSON} WHERE users.email_key = $1", email_key)


async def lock_person(connection: Connection, user_id: UUID) -> Person | None:
    """Until the transaction ends, nothing that refers to him is added."""
    # One operator after the other, so that two cannot go at the same time.
    await connection.execute("SELECT id FROM users WHERE operator ORDER BY id FOR UPDATE")
    return await _person(connection, f"{_PERSON} WHERE users.id = $1 FOR UPDATE OF users", user_id)


async def lock_teams(connection: Connection, user_id: UUID) -> list[UUID]:
    """Those that he is in."""
    return [row[0] for row in await (await connection.execute(_LOCK_TEAMS, [user_id])).fetchall()]


async def owned_alone(connection: Connection, user_id: UUID) -> list[str]:
    return [row[0] for row in await (await connection.execute(_OWNED_ALONE, [user_id])).fetchall()]


async def is_last_operator(connection: Connection, user_id: UUID) -> bool:
    row = await (await connection.execute(_LAST_OPERATOR, [user_id])).fetchone()
    return row is not None and bool(row[0])


async def add_deleted(connection: Connection, person: Person, now: datetime) -> None:
    await connection.execute(
        "INSERT INTO deleted_people (id, pseudonym, tokens, deleted_at) VALUES ($1, $2, $3, $4)",
        [person.id, person.pseudonym, list(person.tokens), now],
    )


async def deleted_since(since: datetime) -> list[Person]:
    """With nothing but what is left of them."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT id, tokens FROM deleted_people WHERE deleted_at >= $1 ORDER BY deleted_at", [since]
        )
        return [Person(row[0], "", "", "", tuple(row[1])) for row in await cursor.fetchall()]


async def changed_days() -> dict[str, int]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT name, days FROM retention_days")
        return dict(await cursor.fetchall())


async def set_days(name: str, days: int) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO retention_days (name, days) VALUES ($1, $2)"
            " ON CONFLICT (name) DO UPDATE SET days = excluded.days",
            [name, days],
        )


async def remove(kept: Kept, before: datetime) -> int:
    """How many were removed of those that are older, at most REMOVED_AT_ONCE."""
    statement, values = bound(
        kept.remove, {"before": ("timestamptz", before), "most": ("bigint", REMOVED_AT_ONCE)}
    )
    async with database.connection() as connection:
        return (await connection.execute(statement, values)).rowcount


async def _person(connection: Connection, statement: str, found_by: object) -> Person | None:
    query: Any = statement
    row = await (await connection.execute(query, [found_by])).fetchone()
    if row is None:
        return None
    person_id, name, email, email_key, tokens, language = row
    return Person(person_id, name, email, email_key, tuple(tokens), language)
