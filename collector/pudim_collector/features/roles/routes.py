"""Roles in the API: what can be permitted at all, and the team's own roles."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.roles.rules import (
    BadRoleName,
    RoleInUse,
    RoleNameTaken,
    TooMany,
    UnknownPermission,
)
from pudim_collector.features.roles.schemas import (
    NewRole,
    OwnRole,
    OwnRolePage,
    PermissionKind,
    PermissionKindPage,
    RoleChanges,
)
from pudim_collector.features.roles.service import NoSuchRole, Roles
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires

Who = NamedDependency[Principal]
All = NamedDependency[Roles]
Pages = NamedDependency[Paging]
One = NamedDependency[Entity]
_REFUSALS = (BadRoleName, RoleNameTaken, UnknownPermission)


class PermissionsApi(Controller):
    path = "/api/v2/team/permissions"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_permissions")
    async def permissions(self, roles: All, paging: Pages) -> PermissionKindPage:
        """All that can be permitted, by name, and which built-in roles have it."""
        shown = paging.cut(roles.rights.declared.items(), tuple[str], lambda one: (one[0],))
        kinds = [PermissionKind.of(name, one, roles.rights) for name, one in shown]
        return PermissionKindPage(kinds, paging.next_cursor)


class RolesApi(Controller):
    path = "/api/v2/team/roles"
    tags = ("Teams",)

    @get(opt=requires("team:read"), operation_id="list_roles")
    async def roles(self, principal: Who, roles: All, paging: Pages) -> OwnRolePage:
        """The roles that the team made itself, by name."""
        found = [OwnRole.of(one) for one in await roles.all(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return OwnRolePage(shown, paging.next_cursor)

    @post(opt=requires("roles:manage") | refuses(TooMany, *_REFUSALS), operation_id="create_role")
    async def create(self, principal: Who, roles: All, data: JSONBody[NewRole]) -> OwnRole:
        """A role made of permissions that one has oneself."""
        return OwnRole.of(await roles.create(principal, data.name, data.permissions))

    @get("/{role_id:uuid}", opt=requires("team:read") | refuses(NoSuchRole), operation_id="get_role")
    async def role(self, principal: Who, roles: All, role_id: FromPath[UUID], entity: One) -> OwnRole:
        """One of the roles that the team made itself."""
        entity.version = await roles.version(principal, role_id)
        return OwnRole.of(await roles.one(principal, role_id))

    @patch(
        "/{role_id:uuid}",
        opt=requires("roles:manage") | refuses(NoSuchRole, *_REFUSALS),
        operation_id="change_role",
    )
    async def change(
        self, principal: Who, roles: All, role_id: FromPath[UUID], entity: One, data: JSONBody[RoleChanges]
    ) -> OwnRole:
        """What it allows from the next request on of whoever has it."""
        async with entity.unchanged(lambda: roles.version(principal, role_id, locked=True)):
            role = await roles.change(principal, role_id, data.name, data.permissions)
        entity.version = await roles.version(principal, role_id)
        return OwnRole.of(role)

    @delete(
        "/{role_id:uuid}",
        opt=requires("roles:manage") | refuses(NoSuchRole, RoleInUse),
        operation_id="delete_role",
    )
    async def remove(self, principal: Who, roles: All, role_id: FromPath[UUID], entity: One) -> None:
        """A role that nobody has."""
        async with entity.unchanged(lambda: roles.version(principal, role_id, locked=True)):
            await roles.delete(principal, role_id)
