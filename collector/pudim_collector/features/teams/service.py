"""Use cases around teams: members and their roles, own roles, grants on servers, invitations, and a team's end."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts, log_event
from pudim_collector.features.teams import events, queries, rules
from pudim_collector.features.teams.queries import (
    GrantRecord,
    InvitationRecord,
    MemberRecord,
    RoleName,
    RoleRecord,
    TeamRecord,
)
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import BUILT_IN, Rights, Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id


class NoSuchTeam(PudimError):
    """There is no such team."""

    code = "no_such_team"
    status = 404


class NoSuchMember(PudimError):
    """There is no such member of the team."""

    code = "no_such_member"
    status = 404


class NoSuchRole(PudimError):
    """The team has no such role."""

    code = "no_such_role"
    status = 404


class NoSuchGrant(PudimError):
    """There is no such grant in the team."""

    code = "no_such_grant"
    status = 404


class NoSuchToken(PudimError):
    """There is no such API token."""

    code = "no_such_token"
    status = 404


class NoSuchInvitation(PudimError):
    """This invitation was used or withdrawn, has expired, or never was one."""

    code = "no_such_invitation"
    status = 404
    hint = "Ask whoever invited you for a new one."


class PeopleOnly(PudimError):
    """Only a person is in a team: an API token belongs to it."""

    code = "people_only"
    status = 409


class Removal(Protocol):
    """Takes a team's servers away with all that was stored of them; the composition root brings it."""

    async def __call__(self, team_id: UUID) -> int:
        """How many there were."""
        ...


@dataclass(frozen=True)
class Held:
    """A permission with where it comes from: `why` names roles and, for some servers only, where."""

    permission: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class NewInvitation:
    """`secret` is known only now; its link is /invitations/<secret>."""

    secret: str = field(repr=False)
    record: InvitationRecord


class Teams:
    def __init__(
        self,
        clock: Clock,
        rights: Rights,
        accounts: Accounts,
        remove_servers: Removal,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._clock, self.rights, self._accounts = clock, rights, accounts
        self._remove_servers, self._emit = remove_servers, emit

    # Teams

    async def team(self, principal: Principal) -> TeamRecord:
        """The one that he is in. Raises NoSuchTeam."""
        found = await queries.find_team(principal.team_id)
        if found is None:
            raise NoSuchTeam
        return found

    async def of(self, principal: Principal) -> list[TeamRecord]:
        """All teams of a person; a token's own one."""
        if principal.kind is PrincipalKind.USER:
            return await queries.teams_of(principal.id)
        return [await self.team(principal)]

    async def create(self, principal: Principal, name: str) -> TeamRecord:
        """Whoever makes it is its owner. Raises BadTeamName or PeopleOnly."""
        _must_be_person(principal)
        team = TeamRecord(new_id(), rules.clean_team_name(name))
        now = self._clock.now()
        async with database.transaction():
            await queries.insert_team(team, now)
            await queries.insert_member(Scope(team.id), principal.id, RoleName(Role.OWNER), now)
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
        async with self._changing(principal.team_id) as team:
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

    # Members

    async def members(self, principal: Principal) -> list[MemberRecord]:
        return await queries.members(_team_of(principal))

    async def member(self, principal: Principal, user_id: UUID) -> MemberRecord:
        """Raises NoSuchMember."""
        return await self._member(_team_of(principal), user_id)

    async def version_of_member(self, principal: Principal, user_id: UUID, *, lock: bool = False) -> str:
        """Of what a member is; with `lock` nobody else changes the team until the transaction ends."""
        if lock:
            await queries.lock_team(principal.team_id)
        found = await self.member(principal, user_id)
        return version_of(found.user_id, found.role)

    async def change_role(self, principal: Principal, user_id: UUID, role: RoleName) -> None:
        """Raises NoSuchMember, NoSuchRole, NotYoursToGive or LastOwner."""
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            member = await self._member(scope, user_id)
            given, taken = await self._allowed(scope, role), await self._allowed(scope, member.role)
            rules.check_may_give(self._givable(principal), given, taken)
            await queries.set_role(scope, user_id, role)
            rules.check_owners(await queries.count_owners(scope))
            before, after = await self._name(scope, member.role), await self._name(scope, role)
            self._emit(events.MemberChanged(user_id, {"role": before}, {"role": after}))

    async def remove(self, principal: Principal, user_id: UUID) -> None:
        """His tokens in this team end with it. Raises NoSuchMember, NotYoursToGive or LastOwner."""
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            member = await self._member(scope, user_id)
            rules.check_may_give(self._givable(principal), await self._allowed(scope, member.role))
            before = await self._name(scope, member.role)
            await queries.remove_member(scope, user_id)
            rules.check_owners(await queries.count_owners(scope))
            self._emit(events.MemberRemoved(user_id, {"role": before}))

    async def leave(self, principal: Principal) -> None:
        """Raises PeopleOnly or LastOwner."""
        _must_be_person(principal)
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            member = await self._member(scope, principal.id)
            before = await self._name(scope, member.role)
            await queries.remove_member(scope, principal.id)
            rules.check_owners(await queries.count_owners(scope))
            self._emit(events.MemberLeft(principal.id, {"role": before}))

    async def hand_over(self, principal: Principal, user_id: UUID) -> None:
        """Another member becomes an owner, and who hands over an admin. Raises PeopleOnly or NoSuchMember."""
        _must_be_person(principal)
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            member = await self._member(scope, user_id)
            before = await self._name(scope, member.role)
            await queries.set_role(scope, principal.id, RoleName(Role.ADMIN))
            await queries.set_role(scope, user_id, RoleName(Role.OWNER))
            self._emit(events.TeamHandedOver(user_id, {"role": before}, {"role": Role.OWNER.value}))

    async def held_by(self, principal: Principal, user_id: UUID) -> list[Held]:
        """What a member may here, and why. Raises NoSuchMember."""
        scope = _team_of(principal)
        member = await self._member(scope, user_id)
        own = {one.id: one for one in await queries.roles(scope)}
        found: dict[str, list[str]] = {}
        for permission in self._rights_of(member.role, own):
            found.setdefault(permission, []).append(f"role {_said(member.role, own)}")
        for grant in await queries.grants(scope):
            if grant.user_id == user_id:
                where = f"on {grant.server_id}" if grant.tag is None else f"on servers tagged {grant.tag}"
                for permission in self._rights_of(grant.role, own) & self.rights.on_servers:
                    found.setdefault(permission, []).append(f"role {_said(grant.role, own)} {where}")
        return [Held(permission, tuple(found[permission])) for permission in sorted(found)]

    # Roles

    async def roles(self, principal: Principal) -> list[RoleRecord]:
        """The team's own ones, by name."""
        return await queries.roles(_team_of(principal))

    async def role(self, principal: Principal, role_id: UUID) -> RoleRecord:
        """Raises NoSuchRole."""
        return await self._role(_team_of(principal), role_id)

    async def version_of_role(self, principal: Principal, role_id: UUID, *, lock: bool = False) -> str:
        """Of what a role allows; with `lock` nobody else changes the team until the transaction ends."""
        if lock:
            await queries.lock_team(principal.team_id)
        found = await self.role(principal, role_id)
        return version_of(found.id, found.name, found.permissions)

    async def create_role(self, principal: Principal, name: str, permissions: Iterable[str]) -> RoleRecord:
        """Raises BadRoleName, RoleNameTaken, UnknownPermission, NotYoursToGive or TooMany."""
        role = RoleRecord(
            new_id(),
            rules.clean_role_name(name, BUILT_IN),
            rules.clean_permissions(permissions, self.rights.grantable),
            self._clock.now(),
        )
        rules.check_may_give(self._givable(principal), role.permissions)
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            if len(await queries.roles(scope)) >= rules.MOST_ROLES:
                raise rules.TooMany(f"A team has at most {rules.MOST_ROLES} roles of its own.")
            if not await queries.insert_role(scope, role):
                raise rules.RoleNameTaken
            self._emit(events.RoleCreated(role.id, role.name, tuple(role.permissions)))
        return role

    async def change_role_itself(
        self,
        principal: Principal,
        role_id: UUID,
        name: str | None = None,
        permissions: Iterable[str] | None = None,
    ) -> RoleRecord:
        """What is None stays. It takes effect with the next request of whoever has it.

        Raises NoSuchRole, BadRoleName, RoleNameTaken, UnknownPermission or NotYoursToGive.
        """
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            before = await self._role(scope, role_id)
            after = replace(
                before,
                name=before.name if name is None else rules.clean_role_name(name, BUILT_IN),
                permissions=before.permissions
                if permissions is None
                else rules.clean_permissions(permissions, self.rights.grantable),
            )
            # Names that no feature declares any more give nothing, so that taking them away takes nothing.
            known = frozenset(before.permissions) & self.rights.grantable
            rules.check_may_give(self._givable(principal), after.permissions, known)
            others = [one for one in await queries.roles(scope) if one.id != role_id]
            if any(one.name.lower() == after.name.lower() for one in others):
                raise rules.RoleNameTaken
            await queries.update_role(scope, after)
            self._emit(events.RoleChanged(role_id, after.name, _plain(before), _plain(after)))
        return after

    async def delete_role(self, principal: Principal, role_id: UUID) -> None:
        """Raises NoSuchRole or RoleInUse."""
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            role = await self._role(scope, role_id)
            if await queries.role_is_used(scope, role_id):
                raise rules.RoleInUse
            await queries.delete_role(scope, role_id)
            self._emit(events.RoleDeleted(role_id, role.name, _plain(role)))

    # Grants

    async def grants(self, principal: Principal) -> list[GrantRecord]:
        return await queries.grants(_team_of(principal))

    async def grant(  # noqa: PLR0917 - whom, what and where
        self,
        principal: Principal,
        role: RoleName,
        user_id: UUID | None = None,
        token_id: UUID | None = None,
        server_id: UUID | None = None,
        tag: str | None = None,
    ) -> GrantRecord:
        """A role for a member, or an API token, on one server or on all with a tag.

        Raises BadGrantTarget, NoSuchMember, NoSuchToken, NoSuchServer, NoSuchRole, NotYoursToGive or TooMany.
        """
        tag = None if tag is None else tag.strip()
        if not rules.is_target(user_id, token_id, server_id, tag):
            raise rules.BadGrantTarget
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            if user_id is not None:
                await self._member(scope, user_id)
            if token_id is not None and not await queries.token_exists(scope, token_id):
                raise NoSuchToken
            if server_id is not None:
                Scope(principal.team_id, None, principal.fleet).existing([server_id])
            rules.check_may_give(self._givable(principal), await self._allowed(scope, role))
            if len(await queries.grants(scope)) >= rules.MOST_GRANTS:
                raise rules.TooMany(f"A team has at most {rules.MOST_GRANTS} grants.")
            made = GrantRecord(new_id(), user_id, token_id, role, server_id, tag, self._clock.now())
            await queries.insert_grant(scope, made)
            said = await self._name(scope, role)
            self._emit(events.GrantMade(made.id, said, user_id, token_id, server_id, tag))
        return made

    async def withdraw(self, principal: Principal, grant_id: UUID) -> None:
        """Raises NoSuchGrant or NotYoursToGive."""
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            found = await queries.find_grant(scope, grant_id)
            if found is None:
                raise NoSuchGrant
            rules.check_may_give(self._givable(principal), await self._allowed(scope, found.role))
            await queries.delete_grant(scope, grant_id)
            said = await self._name(scope, found.role)
            self._emit(
                events.GrantWithdrawn(
                    grant_id, said, found.user_id, found.token_id, found.server_id, found.tag
                )
            )

    # Invitations

    async def invitations(self, principal: Principal) -> list[InvitationRecord]:
        """Those that can still be used, by address."""
        now = self._clock.now()
        return [one for one in await queries.invitations(_team_of(principal)) if one.expires_at > now]

    async def invite(self, principal: Principal, email: str, role: RoleName) -> NewInvitation:
        """Whoever has this address may join within a week; an earlier invitation of his is void.

        Raises EmailRefusedError, NoSuchRole, NotYoursToGive, AlreadyMember or TooMany.
        """
        key = self._accounts.email_key(email)
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        async with self._changing(principal.team_id):
            scope = _team_of(principal)
            rules.check_may_give(self._givable(principal), await self._allowed(scope, role))
            known = await self._accounts.user_by_email(email)
            if known is not None and await queries.find_member(scope, known.id) is not None:
                raise rules.AlreadyMember
            if len(await queries.invitations(scope)) >= rules.MOST_INVITATIONS:
                raise rules.TooMany(f"A team has at most {rules.MOST_INVITATIONS} open invitations.")
            made_by = principal.id if principal.kind is PrincipalKind.USER else None
            made = InvitationRecord(
                new_id(), scope.team_id, email.strip(), key, role, made_by, now, now + rules.INVITATION_LIFE
            )
            await queries.replace_invitation(scope, made, _digest(secret))
            self._emit(events.InvitationMade(made.id, made.email, await self._name(scope, role)))
        return NewInvitation(secret, made)

    async def withdraw_invitation(self, principal: Principal, invitation_id: UUID) -> None:
        """Raises NoSuchInvitation."""
        async with database.transaction():
            email = await queries.delete_invitation(_team_of(principal), invitation_id)
            if email is None:
                raise NoSuchInvitation
            self._emit(events.InvitationWithdrawn(invitation_id, email))

    async def invitation(self, secret: str) -> tuple[InvitationRecord, TeamRecord, bool]:
        """With its team, and whether who is invited has an account. Raises NoSuchInvitation."""
        found = await queries.find_invitation(_digest(secret), self._clock.now())
        team = await queries.find_team(found.team_id) if found else None
        if found is None or team is None:
            raise NoSuchInvitation
        return found, team, await self._accounts.user_by_email(found.email) is not None

    async def accept(self, principal: Principal, secret: str) -> TeamRecord:
        """Who is signed in joins. Raises NoSuchInvitation, WrongRecipient, PeopleOnly or AlreadyMember."""
        _must_be_person(principal)
        found, team, _ = await self.invitation(secret)
        if self._accounts.email_key(principal.email or "") != found.email_key:
            raise rules.WrongRecipient
        await self._join(found, principal.id)
        return team

    async def accept_as_new(self, secret: str, *, name: str, password: str) -> TeamRecord:
        """Make the account that was invited, and join; it signs in like any other afterwards.

        Raises NoSuchInvitation, EmailTakenError or an AccountError.
        """
        found, team, _ = await self.invitation(secret)
        prepared = await self._accounts.prepare_person(name=name, email=found.email, password=password)
        async with database.transaction():
            await self._accounts.add_person(prepared)
            await self._join(found, prepared.id)
        return team

    async def _join(self, found: InvitationRecord, user_id: UUID) -> None:
        scope = Scope(found.team_id)
        async with self._changing(found.team_id):
            if not await queries.use_invitation(found.id):
                raise NoSuchInvitation
            if not await queries.insert_member(scope, user_id, found.role, self._clock.now()):
                raise rules.AlreadyMember
            said = await self._name(scope, found.role)
            self._emit(events.MemberJoined(user_id, found.team_id, said, found.made_by))

    # Within

    @asynccontextmanager
    async def _changing(self, team_id: UUID) -> AsyncIterator[TeamRecord]:
        """One change of a team at a time."""
        async with database.transaction():
            team = await queries.lock_team(team_id)
            if team is None:
                raise NoSuchTeam
            yield team

    @staticmethod
    def _givable(principal: Principal) -> frozenset[str]:
        return frozenset(principal.permissions)

    @staticmethod
    async def _member(scope: Scope, user_id: UUID) -> MemberRecord:
        found = await queries.find_member(scope, user_id)
        if found is None:
            raise NoSuchMember
        return found

    @staticmethod
    async def _role(scope: Scope, role_id: UUID) -> RoleRecord:
        found = await queries.find_role(scope, role_id)
        if found is None:
            raise NoSuchRole
        return found

    async def _allowed(self, scope: Scope, role: RoleName) -> frozenset[str]:
        """What a role allows. Raises NoSuchRole."""
        if role.role == Role.OWN:
            if role.own_role is None:
                raise NoSuchRole
            return self.rights.of(Role.OWN, (await self._role(scope, role.own_role)).permissions)
        if role.role not in BUILT_IN or role.own_role is not None:
            raise NoSuchRole
        return self.rights.of(role.role)

    async def _name(self, scope: Scope, role: RoleName) -> str:
        return role.role if role.own_role is None else (await self._role(scope, role.own_role)).name

    def _rights_of(self, role: RoleName, own: dict[UUID, RoleRecord]) -> frozenset[str]:
        found = own.get(role.own_role) if role.own_role else None
        return self.rights.of(role.role, found.permissions if found else None)


def _plain(role: RoleRecord) -> dict[str, object]:
    return {"name": role.name, "permissions": list(role.permissions)}


def own_names(found: Sequence[RoleRecord]) -> dict[UUID, str]:
    return {one.id: one.name for one in found}


def _said(role: RoleName, own: dict[UUID, RoleRecord]) -> str:
    found = own.get(role.own_role) if role.own_role else None
    return found.name if found else role.role


def _team_of(principal: Principal) -> Scope:
    return Scope(principal.team_id, None, principal.fleet)


def _must_be_person(principal: Principal) -> None:
    if principal.kind is not PrincipalKind.USER:
        raise PeopleOnly


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
