"""The only reads and writes of memberships, roles, grants and invitations, each within one team."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import OF_TEAM, Scope, rows
from pudim_collector.series.statements import fetch


class RoleName(NamedTuple):
    """A built-in role, or `own` and which of the team's own ones."""

    role: str
    own_role: UUID | None = None


@dataclass(frozen=True)
class TeamRecord:
    id: UUID
    name: str


@dataclass(frozen=True)
class RoleRecord:
    id: UUID
    name: str
    permissions: Sequence[str]
    created_at: datetime


@dataclass(frozen=True)
class MemberRecord:
    user_id: UUID
    name: str
    email: str
    role: RoleName
    since: datetime


@dataclass(frozen=True)
class GrantRecord:
    id: UUID
    user_id: UUID | None
    token_id: UUID | None
    role: RoleName
    server_id: UUID | None
    tag: str | None
    made_at: datetime


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


# Teams


async def teams_of(user_id: UUID) -> list[TeamRecord]:
    """By name."""
    query: LiteralString = (
        "SELECT teams.id, teams.name FROM teams JOIN memberships ON memberships.team_id = teams.id"
        " WHERE memberships.user_id = $1 ORDER BY teams.name, teams.id"
    )
    return [TeamRecord(*row) for row in await _unscoped(query, user_id)]


async def find_team(team_id: UUID) -> TeamRecord | None:
    found = await _unscoped("SELECT id, name FROM teams WHERE id = $1", team_id)
    return TeamRecord(*found[0]) if found else None


async def lock_team(team_id: UUID) -> TeamRecord | None:
    """Whoever changes who belongs to a team, or what its roles are, does so one after the other."""
    found = await _unscoped("SELECT id, name FROM teams WHERE id = $1 FOR UPDATE", team_id)
    return TeamRecord(*found[0]) if found else None


async def insert_team(team: TeamRecord, now: datetime) -> None:
    await _unscoped("INSERT INTO teams (id, name, created_at) VALUES ($1, $2, $3)", team.id, team.name, now)


async def rename_team(team_id: UUID, name: str) -> None:
    await _unscoped("UPDATE teams SET name = $2 WHERE id = $1", team_id, name)


async def lock_all_teams() -> int:
    """How many there are; until the transaction ends nobody else deletes one."""
    found = await _unscoped("SELECT id FROM teams ORDER BY id FOR UPDATE")
    return len(found)


async def delete_team(team_id: UUID) -> None:
    """Its servers are gone already."""
    await _unscoped("DELETE FROM teams WHERE id = $1", team_id)


# Members

_MEMBERS: LiteralString = (
    "SELECT memberships.user_id, users.name, users.email, memberships.role, memberships.own_role, memberships.since"
    " FROM memberships JOIN users ON users.id = memberships.user_id WHERE memberships.team_id = {team}"
)


async def members(scope: Scope) -> list[MemberRecord]:
    query: LiteralString = f"{_MEMBERS} ORDER BY users.name, users.id"
    return [_member(row) for row in await rows(scope, query)]


async def find_member(scope: Scope, user_id: UUID) -> MemberRecord | None:
    query: LiteralString = f"{_MEMBERS} AND memberships.user_id = $1"
    return next((_member(row) for row in await rows(scope, query, user_id)), None)


async def insert_member(scope: Scope, user_id: UUID, role: RoleName, now: datetime) -> bool:
    """False if he is in the team already."""
    query: LiteralString = (
        "INSERT INTO memberships (team_id, user_id, role, own_role, since) VALUES ({team}, $1, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING user_id"
    )
    return bool(await rows(scope, query, user_id, *role, now))


async def set_role(scope: Scope, user_id: UUID, role: RoleName) -> None:
    query: LiteralString = f"UPDATE memberships SET role = $2, own_role = $3 WHERE {OF_TEAM} AND user_id = $1"  # noqa: S608 - constants
    await rows(scope, query, user_id, *role)


async def remove_member(scope: Scope, user_id: UUID) -> None:
    """With what was granted to him."""
    query: LiteralString = f"DELETE FROM memberships WHERE {OF_TEAM} AND user_id = $1"  # noqa: S608 - constants
    await rows(scope, query, user_id)


async def count_owners(scope: Scope) -> int:
    query: LiteralString = f"SELECT count(*) FROM memberships WHERE {OF_TEAM} AND role = 'owner'"  # noqa: S608 - constants
    return int((await rows(scope, query))[0][0])


# Roles


async def roles(scope: Scope) -> list[RoleRecord]:
    query: LiteralString = (
        f"SELECT id, name, permissions, created_at FROM roles WHERE {OF_TEAM} ORDER BY name, id"  # noqa: S608 - constants
    )
    return [RoleRecord(*row) for row in await rows(scope, query)]


async def find_role(scope: Scope, role_id: UUID) -> RoleRecord | None:
    return next((one for one in await roles(scope) if one.id == role_id), None)


async def insert_role(scope: Scope, role: RoleRecord) -> bool:
    """False if there is one of this name."""
    query: LiteralString = (
        "INSERT INTO roles (id, team_id, name, permissions, created_at) VALUES ($1, {team}, $2, $3, $4)"
        " ON CONFLICT DO NOTHING RETURNING id"
    )
    return bool(await rows(scope, query, role.id, role.name, list(role.permissions), role.created_at))


async def update_role(scope: Scope, role: RoleRecord) -> None:
    query: LiteralString = f"UPDATE roles SET name = $2, permissions = $3 WHERE {OF_TEAM} AND id = $1"  # noqa: S608 - constants
    await rows(scope, query, role.id, role.name, list(role.permissions))


async def delete_role(scope: Scope, role_id: UUID) -> None:
    query: LiteralString = f"DELETE FROM roles WHERE {OF_TEAM} AND id = $1"  # noqa: S608 - constants
    await rows(scope, query, role_id)


async def role_is_used(scope: Scope, role_id: UUID) -> bool:
    query: LiteralString = (
        "SELECT EXISTS (SELECT FROM memberships WHERE team_id = {team} AND own_role = $1)"
        " OR EXISTS (SELECT FROM grants WHERE team_id = {team} AND own_role = $1)"
        " OR EXISTS (SELECT FROM invitations WHERE team_id = {team} AND own_role = $1)"
        " OR EXISTS (SELECT FROM api_tokens WHERE team = {team} AND own_role = $1)"
    )
    return bool((await rows(scope, query, role_id))[0][0])


# Grants

_GRANTS: LiteralString = (
    f"SELECT id, user_id, token_id, role, own_role, server_id, tag, made_at FROM grants WHERE {OF_TEAM}"  # noqa: S608 - constants
)


async def grants(scope: Scope) -> list[GrantRecord]:
    query: LiteralString = f"{_GRANTS} ORDER BY made_at, id"
    return [_grant(row) for row in await rows(scope, query)]


async def find_grant(scope: Scope, grant_id: UUID) -> GrantRecord | None:
    query: LiteralString = f"{_GRANTS} AND id = $1"
    return next((_grant(row) for row in await rows(scope, query, grant_id)), None)


async def insert_grant(scope: Scope, grant: GrantRecord) -> None:
    query: LiteralString = (
        "INSERT INTO grants (id, team_id, user_id, token_id, role, own_role, server_id, tag, made_at)"
        " VALUES ($1, {team}, $2, $3, $4, $5, $6, $7, $8)"
    )
    await rows(
        scope,
        query,
        grant.id,
        grant.user_id,
        grant.token_id,
        *grant.role,
        grant.server_id,
        grant.tag,
        grant.made_at,
    )


async def delete_grant(scope: Scope, grant_id: UUID) -> None:
    query: LiteralString = f"DELETE FROM grants WHERE {OF_TEAM} AND id = $1"  # noqa: S608 - constants
    await rows(scope, query, grant_id)


async def token_exists(scope: Scope, token_id: UUID) -> bool:
    query: LiteralString = "SELECT id FROM api_tokens WHERE team = {team} AND id = $1 AND revoked_at IS NULL"
    return bool(await rows(scope, query, token_id))


# Invitations

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


def _member(row: Sequence[Any]) -> MemberRecord:
    user_id, name, email, role, own_role, since = row
    return MemberRecord(user_id, name, email, RoleName(role, own_role), since)


def _grant(row: Sequence[Any]) -> GrantRecord:
    grant_id, user_id, token_id, role, own_role, *rest = row
    return GrantRecord(grant_id, user_id, token_id, RoleName(role, own_role), *rest)


def _invitation(row: Sequence[Any]) -> InvitationRecord:
    invitation_id, team_id, email, email_key, role, own_role, *rest = row
    return InvitationRecord(invitation_id, team_id, email, email_key, RoleName(role, own_role), *rest)


async def _unscoped(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)
