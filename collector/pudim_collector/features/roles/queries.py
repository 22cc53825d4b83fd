"""The only reads and writes of a team's own roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from pudim_collector.infra.scoping import OF_TEAM, Scope, rows


class RoleName(NamedTuple):
    """A built-in role, or `own` and which of the team's own ones."""

    role: str
    own_role: UUID | None = None


@dataclass(frozen=True)
class RoleRecord:
    id: UUID
    name: str
    permissions: Sequence[str]
    created_at: datetime


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
