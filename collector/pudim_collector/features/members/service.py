"""Use cases of a team's members: their roles, what is granted to them on single servers, and who may what and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.members import events, queries, rules
from pudim_collector.features.members.queries import GrantRecord, MemberRecord, ServerName
from pudim_collector.features.roles.service import RoleName, Roles, TooMany
from pudim_collector.features.teams.service import changing, lock, must_be_person, scope_of
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

AMember: TypeAlias = MemberRecord


class NoSuchMember(PudimError):
    """There is no such member of the team."""

    code = "no_such_member"
    status = 404


class NoSuchGrant(PudimError):
    """There is no such grant in the team."""

    code = "no_such_grant"
    status = 404


class NoTokenToGrant(PudimError):
    """There is no such API token."""

    code = "no_such_token"
    status = 404


class NoSuchPermission(PudimError):
    """There is no such permission."""

    code = "no_such_permission"
    status = 404


@dataclass(frozen=True)
class Reason:
    """Why something is held: a role in the team, or where one of `server` and `tag` is said, a role granted there."""

    role: str
    server_id: UUID | None = None
    server: str | None = None
    tag: str | None = None

    def __str__(self) -> str:
        if self.tag is not None:
            return f"role {self.role} on servers tagged {self.tag}"
        return f"role {self.role}" if self.server_id is None else f"role {self.role} on {self.server_id}"


@dataclass(frozen=True)
class Held:
    """A permission with where it comes from."""

    permission: str
    why: tuple[Reason, ...]


@dataclass(frozen=True)
class Holder:
    """A member or an API token that has a permission; `operator` as one who looks after the installation."""

    kind: str
    id: UUID
    name: str
    why: tuple[Reason, ...]


class Members:
    def __init__(self, clock: Clock, roles: Roles, *, emit: Callable[[object], None] = log_event) -> None:
        self._clock, self._roles, self._emit = clock, roles, emit

    async def all(self, principal: Principal) -> list[MemberRecord]:
        """By name."""
        return await queries.members(scope_of(principal))

    async def one(self, principal: Principal, user_id: UUID) -> MemberRecord:
        """Raises NoSuchMember."""
        return await _member(scope_of(principal), user_id)

    async def version(self, principal: Principal, user_id: UUID, *, locked: bool = False) -> str:
        """Of what a member is; `locked`, nobody else changes the team until the transaction ends."""
        if locked:
            await lock(principal)
        found = await self.one(principal, user_id)
        return version_of(found.user_id, found.role)

    async def change_role(self, principal: Principal, user_id: UUID, role: RoleName) -> None:
        """Raises NoSuchMember, NoSuchRole, NotYoursToGive or LastOwner."""
        async with changing(principal.team_id):
            scope = scope_of(principal)
            member = await _member(scope, user_id)
            await self._roles.check_may_give(principal, role, member.role)
            await queries.set_role(scope, user_id, role)
            rules.check_owners(await queries.count_owners(scope))
            before, after = await self._name(scope, member.role), await self._name(scope, role)
            self._emit(events.MemberChanged(user_id, {"role": before}, {"role": after}))

    async def remove(self, principal: Principal, user_id: UUID) -> None:
        """His tokens in this team end with it. Raises NoSuchMember, NotYoursToGive or LastOwner."""
        async with changing(principal.team_id):
            scope = scope_of(principal)
            member = await _member(scope, user_id)
            await self._roles.check_may_give(principal, member.role)
            before = await self._name(scope, member.role)
            await queries.remove_member(scope, user_id)
            rules.check_owners(await queries.count_owners(scope))
            self._emit(events.MemberRemoved(user_id, {"role": before}))

    async def leave(self, principal: Principal) -> None:
        """Raises PeopleOnly or LastOwner."""
        must_be_person(principal)
        async with changing(principal.team_id):
            scope = scope_of(principal)
            member = await _member(scope, principal.id)
            before = await self._name(scope, member.role)
            await queries.remove_member(scope, principal.id)
            rules.check_owners(await queries.count_owners(scope))
            self._emit(events.MemberLeft(principal.id, {"role": before}))

    async def hand_over(self, principal: Principal, user_id: UUID) -> None:
        """Another member becomes an owner, and who hands over an admin. Raises PeopleOnly or NoSuchMember."""
        must_be_person(principal)
        async with changing(principal.team_id):
            scope = scope_of(principal)
            member = await _member(scope, user_id)
            before = await self._name(scope, member.role)
            await queries.set_role(scope, principal.id, RoleName(Role.ADMIN))
            await queries.set_role(scope, user_id, RoleName(Role.OWNER))
            self._emit(events.TeamHandedOver(user_id, {"role": before}, {"role": Role.OWNER.value}))

    async def make_owner(self, team_id: UUID, user_id: UUID) -> None:
        """For who has the machine, where nobody can sign in as an owner any more. Raises NoSuchTeam."""
        async with changing(team_id):
            before = await queries.put_owner(Scope(team_id), user_id, self._clock.now())
            self._emit(events.OwnerMade(user_id, team_id, {"role": before}, {"role": Role.OWNER.value}))

    # Roles on single servers

    async def grants(self, principal: Principal) -> list[GrantRecord]:
        return await queries.grants(scope_of(principal))

    async def servers(self, principal: Principal) -> list[ServerName]:
        """The team's, for whoever chooses one; by name."""
        return await queries.server_names(scope_of(principal))

    async def tokens(self, principal: Principal) -> list[tuple[UUID, str]]:
        """The team's that are good still, for whoever chooses one; by name."""
        return [(one.id, one.name) for one in await queries.tokens(scope_of(principal), self._clock.now())]

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

        Raises BadGrantTarget, NoSuchMember, NoTokenToGrant, NoSuchServer, NoSuchRole, NotYoursToGive or TooMany.
        """
        tag = None if tag is None else tag.strip()
        if not rules.is_target(user_id, token_id, server_id, tag):
            raise rules.BadGrantTarget
        async with changing(principal.team_id):
            scope = scope_of(principal)
            if user_id is not None:
                await _member(scope, user_id)
            if token_id is not None and not await queries.token_exists(scope, token_id):
                raise NoTokenToGrant
            if server_id is not None:
                scope.existing([server_id])
            await self._roles.check_may_give(principal, role)
            if len(await queries.grants(scope)) >= rules.MOST_GRANTS:
                raise TooMany(f"A team has at most {rules.MOST_GRANTS} grants.")
            made = GrantRecord(new_id(), user_id, token_id, role, server_id, tag, self._clock.now())
            await queries.insert_grant(scope, made)
            said = await self._name(scope, role)
            self._emit(events.GrantMade(made.id, said, user_id, token_id, server_id, tag))
        return made

    async def withdraw(self, principal: Principal, grant_id: UUID) -> None:
        """Raises NoSuchGrant or NotYoursToGive."""
        async with changing(principal.team_id):
            scope = scope_of(principal)
            found = await queries.find_grant(scope, grant_id)
            if found is None:
                raise NoSuchGrant
            await self._roles.check_may_give(principal, found.role)
            await queries.delete_grant(scope, grant_id)
            said = await self._name(scope, found.role)
            self._emit(
                events.GrantWithdrawn(
                    grant_id, said, found.user_id, found.token_id, found.server_id, found.tag
                )
            )

    # Who may what, and why

    async def held_by(self, principal: Principal, user_id: UUID) -> list[Held]:
        """What a member may here, and why. Raises NoSuchMember."""
        scope = scope_of(principal)
        member = await _member(scope, user_id)
        found: dict[str, list[Reason]] = {}
        for permission, _, _, reason in await self._reasons(scope, [member], []):
            found.setdefault(permission, []).append(reason)
        return [Held(permission, tuple(found[permission])) for permission in sorted(found)]

    async def holders_of(self, principal: Principal, permission: str) -> list[Holder]:
        """The members and API tokens that have a permission, for the team or on some servers. Raises NoSuchPermission.

        A token is told with what it was given; what its maker may not (any more), and what it was narrowed to, it may not.
        """
        if permission not in self._roles.rights.grantable:
            raise NoSuchPermission
        scope = scope_of(principal)
        people, tokens = await queries.members(scope), await queries.tokens(scope, self._clock.now())
        found: dict[tuple[str, UUID, str], list[Reason]] = {}
        for one, kind, (holder, name), reason in await self._reasons(scope, people, tokens):
            if one == permission:
                found.setdefault((kind, holder, name), []).append(reason)
        return [Holder(*who, tuple(why)) for who, why in found.items()]

    async def _reasons(
        self, scope: Scope, people: Sequence[MemberRecord], tokens: Sequence[queries.TokenName]
    ) -> list[tuple[str, str, tuple[UUID, str], Reason]]:
        """Each permission of each of them, with who he is and one reason for it."""
        known = await self._roles.known(scope)
        names = {one.id: one.name for one in await queries.server_names(scope)}
        grants = await queries.grants(scope)
        found = []
        for person in people:
            who = (person.user_id, person.name)
            own = [one for one in grants if one.user_id == person.user_id]
            for permission, reason in self._of(known, names, person.role, own):
                found.append((permission, "user", who, reason))
        for token in tokens:
            own = [one for one in grants if one.token_id == token.id]
            for permission, reason in self._of_token(known, names, token, own):
                found.append((permission, "token", (token.id, token.name), reason))
        return found

    def _of(
        self,
        known: Callable[[RoleName], tuple[str, frozenset[str]]],
        names: Mapping[UUID, str],
        role: RoleName,
        own: Sequence[GrantRecord],
    ) -> Iterator[tuple[str, Reason]]:
        """What a role gives in the team, and what `own` grants give on servers."""
        called, allowed = known(role)
        for permission in allowed:
            yield permission, Reason(called)
        for grant in own:
            called, allowed = known(grant.role)
            server = names.get(grant.server_id) if grant.server_id else None
            for permission in allowed & self._roles.rights.on_servers:
                yield permission, Reason(called, grant.server_id, server, grant.tag)

    def _of_token(
        self,
        known: Callable[[RoleName], tuple[str, frozenset[str]]],
        names: Mapping[UUID, str],
        token: queries.TokenName,
        own: Sequence[GrantRecord],
    ) -> Iterator[tuple[str, Reason]]:
        """The same of an API token: no more than its maker may, and only what it was narrowed to."""
        limit = known(token.maker)[1] if token.maker else None
        if limit is None and not token.of_nobody:
            return  # who made it is not in the team any more
        some_servers = token.only_servers is not None or token.only_tags is not None
        for permission, reason in self._of(known, names, token.role, [] if some_servers else own):
            if limit is not None and permission not in limit:
                continue
            if token.scopes is not None and permission not in token.scopes:
                continue
            if some_servers and permission in self._roles.rights.on_servers:
                for server in token.only_servers or ():
                    yield permission, Reason(reason.role, server, names.get(server))
                for tag in token.only_tags or ():
                    yield permission, Reason(reason.role, tag=tag)
            else:
                yield permission, reason

    async def _name(self, scope: Scope, role: RoleName) -> str:
        return await self._roles.name(scope, role)


everybody = queries.everybody


async def _member(scope: Scope, user_id: UUID) -> MemberRecord:
    found = await queries.find_member(scope, user_id)
    if found is None:
        raise NoSuchMember
    return found
