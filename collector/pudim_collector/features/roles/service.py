"""Use cases of roles: a team's own ones, and what each role allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.roles import events, queries, rules
from pudim_collector.features.roles.queries import RoleRecord
from pudim_collector.features.teams.service import changing, lock, scope_of
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.permissions import BUILT_IN, Rights, Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

RoleName: TypeAlias = queries.RoleName
TooMany: TypeAlias = rules.TooMany


class NoSuchRole(PudimError):
    """The team has no such role."""

    code = "no_such_role"
    status = 404


class TeamRole(StrEnum):
    """A built-in role; `own` is one that the team made itself, which `role_id` names."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    GUEST = "guest"
    OWN = "own"


class Roles:
    def __init__(self, clock: Clock, rights: Rights, *, emit: Callable[[object], None] = log_event) -> None:
        self._clock, self.rights, self._emit = clock, rights, emit

    async def all(self, principal: Principal) -> list[RoleRecord]:
        """The team's own ones, by name."""
        return await queries.roles(scope_of(principal))

    async def names(self, principal: Principal) -> dict[UUID, str]:
        """Of the team's own ones."""
        return {one.id: one.name for one in await self.all(principal)}

    async def choices(self, principal: Principal) -> list[dict[str, str]]:
        """What a form offers: [{value, name}], as `chosen_role` reads it."""
        own = [{"value": str(one.id), "name": one.name} for one in await self.all(principal)]
        return [{"value": role.value, "name": role.value} for role in BUILT_IN] + own

    async def one(self, principal: Principal, role_id: UUID) -> RoleRecord:
        """Raises NoSuchRole."""
        return await self._one(scope_of(principal), role_id)

    async def version(self, principal: Principal, role_id: UUID, *, locked: bool = False) -> str:
        """Of what a role allows; `locked`, nobody else changes the team until the transaction ends."""
        if locked:
            await lock(principal)
        found = await self.one(principal, role_id)
        return version_of(found.id, found.name, found.permissions)

    async def create(self, principal: Principal, name: str, permissions: Iterable[str]) -> RoleRecord:
        """Raises BadRoleName, RoleNameTaken, UnknownPermission, NotYoursToGive or TooMany."""
        role = RoleRecord(
            new_id(),
            rules.clean_role_name(name, BUILT_IN),
            rules.clean_permissions(permissions, self.rights.grantable),
            self._clock.now(),
        )
        rules.check_may_give(principal.permissions, role.permissions)
        async with changing(principal.team_id):
            scope = scope_of(principal)
            if len(await queries.roles(scope)) >= rules.MOST_ROLES:
                raise rules.TooMany(f"A team has at most {rules.MOST_ROLES} roles of its own.")
            if not await queries.insert_role(scope, role):
                raise rules.RoleNameTaken
            self._emit(events.RoleCreated(role.id, role.name, tuple(role.permissions)))
        return role

    async def change(
        self,
        principal: Principal,
        role_id: UUID,
        name: str | None = None,
        permissions: Iterable[str] | None = None,
    ) -> RoleRecord:
        """What is None stays. It takes effect with the next request of whoever has it.

        Raises NoSuchRole, BadRoleName, RoleNameTaken, UnknownPermission or NotYoursToGive.
        """
        async with changing(principal.team_id):
            scope = scope_of(principal)
            before = await self._one(scope, role_id)
            after = replace(
                before,
                name=before.name if name is None else rules.clean_role_name(name, BUILT_IN),
                permissions=before.permissions
                if permissions is None
                else rules.clean_permissions(permissions, self.rights.grantable),
            )
            # Names that no feature declares any more give nothing, so that taking them away takes nothing.
            known = frozenset(before.permissions) & self.rights.grantable
            rules.check_may_give(principal.permissions, after.permissions, known)
            others = [one for one in await queries.roles(scope) if one.id != role_id]
            if any(one.name.lower() == after.name.lower() for one in others):
                raise rules.RoleNameTaken
            await queries.update_role(scope, after)
            self._emit(events.RoleChanged(role_id, after.name, _plain(before), _plain(after)))
        return after

    async def delete(self, principal: Principal, role_id: UUID) -> None:
        """Raises NoSuchRole or RoleInUse."""
        async with changing(principal.team_id):
            scope = scope_of(principal)
            role = await self._one(scope, role_id)
            if await queries.role_is_used(scope, role_id):
                raise rules.RoleInUse
            await queries.delete_role(scope, role_id)
            self._emit(events.RoleDeleted(role_id, role.name, _plain(role)))

    # For the features that give roles to somebody

    async def check_may_give(self, principal: Principal, *given: RoleName) -> None:
        """Raises NotYoursToGive for roles that allow more than he may, or NoSuchRole."""
        scope = scope_of(principal)
        rules.check_may_give(principal.permissions, *[await self._allowed(scope, one) for one in given])

    async def name(self, scope: Scope, role: RoleName) -> str:
        """As people call it. Raises NoSuchRole."""
        return role.role if role.own_role is None else (await self._one(scope, role.own_role)).name

    async def known(self, scope: Scope) -> Callable[[RoleName], tuple[str, frozenset[str]]]:
        """What each role is called and allows, read once for many."""
        own = {one.id: one for one in await queries.roles(scope)}

        def told(role: RoleName) -> tuple[str, frozenset[str]]:
            found = own.get(role.own_role) if role.own_role else None
            allowed = self.rights.of(role.role, found.permissions if found else None)
            return (found.name if found else role.role), allowed

        return told

    @staticmethod
    async def _one(scope: Scope, role_id: UUID) -> RoleRecord:
        found = await queries.find_role(scope, role_id)
        if found is None:
            raise NoSuchRole
        return found

    async def _allowed(self, scope: Scope, role: RoleName) -> frozenset[str]:
        """What a role allows. Raises NoSuchRole."""
        if role.role == Role.OWN:
            if role.own_role is None:
                raise NoSuchRole
            return self.rights.of(Role.OWN, (await self._one(scope, role.own_role)).permissions)
        if role.role not in BUILT_IN or role.own_role is not None:
            raise NoSuchRole
        return self.rights.of(role.role)


def chosen_role(text: str) -> RoleName:
    """As a form says it: a built-in role's name or the id of an own one; what is neither is refused where roles are checked."""
    try:
        return RoleName(TeamRole.OWN.value, UUID(text))
    except ValueError:
        return RoleName(text)


def described(role: RoleName, names: Mapping[UUID, str]) -> tuple[TeamRole, UUID | None, str]:
    """As the API says it: the role, which own one, and its name."""
    name = role.role if role.own_role is None else names.get(role.own_role, role.role)
    return TeamRole(role.role), role.own_role, name


def _plain(role: RoleRecord) -> dict[str, object]:
    return {"name": role.name, "permissions": list(role.permissions)}
