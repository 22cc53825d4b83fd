"""Teams in the API: one's own teams, members, roles, grants and invitations of the team that one is in."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.accounts.service import Accounts, NoSuchTeamError
from pudim_collector.features.factors.service import Demands, OwnFactorError, team_demand
from pudim_collector.features.teams.rules import (
    AlreadyMember,
    BadGrantTarget,
    BadRoleName,
    BadTeamName,
    LastOwner,
    LastTeam,
    RoleInUse,
    RoleNameTaken,
    TooMany,
    UnknownPermission,
    WrongName,
)
from pudim_collector.features.teams.schemas import (
    HeldPermission,
    HeldPermissionPage,
    MadeTeamInvitation,
    Member,
    MemberPage,
    NewGrant,
    NewOwner,
    NewRole,
    NewTeamInvitation,
    OwnRole,
    OwnRolePage,
    PermissionKind,
    PermissionKindPage,
    RoleChanges,
    RoleChoice,
    RoleGrant,
    RoleGrantPage,
    SecondFactorWish,
    Team,
    TeamChoice,
    TeamInvitation,
    TeamInvitationPage,
    TeamPage,
    TeamSecondFactor,
    TeamWish,
)
from pudim_collector.features.teams.service import (
    NoSuchGrant,
    NoSuchInvitation,
    NoSuchMember,
    NoSuchRole,
    NoSuchTeam,
    NoSuchToken,
    PeopleOnly,
    Teams,
    own_names,
)
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.scoping import NoSuchServer
from pudim_collector.infra.sudo import person, proven

Who = NamedDependency[Principal]
All = NamedDependency[Teams]
Pages = NamedDependency[Paging]
One = NamedDependency[Entity]
_ROLE_REFUSALS = (BadRoleName, RoleNameTaken, UnknownPermission)


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

    @post(
        "/leave",
        opt=requires("account:read") | refuses(PeopleOnly, NoSuchMember, LastOwner),
        operation_id="leave_team",
        status_code=204,
    )
    async def leave(self, principal: Who, teams: All) -> None:
        """Be in this team no more."""
        await teams.leave(principal)

    @post(
        "/owner",
        opt=requires("owners:manage") | refuses(PeopleOnly, NoSuchMember),
        operation_id="hand_team_over",
        status_code=204,
    )
    async def hand_over(self, principal: Who, teams: All, data: JSONBody[NewOwner]) -> None:
        """Make another member an owner, and be an admin from then on."""
        await teams.hand_over(principal, data.user_id)

    @get("/permissions", opt=requires("team:read"), operation_id="list_permissions")
    async def permissions(self, teams: All, paging: Pages) -> PermissionKindPage:
        """All that can be permitted, by name, and which built-in roles have it."""
        shown = paging.cut(teams.rights.declared.items(), tuple[str], lambda one: (one[0],))
        kinds = [PermissionKind.of(name, one, teams.rights) for name, one in shown]
        return PermissionKindPage(kinds, paging.next_cursor)


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


class MembersApi(Controller):
    path = "/api/v2/team/members"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_members")
    async def members(self, principal: Who, teams: All, paging: Pages) -> MemberPage:
        """Who is in the team, by name."""
        names = own_names(await teams.roles(principal))
        found = [Member.of(one, names) for one in await teams.members(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.user_id))
        return MemberPage(shown, paging.next_cursor)

    @get("/{user_id:uuid}", opt=requires("team:read") | refuses(NoSuchMember), operation_id="get_member")
    async def member(self, principal: Who, teams: All, user_id: FromPath[UUID], entity: One) -> Member:
        """Who somebody in the team is, and what he is there."""
        entity.version = await teams.version_of_member(principal, user_id)
        names = own_names(await teams.roles(principal))
        return Member.of(await teams.member(principal, user_id), names)

    @patch(
        "/{user_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchMember, NoSuchRole, LastOwner),
        operation_id="change_member",
        status_code=204,
    )
    async def change(
        self, principal: Who, teams: All, user_id: FromPath[UUID], entity: One, data: JSONBody[RoleChoice]
    ) -> None:
        """Give a member another role."""
        async with entity.unchanged(lambda: teams.version_of_member(principal, user_id, lock=True)):
            await teams.change_role(principal, user_id, data.name())

    @delete(
        "/{user_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchMember, LastOwner),
        operation_id="remove_member",
    )
    async def remove(self, principal: Who, teams: All, user_id: FromPath[UUID], entity: One) -> None:
        """Let a member be in the team no more. API tokens that he made for it end."""
        async with entity.unchanged(lambda: teams.version_of_member(principal, user_id, lock=True)):
            await teams.remove(principal, user_id)

    @get(
        "/{user_id:uuid}/permissions",
        opt=requires("team:read") | refuses(NoSuchMember),
        operation_id="list_permissions_of_member",
    )
    async def held(
        self, principal: Who, teams: All, user_id: FromPath[UUID], paging: Pages
    ) -> HeldPermissionPage:
        """What a member may do here, and why."""
        found = [HeldPermission.of(one) for one in await teams.held_by(principal, user_id)]
        shown = paging.cut(found, tuple[str], lambda one: (one.permission,))
        return HeldPermissionPage(shown, paging.next_cursor)


class RolesApi(Controller):
    path = "/api/v2/team/roles"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_roles")
    async def roles(self, principal: Who, teams: All, paging: Pages) -> OwnRolePage:
        """The roles that the team made itself, by name."""
        found = [OwnRole.of(one) for one in await teams.roles(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return OwnRolePage(shown, paging.next_cursor)

    @post(opt=requires("roles:manage") | refuses(TooMany, *_ROLE_REFUSALS), operation_id="create_role")
    async def create(self, principal: Who, teams: All, data: JSONBody[NewRole]) -> OwnRole:
        """A role made of permissions that one has oneself."""
        return OwnRole.of(await teams.create_role(principal, data.name, data.permissions))

    @get("/{role_id:uuid}", opt=requires("team:read") | refuses(NoSuchRole), operation_id="get_role")
    async def role(self, principal: Who, teams: All, role_id: FromPath[UUID], entity: One) -> OwnRole:
        """One of the roles that the team made itself."""
        entity.version = await teams.version_of_role(principal, role_id)
        return OwnRole.of(await teams.role(principal, role_id))

    @patch(
        "/{role_id:uuid}",
        opt=requires("roles:manage") | refuses(NoSuchRole, *_ROLE_REFUSALS),
        operation_id="change_role",
    )
    async def change(
        self, principal: Who, teams: All, role_id: FromPath[UUID], entity: One, data: JSONBody[RoleChanges]
    ) -> OwnRole:
        """What it allows from the next request on of whoever has it."""
        async with entity.unchanged(lambda: teams.version_of_role(principal, role_id, lock=True)):
            role = await teams.change_role_itself(principal, role_id, data.name, data.permissions)
        entity.version = await teams.version_of_role(principal, role_id)
        return OwnRole.of(role)

    @delete(
        "/{role_id:uuid}",
        opt=requires("roles:manage") | refuses(NoSuchRole, RoleInUse),
        operation_id="delete_role",
    )
    async def remove(self, principal: Who, teams: All, role_id: FromPath[UUID], entity: One) -> None:
        """A role that nobody has."""
        async with entity.unchanged(lambda: teams.version_of_role(principal, role_id, lock=True)):
            await teams.delete_role(principal, role_id)


class GrantsApi(Controller):
    path = "/api/v2/team/grants"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_grants")
    async def grants(self, principal: Who, teams: All, paging: Pages) -> RoleGrantPage:
        """Roles on single servers and on tags, in the order in which they were granted."""
        names = own_names(await teams.roles(principal))
        found = [RoleGrant.of(one, names) for one in await teams.grants(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.made_at.isoformat(), one.id))
        return RoleGrantPage(shown, paging.next_cursor)

    @post(
        opt=requires("members:manage")
        | refuses(BadGrantTarget, NoSuchMember, NoSuchToken, NoSuchServer, NoSuchRole, TooMany),
        operation_id="grant_role",
    )
    async def grant(self, principal: Who, teams: All, data: JSONBody[NewGrant]) -> RoleGrant:
        """Give a member or an API token a role on one server, or on all with a tag."""
        choice = RoleChoice(data.role, data.role_id).name()
        made = await teams.grant(principal, choice, data.user_id, data.token_id, data.server_id, data.tag)
        return RoleGrant.of(made, own_names(await teams.roles(principal)))

    @delete(
        "/{grant_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchGrant, NoSuchRole),
        operation_id="withdraw_grant",
    )
    async def withdraw(self, principal: Who, teams: All, grant_id: FromPath[UUID]) -> None:
        await teams.withdraw(principal, grant_id)


class TeamInvitationsApi(Controller):
    path = "/api/v2/team/invitations"
    tags = ("Teams",)

    @get(opt=requires("members:manage"), operation_id="list_invitations")
    async def invitations(self, principal: Who, teams: All, paging: Pages) -> TeamInvitationPage:
        """Who is invited and did not join yet, by address."""
        names = own_names(await teams.roles(principal))
        found = [TeamInvitation.of(one, names) for one in await teams.invitations(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.email, one.id))
        return TeamInvitationPage(shown, paging.next_cursor)

    @post(
        opt=requires("members:manage") | refuses(NoSuchRole, AlreadyMember, TooMany),
        operation_id="invite_member",
    )
    async def invite(
        self,
        principal: Who,
        teams: All,
        public_address: NamedDependency[str],
        data: JSONBody[NewTeamInvitation],
    ) -> MadeTeamInvitation:
        """A link by which whoever has that address joins the team within a week."""
        made = await teams.invite(principal, data.email, RoleChoice(data.role, data.role_id).name())
        names = own_names(await teams.roles(principal))
        link = f"{public_address}/invitations/{made.secret}"
        return MadeTeamInvitation(link, TeamInvitation.of(made.record, names))

    @delete(
        "/{invitation_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchInvitation),
        operation_id="withdraw_invitation",
    )
    async def withdraw(self, principal: Who, teams: All, invitation_id: FromPath[UUID]) -> None:
        """Its link is good for nothing any more."""
        await teams.withdraw_invitation(principal, invitation_id)
