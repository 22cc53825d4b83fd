"""Members and grants in the API: who is in the team, as what, and who may what and why."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.members.rules import BadGrantTarget, LastOwner
from pudim_collector.features.members.schemas import (
    HeldPermission,
    HeldPermissionPage,
    Member,
    MemberPage,
    NewGrant,
    NewOwner,
    PermissionHolder,
    PermissionHolderPage,
    RoleChoice,
    RoleGrant,
    RoleGrantPage,
)
from pudim_collector.features.members.service import (
    Members,
    NoSuchGrant,
    NoSuchMember,
    NoSuchPermission,
    NoTokenToGrant,
)
from pudim_collector.features.roles.service import NoSuchRole, Roles, TooMany
from pudim_collector.features.teams.service import PeopleOnly
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.scoping import NoSuchServer

Who = NamedDependency[Principal]
Pages = NamedDependency[Paging]
One = NamedDependency[Entity]


class MembersApi(Controller):
    path = "/api/v2/team/members"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_members")
    async def members(
        self, principal: Who, members: NamedDependency[Members], roles: NamedDependency[Roles], paging: Pages
    ) -> MemberPage:
        """Who is in the team, by name."""
        names = await roles.names(principal)
        found = [Member.of(one, names) for one in await members.all(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.user_id))
        return MemberPage(shown, paging.next_cursor)

    @get("/{user_id:uuid}", opt=requires("team:read") | refuses(NoSuchMember), operation_id="get_member")
    async def member(
        self,
        principal: Who,
        members: NamedDependency[Members],
        roles: NamedDependency[Roles],
        user_id: FromPath[UUID],
        entity: One,
    ) -> Member:
        """Who somebody in the team is, and what he is there."""
        entity.version = await members.version(principal, user_id)
        return Member.of(await members.one(principal, user_id), await roles.names(principal))

    @patch(
        "/{user_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchMember, NoSuchRole, LastOwner),
        operation_id="change_member",
        status_code=204,
    )
    async def change(
        self,
        principal: Who,
        members: NamedDependency[Members],
        user_id: FromPath[UUID],
        entity: One,
        data: JSONBody[RoleChoice],
    ) -> None:
        """Give a member another role."""
        async with entity.unchanged(lambda: members.version(principal, user_id, locked=True)):
            await members.change_role(principal, user_id, data.name())

    @delete(
        "/{user_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchMember, LastOwner),
        operation_id="remove_member",
    )
    async def remove(
        self, principal: Who, members: NamedDependency[Members], user_id: FromPath[UUID], entity: One
    ) -> None:
        """Let a member be in the team no more. API tokens that he made for it end."""
        async with entity.unchanged(lambda: members.version(principal, user_id, locked=True)):
            await members.remove(principal, user_id)

    @get(
        "/{user_id:uuid}/permissions",
        opt=requires("team:read") | refuses(NoSuchMember),
        operation_id="list_permissions_of_member",
    )
    async def held(
        self, principal: Who, members: NamedDependency[Members], user_id: FromPath[UUID], paging: Pages
    ) -> HeldPermissionPage:
        """What a member may here, and why."""
        found = [HeldPermission.of(one) for one in await members.held_by(principal, user_id)]
        shown = paging.cut(found, tuple[str], lambda one: (one.permission,))
        return HeldPermissionPage(shown, paging.next_cursor)


class OwnershipApi(Controller):
    path = "/api/v2/team"
    tags = ("Teams",)

    @post(
        "/leave",
        opt=requires("account:read") | refuses(PeopleOnly, NoSuchMember, LastOwner),
        operation_id="leave_team",
        status_code=204,
    )
    async def leave(self, principal: Who, members: NamedDependency[Members]) -> None:
        """Be in this team no more."""
        await members.leave(principal)

    @post(
        "/owner",
        opt=requires("owners:manage") | refuses(PeopleOnly, NoSuchMember),
        operation_id="hand_team_over",
        status_code=204,
    )
    async def hand_over(
        self, principal: Who, members: NamedDependency[Members], data: JSONBody[NewOwner]
    ) -> None:
        """Make another member an owner, and be an admin from then on."""
        await members.hand_over(principal, data.user_id)

    @get(
        "/permissions/{name:str}/holders",
        opt=requires("team:read") | refuses(NoSuchPermission),
        operation_id="list_holders",
    )
    async def holders(
        self, principal: Who, members: NamedDependency[Members], name: FromPath[str], paging: Pages
    ) -> PermissionHolderPage:
        """Which members and API tokens have a permission, by name, and why."""
        found = [PermissionHolder.of(one) for one in await members.holders_of(principal, name)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return PermissionHolderPage(shown, paging.next_cursor)


class GrantsApi(Controller):
    path = "/api/v2/team/grants"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_grants")
    async def grants(
        self, principal: Who, members: NamedDependency[Members], roles: NamedDependency[Roles], paging: Pages
    ) -> RoleGrantPage:
        """Roles on single servers and on tags, in the order in which they were granted."""
        names = await roles.names(principal)
        found = [RoleGrant.of(one, names) for one in await members.grants(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.made_at.isoformat(), one.id))
        return RoleGrantPage(shown, paging.next_cursor)

    @post(
        opt=requires("members:manage")
        | refuses(BadGrantTarget, NoSuchMember, NoTokenToGrant, NoSuchServer, NoSuchRole, TooMany),
        operation_id="grant_role",
    )
    async def grant(
        self,
        principal: Who,
        members: NamedDependency[Members],
        roles: NamedDependency[Roles],
        data: JSONBody[NewGrant],
    ) -> RoleGrant:
        """Give a member or an API token a role on one server, or on all with a tag."""
        choice = RoleChoice(data.role, data.role_id).name()
        made = await members.grant(principal, choice, data.user_id, data.token_id, data.server_id, data.tag)
        return RoleGrant.of(made, await roles.names(principal))

    @delete(
        "/{grant_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchGrant, NoSuchRole),
        operation_id="withdraw_grant",
    )
    async def withdraw(
        self, principal: Who, members: NamedDependency[Members], grant_id: FromPath[UUID]
    ) -> None:
        await members.withdraw(principal, grant_id)
