"""Use cases of API tokens: know one by its secret, make, change, renew and revoke them, and say what they may."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts, log_event
from pudim_collector.features.addresses.service import AddressLists, Wish
from pudim_collector.features.tokens import events, queries, rules
from pudim_collector.features.tokens.queries import TokenRecord
from pudim_collector.features.tokens.rules import Kind
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.api.token_scopes import NOT_NARROWED, Narrowing
from pudim_collector.infra.auth import PermissionMissingError, Principal, PrincipalKind, TokenExpiredError
from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import Rights, Role
from pudim_collector.infra.rate_limits.metering import address_of
from pudim_collector.infra.request_ids import asked
from pudim_collector.infra.scoping import NO_TEAM, NoSuchServer
from pudim_collector.infra.sudo import OnlyPeopleError
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

Token: TypeAlias = TokenRecord
MANAGE = "tokens:manage"
ADDRESSES = "addresses:manage"
_LOCAL_ACCESS = "local access"
_LONGEST_ADDRESS = 64
_SHOWN_SERVERS = 500


class NoSuchToken(PudimError):
    """There is no such API token."""

    code = "no_such_token"
    status = 404


class OnlyItsMaker(PudimError):
    """A personal token acts as who made it, and only he changes it."""

    code = "only_its_maker"
    status = 403
    hint = "Whoever manages the team's tokens may revoke it."


class NoPersonBehind(PudimError):
    """A service's token makes tokens of services only: there is no person as whom another could act."""

    code = "no_person_behind"
    status = 409


@dataclass(frozen=True)
class NewToken:
    """A token just made or renewed; its secret is known only now."""

    secret: str = field(repr=False)
    record: TokenRecord


@dataclass(frozen=True)
class Ends:
    """When a token ends; by itself it does after the usual time."""

    at: datetime | None = None
    as_usual: bool = False


USUAL = Ends(as_usual=True)
EVERYWHERE = Wish((), None)


@dataclass(frozen=True)
class WantedToken:
    """`networks` are from where it may be used, with where who asks is; `kind` is that of who asks where it is None."""

    name: str
    ends: Ends = USUAL
    narrowing: Narrowing = NOT_NARROWED
    kind: Kind | None = None
    networks: Wish = EVERYWHERE


class Tokens:
    """`permissions` are what features declare."""

    def __init__(
        self,
        clock: Clock,
        rights: Rights,
        accounts: Accounts,
        address_lists: AddressLists,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self.clock, self.rights = clock, rights
        self._accounts, self._address_lists, self._emit = accounts, address_lists, emit

    # Who asks with one

    async def by_token(self, secret: str) -> Principal | None:
        """Raises TokenExpiredError."""
        if not rules.looks_like_token(secret):
            return None
        found, now = await queries.find_token(rules.digest(secret)), self.clock.now()
        # Without a role, whose it is is not in the team any more.
        if found is None or found.revoked_at is not None or found.standing.role is None:
            return None
        if found.expires_at is not None and found.expires_at <= now:
            raise TokenExpiredError
        if found.secret_ends_at is not None and found.secret_ends_at <= now:
            raise TokenExpiredError("The API token was renewed, and this is the secret that it had before.")
        if rules.needs_touch(found.last_used_at, now):
            await queries.touch_token(found.id, now, _asked_from())
        return self._principal(found)

    def _principal(self, found: queries.ShownToken) -> Principal:
        standing = found.standing
        held, grants = found.narrowing.applied(
            standing.held(self.rights), standing.granted(self.rights), on_servers=self.rights.on_servers
        )
        return Principal(
            PrincipalKind.TOKEN,
            found.id,
            standing.team_id or NO_TEAM,
            found.name,
            None,
            standing.own_name or standing.role or Role.GUEST,
            held,
            grants=grants,
            operator=standing.operator and found.narrowing.is_none,
            tenancy=standing.tenancy,
            lacks_factor=standing.lacks_factor,
        )

    async def local_access_token(self, previous: str | None = None) -> str:
        """An owner's token for scripts on this machine: `previous` if it is still good, else a new one instead."""
        team_id = await self._accounts.ensure_team()
        if previous is not None and await self.by_token(previous) is not None:
            return previous
        async with database.transaction():
            await queries.revoke_tokens_of_nobody(_LOCAL_ACCESS, self.clock.now())
            made = self._record(team_id, _LOCAL_ACCESS, Kind.SERVICE, None)
            return (await self._add(replace(made, operator=True))).secret

    # Reading

    async def all(self, principal: Principal) -> list[TokenRecord]:
        """The newest first: of who manages tokens all of the team's, of others their own."""
        return await queries.tokens_of(principal, everybodys=principal.may(MANAGE))

    async def one(self, principal: Principal, token_id: UUID) -> TokenRecord:
        """Raises NoSuchToken."""
        found = await queries.tokens_of(principal, everybodys=principal.may(MANAGE), token_id=token_id)
        if not found:
            raise NoSuchToken
        return found[0]

    async def current(self, principal: Principal) -> TokenRecord:
        """The token that asks. Raises NoSuchToken for a person."""
        found = await queries.tokens_of(principal, everybodys=False, token_id=principal.id)
        if not found:
            raise NoSuchToken("You are not using an API token.")
        return found[0]

    async def version(self, principal: Principal, token_id: UUID, *, lock: bool = False) -> str:
        """Of what can be changed of a token; with `lock` nobody else does until the transaction ends.

        Raises NoSuchToken.
        """
        if lock:
            await queries.lock_token(principal.team_id, token_id)
        found = await self.one(principal, token_id)
        return version_of(found.id, found.name, found.prefix, found.expires_at, found.told)

    async def servers(self, principal: Principal) -> list[tuple[UUID, str]]:
        """Those that a token can be narrowed to, by name, up to 500 of them."""
        return await queries.servers_of(principal.scope("servers:read"), _SHOWN_SERVERS)

    # Changing

    async def create(self, principal: Principal, wanted: WantedToken) -> NewToken:
        """Raises a TokenError, an AddressError, PermissionMissingError, UnknownScopeError, NarrowerError or NoSuchServer."""
        wanted.narrowing.check(self.rights.declared, principal)
        own = await self.current(principal) if principal.kind is PrincipalKind.TOKEN else None
        kind = wanted.kind or (own.kind if own else Kind.PERSONAL)
        latest = own.expires_at if own else None
        expires_at = self._expiry(wanted.ends, latest)
        made = self._record(principal.team_id, rules.clean_name(wanted.name), kind, expires_at)
        if kind is Kind.PERSONAL:
            made = self._personal(made, principal, own, wanted.narrowing)
        else:
            made = self._service(made, principal, own, wanted.narrowing)
        self._check_servers(principal, made.narrowing)
        async with database.transaction():
            created_by = principal.id if own is None else own.made_by
            new = await self._add(made, created_by)
            await self._restrict(principal, new.record, own, wanted.networks)
        return replace(new, record=await self.one(principal, new.record.id))

    async def change(
        self,
        principal: Principal,
        token_id: UUID,
        *,
        name: str | None = None,
        narrowing: Narrowing | None = None,
    ) -> TokenRecord:
        """What is None stays as it is; it counts from the token's next request on.

        Raises what `create` raises, NoSuchToken, OnlyItsMaker or OnlyPeopleError.
        """
        if principal.kind is PrincipalKind.TOKEN:
            raise OnlyPeopleError
        async with database.transaction():
            await queries.lock_token(principal.team_id, token_id)
            before = await self._changeable(principal, token_id)
            wanted = before.narrowing if narrowing is None else narrowing
            if wanted != before.narrowing:
                self._check_change(principal, before, wanted)
            cleaned = before.name if name is None else rules.clean_name(name)
            await queries.set_token(principal.team_id, token_id, cleaned, wanted)
            after = await self.one(principal, token_id)
            if after != before:
                self._emit(events.TokenChanged(token_id, after.name, before.told, after.told))
        return after

    async def renew(
        self, principal: Principal, token_id: UUID, *, overlap: timedelta = timedelta(), ends: Ends = USUAL
    ) -> NewToken:
        """A new secret; the one that it had is good for `overlap` more. A token renews itself only, and for no longer.

        Raises a TokenError, NoSuchToken, OnlyItsMaker, OnlyPeopleError or PermissionMissingError.
        """
        rules.check_overlap(overlap)
        async with database.transaction():
            await queries.lock_token(principal.team_id, token_id)
            before = await self._renewable(principal, token_id)
            itself, now = principal.id == token_id, self.clock.now()
            expires_at = self._expiry(ends, before.expires_at if itself else None)
            secret = rules.make_token(before.kind, secrets.token_bytes(32))
            after = replace(before, prefix=rules.shown_prefix(secret), expires_at=expires_at)
            old_ends = now + overlap if overlap else None
            await queries.set_secret(after, rules.digest(secret), old_ends, rules.warning(expires_at, now))
            self._emit(
                events.TokenRenewed(
                    token_id, after.name, int(overlap.total_seconds()), before.told, after.told
                )
            )
        return NewToken(secret, replace(after, previous_ends_at=old_ends))

    async def revoke(self, principal: Principal, token_id: UUID) -> None:
        """What uses it is refused from now on. Raises NoSuchToken."""
        async with database.transaction():
            await queries.lock_token(principal.team_id, token_id)
            found = await self.one(principal, token_id)
            await queries.revoke_token(principal.team_id, token_id, self.clock.now())
            self._emit(events.TokenRevoked(token_id, found.name))

    async def addresses(self, principal: Principal, token_id: UUID) -> list[str]:
        """From where it may be used; none means from everywhere. Raises NoSuchToken."""
        return list((await self.one(principal, token_id)).networks or ())

    async def set_addresses(self, principal: Principal, token_id: UUID, wish: Wish) -> list[str]:
        """Raises an AddressError, NoSuchToken, OnlyItsMaker or PermissionMissingError."""
        if principal.kind is PrincipalKind.TOKEN and not principal.may(ADDRESSES):
            raise PermissionMissingError(ADDRESSES)
        found = await self.one(principal, token_id)
        if not principal.may(ADDRESSES):
            self._check_maker(principal, found)
        return await self._address_lists.set_for_token(principal, token_id, found.name, wish)

    # What who asks may give

    def _personal(
        self, made: TokenRecord, principal: Principal, own: TokenRecord | None, wanted: Narrowing
    ) -> TokenRecord:
        """It may what its maker may, whatever that is at the time."""
        if own is None:
            return replace(made, made_by=principal.id, operator=principal.operator, **_columns(wanted))
        if own.made_by is None:
            raise NoPersonBehind
        narrowed = wanted.within(own.narrowing)
        return replace(made, made_by=own.made_by, operator=own.operator, **_columns(narrowed))

    def _service(
        self, made: TokenRecord, principal: Principal, own: TokenRecord | None, wanted: Narrowing
    ) -> TokenRecord:
        """It may what is named, of which who makes it has all now; one that a service's makes may what that may."""
        if not principal.may(MANAGE):
            raise PermissionMissingError(MANAGE)
        if own is not None and own.made_by is None:
            narrowed = wanted.within(own.narrowing)
            made = replace(made, role=own.role, own_role=own.own_role, operator=own.operator)
            return replace(made, **_columns(narrowed))
        narrowed = wanted if own is None else wanted.within(own.narrowing)
        self._check_gives(principal, narrowed, wanted.scopes)
        return replace(made, **_columns(narrowed))

    def _check_change(self, principal: Principal, before: TokenRecord, wanted: Narrowing) -> None:
        wanted.check(self.rights.declared, principal)
        self._check_servers(principal, wanted)
        if before.kind is Kind.SERVICE:
            self._check_gives(principal, wanted, wanted.scopes)

    def _check_gives(
        self, principal: Principal, narrowing: Narrowing, scopes: Collection[str] | None
    ) -> None:
        """Nobody gives what he does not have. Raises ScopesNeeded, NotForServices or PermissionMissingError."""
        rules.check_for_service(scopes)
        self._check_holds(principal, narrowing, scopes or ())

    def _check_holds(self, principal: Principal, narrowing: Narrowing, names: Collection[str]) -> None:
        """For the whole team, or for each of the servers that alone are meant. Raises PermissionMissingError."""
        alone = narrowing.servers if narrowing.tags is None else None
        for name in names:
            on_each = alone is not None and all(principal.may_on(name, one) for one in alone)
            if not principal.may(name) and not (on_each and name in self.rights.on_servers):
                raise PermissionMissingError(name)

    def _check_servers(self, principal: Principal, narrowing: Narrowing) -> None:
        if not all(principal.sees(one, self.rights.on_servers) for one in narrowing.servers or ()):
            raise NoSuchServer

    async def _changeable(self, principal: Principal, token_id: UUID) -> TokenRecord:
        found = await self.one(principal, token_id)
        self._check_maker(principal, found)
        return found

    @staticmethod
    def _check_maker(principal: Principal, found: TokenRecord) -> None:
        """A service's is seen only by who may change it."""
        if found.kind is Kind.PERSONAL and found.made_by != principal.id:
            raise OnlyItsMaker

    async def _renewable(self, principal: Principal, token_id: UUID) -> TokenRecord:
        """Who renews a token has its secret: he may have all that it may already."""
        if principal.kind is PrincipalKind.TOKEN:
            if principal.id != token_id:
                raise OnlyPeopleError
            return await self.current(principal)
        found = await self._changeable(principal, token_id)
        if found.kind is Kind.SERVICE:
            held = self.rights.of(found.role, found.own)
            held |= self.rights.operators if found.operator else frozenset()
            names = held if found.scopes is None else held & frozenset(found.scopes)
            self._check_holds(principal, found.narrowing, sorted(names))
        return found

    # Writing

    def _expiry(self, ends: Ends, latest: datetime | None) -> datetime | None:
        now = self.clock.now()
        expires_at = rules.default_expiry(now, latest=latest) if ends.as_usual else ends.at
        rules.check_expiry(expires_at, now, latest=latest)
        return expires_at

    def _record(self, team_id: UUID, name: str, kind: Kind, expires_at: datetime | None) -> TokenRecord:
        # Its prefix comes with its secret.
        now = self.clock.now()
        return TokenRecord(new_id(), team_id, None, name, rules.PREFIXES[kind], Role.OWNER, now, expires_at)

    async def _add(self, token: TokenRecord, created_by: UUID | None = None) -> NewToken:
        secret = rules.make_token(token.kind, secrets.token_bytes(32))
        made = replace(token, prefix=rules.shown_prefix(secret))
        warned = rules.warning(made.expires_at, self.clock.now())
        await queries.add_token(made, rules.digest(secret), created_by, warned)
        self._emit(events.TokenCreated(made.id, made.name, made.kind, made.told))
        return NewToken(secret, made)

    async def _restrict(
        self, principal: Principal, token: TokenRecord, own: TokenRecord | None, wish: Wish
    ) -> None:
        """What a token makes is used from nowhere else than that token."""
        networks = self._address_lists.narrowed(wish.networks, (own.networks if own else None) or ())
        if networks:
            await self._address_lists.set_for_token(
                principal, token.id, token.name, replace(wish, networks=networks)
            )


def _asked_from() -> str | None:
    """Where the request comes from, as far as it is known."""
    told = asked.get()
    address = None if told is None else address_of(told.scope)
    return address[:_LONGEST_ADDRESS] if address else None


def _columns(narrowing: Narrowing) -> dict[str, Any]:
    return {"scopes": narrowing.scopes, "only_servers": narrowing.servers, "only_tags": narrowing.tags}
