"""Use cases around teams themselves: make, rename and end one, and change one by one what belongs to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol, TypeAlias
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.teams import events, queries, rules
from pudim_collector.features.teams.queries import TeamRecord
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

ATeam: TypeAlias = TeamRecord


class NoSuchTeam(PudimError):
    """There is no such team."""

    code = "no_such_team"
    status = 404


class SeveralTeams(PudimError):
    """There are several teams."""

    code = "several_teams"
    hint = "Name one by its id with --team; `pudim admin people list` shows them."


class PeopleOnly(PudimError):
    """Only a person is in a team: an API token belongs to it."""

    code = "people_only"
    status = 409


class Removal(Protocol):
    """Takes a team's servers away with all that was stored of them; the composition root brings it."""

    async def __call__(self, team_id: UUID) -> int:
        """How many there were."""
        ...


class Teams:
    def __init__(
        self, clock: Clock, remove_servers: Removal, *, emit: Callable[[object], None] = log_event
    ) -> None:
        self._clock, self._remove_servers, self._emit = clock, remove_servers, emit

    async def team(self, principal: Principal) -> TeamRecord:
        """The one that he is in. Raises NoSuchTeam."""
        return await self.by_id(principal.team_id)

    @staticmethod
    async def by_id(team_id: UUID) -> TeamRecord:
        """Raises NoSuchTeam."""
        found = await queries.find_team(team_id)
        if found is None:
            raise NoSuchTeam
        return found

    @staticmethod
    async def only() -> TeamRecord:
        """Where there is one. Raises SeveralTeams."""
        found = await queries.every_team()
        if len(found) != 1:
            raise SeveralTeams
        return found[0]

    async def of(self, principal: Principal) -> list[TeamRecord]:
        """All teams of a person; a token's own one."""
        if principal.kind is PrincipalKind.USER:
            return await queries.teams_of(principal.id)
        return [await self.team(principal)]

    async def create(self, principal: Principal, name: str) -> TeamRecord:
        """Whoever makes it is its owner. Raises BadTeamName or PeopleOnly."""
        must_be_person(principal)
        team = TeamRecord(new_id(), rules.clean_team_name(name))
        now = self._clock.now()
        async with database.transaction():
            await queries.insert_team(team, now)
            await queries.insert_owner(Scope(team.id), principal.id, now)
            self._emit(events.TeamCreated(team.id, team.name))
        return team

    async def version(self, principal: Principal, *, lock: bool = False) -> str:
        """Of what the team is called; with `lock` nobody else changes the team until the transaction ends."""
        found = await (queries.lock_team if lock else queries.find_team)(principal.team_id)
        if found is None:
            raise NoSuchTeam
        return version_of(found.id, found.name)

    async def rename(self, principal: Principal, name: str) -> TeamRecord:
        """Raises BadTeamName."""
        name = rules.clean_team_name(name)
        async with changing(principal.team_id) as team:
            await queries.rename_team(team.id, name)
            self._emit(events.TeamRenamed(team.id, {"name": team.name}, {"name": name}))
        return replace(team, name=name)

    async def delete(self, principal: Principal, typed: str) -> None:
        """With its servers and all that was stored of them. Raises WrongName or LastTeam."""
        async with database.transaction():
            if await queries.lock_all_teams() < 2:  # noqa: PLR2004 - this one and another
                raise rules.LastTeam
            team = await self.team(principal)
            if typed.strip() != team.name:
                raise rules.WrongName
            servers = await self._remove_servers(team.id)
            self._emit(events.TeamDeleted(team.id, team.name, servers))
            await queries.delete_team(team.id)


@asynccontextmanager
async def changing(team_id: UUID) -> AsyncIterator[TeamRecord]:
    """A transaction in which nobody else changes who belongs to the team, or what its roles are. Raises NoSuchTeam."""
    async with database.transaction():
        team = await queries.lock_team(team_id)
        if team is None:
            raise NoSuchTeam
        yield team


async def lock(principal: Principal) -> None:
    """Nobody else changes his team until the transaction that is open ends."""
    await queries.lock_team(principal.team_id)


def scope_of(principal: Principal) -> Scope:
    """All of the team that he is in; what he may there was decided before."""
    return Scope(principal.team_id, None, principal.fleet)


def must_be_person(principal: Principal) -> None:
    """Raises PeopleOnly."""
    if principal.kind is not PrincipalKind.USER:
        raise PeopleOnly
