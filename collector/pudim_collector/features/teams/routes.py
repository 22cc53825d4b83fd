"""Teams in the API: one's own ones, and the one that one is in."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from pudim_collector.features.accounts.service import Accounts, NoSuchTeamError
from pudim_collector.features.factors.service import Demands, OwnFactorError, team_demand
from pudim_collector.features.teams.rules import BadTeamName, LastTeam, WrongName
from pudim_collector.features.teams.schemas import (
    SecondFactorWish,
    Team,
    TeamChoice,
    TeamPage,
    TeamSecondFactor,
    TeamWish,
)
from pudim_collector.features.teams.service import NoSuchTeam, PeopleOnly, Teams
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person, proven

Who = NamedDependency[Principal]
All = NamedDependency[Teams]
Pages = NamedDependency[Paging]
One = NamedDependency[Entity]


class OwnTeamsApi(Controller):
    path = "/api/v2"
    tags = ("Teams",)

    @get("/me/teams", opt=requires("account:read"), operation_id="list_my_teams")
    async def mine(self, principal: Who, teams: All, paging: Pages) -> TeamPage:
        """The teams that one is in, by name."""
        shown = paging.cut(await teams.of(principal), tuple[str, UUID], lambda one: (one.name, one.id))
        return TeamPage([Team.of(one) for one in shown], paging.next_cursor)

    @post(
        "/me/team",
        opt=requires("account:read", enrolling=True) | refuses(NoSuchTeamError),
        operation_id="go_to_team",
        status_code=204,
    )
    async def go(
        self, principal: Who, accounts: NamedDependency[Accounts], data: JSONBody[TeamChoice]
    ) -> None:
        """Be in another of one's teams from now on, in this browser."""
        await accounts.switch_team(principal, data.team_id)

    @post(
        "/teams",
        opt=requires("installation:teams") | refuses(BadTeamName, PeopleOnly),
        operation_id="create_team",
    )
    async def create(self, principal: Who, teams: All, data: JSONBody[TeamWish]) -> Team:
        """A further team on this installation, of which one is the owner."""
        return Team.of(await teams.create(principal, data.name))


class TeamApi(Controller):
    path = "/api/v2/team"
    tags = ("Teams",)

    @get(opt=requires("team:read") | refuses(NoSuchTeam), operation_id="get_team")
    async def team(self, principal: Who, teams: All, entity: One) -> Team:
        """The team that one is in."""
        entity.version = await teams.version(principal)
        return Team.of(await teams.team(principal))

    @patch(opt=requires("team:change") | refuses(NoSuchTeam, BadTeamName), operation_id="rename_team")
    async def rename(self, principal: Who, teams: All, entity: One, data: JSONBody[TeamWish]) -> Team:
        """Call the team otherwise."""
        async with entity.unchanged(lambda: teams.version(principal, lock=True)):
            renamed = await teams.rename(principal, data.name)
        entity.version = await teams.version(principal)
        return Team.of(renamed)

    @post(
        "/delete",
        opt=requires("team:delete") | refuses(NoSuchTeam, WrongName, LastTeam),
        operation_id="delete_team",
        status_code=204,
    )
    async def delete(self, principal: Who, teams: All, data: JSONBody[TeamWish]) -> None:
        """Delete the team with its servers and all that was stored of them. Its name is typed as it is written."""
        await teams.delete(principal, data.name)


class TeamFactorApi(Controller):
    path = "/api/v2/team/second-factor"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="get_team_second_factor")
    async def demand(
        self, principal: Who, demands: NamedDependency[Demands], entity: One
    ) -> TeamSecondFactor:
        """Whether the team demands a second factor of its members."""
        entity.version = await demands.version(principal)
        return TeamSecondFactor.of(await team_demand(principal))

    @put(
        opt=requires("team:change") | refuses(OwnFactorError),
        guards=[person, proven],
        operation_id="set_team_second_factor",
    )
    async def change(
        self,
        principal: Who,
        demands: NamedDependency[Demands],
        entity: One,
        data: JSONBody[SecondFactorWish],
    ) -> TeamSecondFactor:
        """Who has none adds one before anything else from then on. Who demands it has one himself."""
        async with entity.unchanged(lambda: demands.version(principal, lock=True)):
            await demands.change(principal, demanded=data.demanded)
        entity.version = await demands.version(principal)
        return TeamSecondFactor.of(await team_demand(principal))
