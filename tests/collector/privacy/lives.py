"""Somebody who left traces everywhere that a collector keeps any, and where they are looked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Litestar
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.invitations import queries as invitations
from pudim_collector.features.invitations.queries import InvitationRecord
from pudim_collector.features.members import queries as members
from pudim_collector.features.members.queries import GrantRecord
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.teams.people import Someone, a_member, a_server, ask

NAME, ADDRESS = "Grace Hopperova", "198.51.100.77"
EMAIL = f"{NAME}@example.org".replace(" ", ".").lower()
AGENT = "Nanobrowser/47 (COBOL machine)"


async def rows(statement: str, *arguments: Any) -> list[dict[str, Any]]:
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), list(arguments))
        return await cursor.fetchall() if cursor.description is not None else []


async def somebody_busy(app: Litestar, runtime: Runtime, team: UUID) -> Someone:
    """An admin with rows of every kind, as much of it as can be by asking over HTTP."""
    person, now = await a_member(runtime, team, Role.ADMIN, "grace"), runtime.clock.now()
    await rows("UPDATE users SET name = $2, email = $3, email_key = $3 WHERE id = $1", person.id, NAME, EMAIL)
    await rows(
        "UPDATE sessions SET proved_at = now(), address = $2, user_agent = $3 WHERE user_id = $1",
        person.id,
        ADDRESS,
        AGENT,
    )
    server = await a_server(runtime, team, "web-1", "web")
    for method, path, body in (
        ("POST", "/api/v2/tokens", {"name": "laptop of Grace Hopperova"}),
        ("PATCH", f"/api/v2/servers/{server}", {"name": "web-2"}),
        ("PATCH", "/api/v2/me", {"name": NAME, "language": "pt-BR"}),
    ):
        answer = await ask(app, person, method, path, body)
        assert answer.status_code in {200, 201}, answer.text
    later = now + timedelta(days=1)
    for statement, arguments in (
        ("INSERT INTO known_devices VALUES ($1, $2, $3, $4, $4)", (new_id(), person.id, b"d", now)),
        (
            "INSERT INTO half_sessions VALUES ($1, $2, $3, 'factor', '/', $4, $5)",
            (new_id(), person.id, b"h", now, later),
        ),
        (
            "INSERT INTO passkeys VALUES ($1, $2, 'phone', $3, $3, 0, $4, NULL)",
            (new_id(), person.id, b"p", now),
        ),
        (
            "INSERT INTO totp_secrets (id, user_id, sealed, created_at) VALUES ($1, $2, $3, $4)",
            (new_id(), person.id, b"t", now),
        ),
        (
            "INSERT INTO email_changes VALUES ($1, $2, 'new@example.org', $3, $4)",
            (new_id(), person.id, b"e", later),
        ),
        (
            (
                "INSERT INTO mail_outbox (id, recipient, template, content, made_at, expires_at, next_at)"
                " VALUES ($1, $2, 'new_device', $3, $4, $5, $4)"
            ),
            (new_id(), EMAIL.title(), b"m", now, later),
        ),
        (
            (
                "INSERT INTO commands (id, server_id, action, args, actor, asked_at, wait_until)"
                " VALUES ($1, $2, 'restart_unit', '{}', $3, $4, $5)"
            ),
            (new_id(), server, EMAIL, now, later),
        ),
        (
            "INSERT INTO api_deprecated_uses VALUES ($1, 'old_one', $2, 'user', $3, 1, $4, $4)",
            (team, person.id, NAME, now),
        ),
    ):
        await rows(statement, *arguments)
    await runtime.attempts.begin("password", EMAIL, ADDRESS)
    invitation = InvitationRecord(new_id(), team, EMAIL, EMAIL, RoleName(Role.VIEWER), None, now, later)
    await invitations.replace_invitation(Scope(team), invitation, b"i")
    await members.insert_grant(
        Scope(team), GrantRecord(new_id(), person.id, None, RoleName(Role.DEVELOPER), server, None, now)
    )
    return person


async def everything() -> dict[str, str]:
    """All rows of all tables, as one text each."""
    tables = await rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    async with database.connection() as connection:
        for table in tables:
            cursor = await connection.execute(
                SQL("SELECT coalesce(string_agg(one::text, chr(10)), '') FROM {} AS one").format(
                    Identifier(table["name"])
                )
            )
            row = await cursor.fetchone()
            found[table["name"]] = row[0] if row else ""
    return found


async def traces(*wanted: str) -> dict[str, list[str]]:
    """In which tables something is still written."""
    return {
        one: found
        for one in wanted
        if (found := [name for name, text in (await everything()).items() if one.lower() in text.lower()])
    }
