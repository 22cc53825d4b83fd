"""The only reads and writes of who is in a team, and of what is granted on single servers."""

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
class SomebodyRecord:
    """A person in one of his teams; `team_id`, `team` and `role` are None for who is in none."""

    user_id: UUID
    name: str
    email: str
    operator: bool
    team_id: UUID | None
    team: str | None
    role: str | None


@dataclass(frozen=True)
class ServerName:
    id: UUID
    name: str


@dataclass(frozen=True)
class TokenName:
    """`maker` is what who made it is in the team, None if nobody or not any more; `of_nobody`: nobody made it.

    `scopes`, `only_servers` and `only_tags` are what it is narrowed to, None for what it is not.
    """

    id: UUID
    name: str
    role: RoleName
    of_nobody: bool
    maker: RoleName | None
    scopes: Sequence[str] | None
    only_servers: Sequence[UUID] | None
    only_tags: Sequence[str] | None


_MEMBERS: LiteralString = (
    "SELECT memberships.user_id, users.name, users.email, memberships.role, memberships.own_role, memberships.since"
    " FROM memberships JOIN users ON users.id = memberships.user_id WHERE memberships.team_id = {team}"
)


async def members(scope: Scope) -> list[MemberRecord]:
    query: LiteralString = f"{_MEMBERS} ORDER BY users.name, users.id"
    return [_member(row) for row in await rows(scope, query)]


async def everybody() -> list[SomebodyRecord]:
    """All people of the installation with their teams, by address; for who has the machine."""
    query: LiteralString = (
        "SELECT users.id, users.name, users.email, users.operator, teams.id, teams.name, coalesce(roles.name, memberships.role)"
        " FROM users LEFT JOIN memberships ON memberships.user_id = users.id"
        " LEFT JOIN teams ON teams.id = memberships.team_id LEFT JOIN roles ON roles.id = memberships.own_role"
        " ORDER BY users.email, users.id, teams.name"
    )
    async with database.connection() as connection:
        return [SomebodyRecord(*row) for row in await fetch(connection, query)]


async def put_owner(scope: Scope, user_id: UUID, now: datetime) -> str:
    """Whatever he was in the team, which is said; "" for nothing."""
    before = await find_member(scope, user_id)
    query: LiteralString = (
        "INSERT INTO memberships (team_id, user_id, role, since) VALUES ({team}, $1, 'owner', $2)"
        " ON CONFLICT (team_id, user_id) DO UPDATE SET role = 'owner', own_role = NULL RETURNING user_id"
    )
    await rows(scope, query, user_id, now)
    return before.role.role if before else ""


async def find_member(scope: Scope, user_id: UUID) -> MemberRecord | None:
    query: LiteralString = f"{_MEMBERS} AND memberships.user_id = $1"
    return next((_member(row) for row in await rows(scope, query, user_id)), None)


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


async def tokens(scope: Scope, now: datetime) -> list[TokenName]:
    """Those that are good still, by name."""
    query: LiteralString = (
        "SELECT api_tokens.id, api_tokens.name, api_tokens.role, api_tokens.own_role, made_by IS NULL,"
        " makers.role, makers.own_role, scopes, only_servers, only_tags"
        " FROM api_tokens LEFT JOIN memberships AS makers ON makers.team_id = {team} AND makers.user_id = made_by"
        " WHERE api_tokens.team = {team} AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1)"
        " ORDER BY api_tokens.name, api_tokens.id"
    )
    return [_token(row) for row in await rows(scope, query, now)]


async def server_names(scope: Scope) -> list[ServerName]:
    """Of all servers of the team, by name."""
    query: LiteralString = f"SELECT id, name FROM servers WHERE {OF_TEAM} ORDER BY name, id"  # noqa: S608 - constants
    return [ServerName(*row) for row in await rows(scope, query)]


def _member(row: Sequence[Any]) -> MemberRecord:
    user_id, name, email, role, own_role, since = row
    return MemberRecord(user_id, name, email, RoleName(role, own_role), since)


def _grant(row: Sequence[Any]) -> GrantRecord:
    grant_id, user_id, token_id, role, own_role, *rest = row
    return GrantRecord(grant_id, user_id, token_id, RoleName(role, own_role), *rest)


def _token(row: Sequence[Any]) -> TokenName:
    token_id, name, role, own_role, of_nobody, maker, makers_own, *narrowed = row
    made_by = RoleName(maker, makers_own) if maker is not None else None
    return TokenName(token_id, name, RoleName(role, own_role), of_nobody, made_by, *narrowed)
