"""The only reads and writes of teams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope, rows
from pudim_collector.series.statements import fetch


@dataclass(frozen=True)
class TeamRecord:
    id: UUID
    name: str


async def teams_of(user_id: UUID) -> list[TeamRecord]:
    """By name."""
    query: LiteralString = (
        "SELECT teams.id, teams.name FROM teams JOIN memberships ON memberships.team_id = teams.id"
        " WHERE memberships.user_id = $1 ORDER BY teams.name, teams.id"
    )
    return [TeamRecord(*row) for row in await _unscoped(query, user_id)]


async def every_team() -> list[TeamRecord]:
    """Of the installation, for who has the machine."""
    return [TeamRecord(*row) for row in await _unscoped("SELECT id, name FROM teams ORDER BY name, id")]


async def find_team(team_id: UUID) -> TeamRecord | None:
    found = await _unscoped("SELECT id, name FROM teams WHERE id = $1", team_id)
    return TeamRecord(*found[0]) if found else None


async def lock_team(team_id: UUID) -> TeamRecord | None:
    """Whoever changes who belongs to a team, or what its roles are, does so one after the other."""
    found = await _unscoped("SELECT id, name FROM teams WHERE id = $1 FOR UPDATE", team_id)
    return TeamRecord(*found[0]) if found else None


async def insert_team(team: TeamRecord, now: datetime) -> None:
    await _unscoped("INSERT INTO teams (id, name, created_at) VALUES ($1, $2, $3)", team.id, team.name, now)


async def insert_owner(scope: Scope, user_id: UUID, now: datetime) -> None:
    """Whoever makes a team."""
    query: LiteralString = "INSERT INTO memberships (team_id, user_id, role, since) VALUES ({team}, $1, $2, $3) RETURNING user_id"
    await rows(scope, query, user_id, Role.OWNER.value, now)


async def rename_team(team_id: UUID, name: str) -> None:
    await _unscoped("UPDATE teams SET name = $2 WHERE id = $1", team_id, name)


async def lock_all_teams() -> int:
    """How many there are; until the transaction ends nobody else deletes one."""
    found = await _unscoped("SELECT id FROM teams ORDER BY id FOR UPDATE")
    return len(found)


async def delete_team(team_id: UUID) -> None:
    """Its servers are gone already."""
    await _unscoped("DELETE FROM teams WHERE id = $1", team_id)


async def _unscoped(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)
