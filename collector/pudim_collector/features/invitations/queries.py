"""The only reads and writes of invitations, and of who comes into a team by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from pudim_collector.features.roles.service import RoleName
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import OF_TEAM, Scope, rows
from pudim_collector.series.statements import fetch


@dataclass(frozen=True)
class InvitationRecord:
    id: UUID
    team_id: UUID
    email: str
    email_key: str
    role: RoleName
    made_by: UUID | None
    created_at: datetime
    expires_at: datetime


_INVITATIONS: LiteralString = (
    "SELECT id, team_id, email, email_key, role, own_role, made_by, created_at, expires_at FROM invitations"
)


async def invitations(scope: Scope) -> list[InvitationRecord]:
    query: LiteralString = f"{_INVITATIONS} WHERE {OF_TEAM} ORDER BY email, id"
    return [_invitation(row) for row in await rows(scope, query)]


async def replace_invitation(scope: Scope, invitation: InvitationRecord, secret_hash: bytes) -> None:
    """The address' earlier one is void."""
    void: LiteralString = f"DELETE FROM invitations WHERE {OF_TEAM} AND email_key = $1"  # noqa: S608 - constants
    await rows(scope, void, invitation.email_key)
    query: LiteralString = (
        "INSERT INTO invitations"
        " (id, team_id, email, email_key, role, own_role, secret_hash, made_by, created_at, expires_at)"
        " VALUES ($1, {team}, $2, $3, $4, $5, $6, $7, $8, $9)"
    )
    await rows(
        scope,
        query,
        invitation.id,
        invitation.email,
        invitation.email_key,
        *invitation.role,
        secret_hash,
        invitation.made_by,
        invitation.created_at,
        invitation.expires_at,
    )


async def delete_invitation(scope: Scope, invitation_id: UUID) -> str | None:
    """Its address, None if there is none."""
    query: LiteralString = f"DELETE FROM invitations WHERE {OF_TEAM} AND id = $1 RETURNING email"  # noqa: S608 - constants
    found = await rows(scope, query, invitation_id)
    return str(found[0][0]) if found else None


async def find_invitation(secret_hash: bytes, now: datetime) -> InvitationRecord | None:
    """Who shows the secret needs nothing else: it says which team it is for."""
    query: LiteralString = f"{_INVITATIONS} WHERE secret_hash = $1 AND expires_at > $2"
    return next((_invitation(row) for row in await _unscoped(query, secret_hash, now)), None)


async def use_invitation(invitation_id: UUID) -> bool:
    """Whether it was this call that used it."""
    return bool(await _unscoped("DELETE FROM invitations WHERE id = $1 RETURNING id", invitation_id))


async def insert_member(scope: Scope, user_id: UUID, role: RoleName, now: datetime) -> bool:
    """False if he is in the team already."""
    query: LiteralString = (
        "INSERT INTO memberships (team_id, user_id, role, own_role, since) VALUES ({team}, $1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING user_id"
    )
    return bool(await rows(scope, query, user_id, *role, now))


async def is_member(scope: Scope, user_id: UUID) -> bool:
    query: LiteralString = f"SELECT user_id FROM memberships WHERE {OF_TEAM} AND user_id = $1"  # noqa: S608 - constants
    return bool(await rows(scope, query, user_id))


def _invitation(row: Sequence[Any]) -> InvitationRecord:
    invitation_id, team_id, email, email_key, role, own_role, *rest = row
    return InvitationRecord(invitation_id, team_id, email, email_key, RoleName(role, own_role), *rest)


async def _unscoped(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)
