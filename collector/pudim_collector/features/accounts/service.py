"""Use cases of accounts: make the owner, sign in and out, tokens for programs, and who a secret belongs to."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts import events, queries, rules
from pudim_collector.features.accounts.queries import TokenRecord, UserRecord
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.infra.passwords import Passwords
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id
from pudim_collector.kernel.throttling import Patience, Throttle

_log = logging.getLogger("pudim.security")
_LOCAL_ACCESS = "local access"
_TEAM_NAME = "Pudim"

# One network that guesses one account is slowed down soon; an account from everywhere hardly, so that an attacker
# cannot keep its owner out.
_PER_ACCOUNT_AND_NETWORK = Patience(free=5, first=timedelta(seconds=1), most=timedelta(minutes=15))
_PER_NETWORK = Patience(free=30, first=timedelta(seconds=1), most=timedelta(minutes=15))
_PER_ACCOUNT = Patience(free=100, first=timedelta(seconds=1), most=timedelta(seconds=10))


class SetupLinkError(PudimError):
    """This setup link was used, has expired, or never was one."""

    code = "setup_link"
    status = 404
    hint = "If there is no owner yet, start Pudim again: it prints a new link. Otherwise sign in."


class SignInError(PudimError):
    """The address or the password is wrong."""

    code = "sign_in"
    status = 401


class SlowDownError(PudimError):
    """Too many failed attempts."""

    code = "slow_down"
    status = 429
    retry = True

    def __init__(self, wait: timedelta = timedelta(seconds=1)) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        super().__init__(f"Too many failed attempts. Try again in {self.seconds} s.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class NoSuchTokenError(PudimError):
    """There is no such API token."""

    code = "no_such_token"
    status = 404


class TokenExpiryError(PudimError):
    """A token expires within ten years from now, or never."""

    code = "token_expiry"
    status = 422


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from, as the security log and the list of sessions tell it."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True)
class NewToken:
    secret: str
    record: TokenRecord


def log_event(event: object) -> None:
    _log.info("%r", event)


class Accounts:
    """Implements pudim_collector.infra.auth.Authenticator. An owner may do all that features declare."""

    def __init__(
        self,
        clock: Clock,
        permissions: Collection[str],
        *,
        passwords: Passwords | None = None,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._clock = clock
        self._permissions = {rules.OWNER: frozenset(permissions)}
        self._passwords = passwords or Passwords()
        self._emit = emit
        self._throttles = [Throttle(one) for one in (_PER_ACCOUNT_AND_NETWORK, _PER_NETWORK, _PER_ACCOUNT)]

    def now(self) -> datetime:
        return self._clock.now()

    # The first start

    async def ensure_team(self) -> UUID:
        return await queries.ensure_team(new_id(), _TEAM_NAME, self._clock.now())

    async def ensure_setup_link(self) -> str | None:
        """The path of a new link that makes the owner, None if there is one. Links made before are void."""
        await self.ensure_team()
        if await queries.owner_exists(rules.OWNER):
            return None
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        await queries.replace_setup_link(new_id(), rules.digest(secret), now, now + rules.SETUP_LINK_LIFE)
        return f"/setup/{secret}"

    async def local_access_token(self, previous: str | None = None) -> str:
        """An owner's token for scripts on this machine: `previous` if it is still good, else a new one instead."""
        team_id = await self.ensure_team()
        if previous is not None and await self.by_token(previous) is not None:
            return previous
        async with database.transaction():
            await queries.revoke_tokens_of_nobody(_LOCAL_ACCESS, self._clock.now())
            return (await self._add_token(team_id, None, _LOCAL_ACCESS, None)).secret

    async def check_setup_link(self, link: str) -> None:
        """Raises SetupLinkError."""
        if not await queries.setup_link_open(rules.digest(link), self._clock.now()):
            raise SetupLinkError

    async def create_owner(self, link: str, *, name: str, email: str, password: str, visitor: Visitor) -> str:
        """Use the link up, create the owner, and return his session's secret. Raises SetupLinkError, AccountError."""
        await self.check_setup_link(link)
        name, key = rules.clean_name(name), rules.email_key(email)
        rules.check_password(password, personal=(name, key, key.partition("@")[0]))
        password_hash = await self._passwords.hash(password)
        now = self._clock.now()
        async with database.transaction():
            team_id = await queries.lock_team()
            used = await queries.use_setup_link(rules.digest(link), now)
            if not used or await queries.owner_exists(rules.OWNER):
                raise SetupLinkError
            user = UserRecord(new_id(), team_id, name, email.strip(), rules.OWNER, password_hash)
            await queries.add_user(user, key, now)
            session_id, secret = await self._add_session(user, visitor)
        self._emit(events.OwnerCreated(user.id, visitor.address))
        self._emit(events.SignedIn(user.id, session_id, visitor.address))
        return secret

    # Sessions

    async def sign_in(
        self, email: str, password: str, visitor: Visitor, *, instead_of: Principal | None = None
    ) -> str:
        """The secret of a new session; the one the browser had ends. Raises SignInError, SlowDownError."""
        account = email.strip().casefold()
        attempt = _Attempt(account, visitor, self._throttles, self._clock.now())
        attempt.begin()
        user = await self._find_user(email)
        verdict = await self._passwords.verify(
            user.password_hash if user else None, password[: rules.LONGEST_PASSWORD + 1]
        )
        if user is None or not verdict.right:
            self._emit(events.SignInRefused(rules.digest(account).hex()[:16], visitor.address, "wrong"))
            raise SignInError
        attempt.succeeded()
        return await self._begin_session(user, verdict.better_hash, visitor, instead_of)

    async def _find_user(self, email: str) -> UserRecord | None:
        try:
            return await queries.find_user(rules.email_key(email))
        except rules.EmailRefusedError:
            return None

    async def sign_out(self, principal: Principal) -> None:
        if principal.session_id is not None:
            await queries.remove_session(principal.session_id)
            self._emit(events.SignedOut(principal.session_id))

    async def by_session(self, secret: str) -> Principal | None:
        session, now = await queries.find_session(rules.digest(secret)), self._clock.now()
        if session is None:
            return None
        if now >= rules.session_ends(created_at=session.created_at, last_seen_at=session.last_seen_at):
            await queries.remove_session(session.id)
            return None
        if rules.needs_touch(session.last_seen_at, now):
            await queries.touch_session(session.id, now)
        user = session.user
        return Principal(
            PrincipalKind.USER,
            user.id,
            user.team_id,
            user.name,
            user.email,
            user.role,
            self._permissions.get(user.role, frozenset()),
            session.id,
            rules.csrf_token(secret),
            language=user.language,
            time_zone=user.time_zone,
        )

    # Tokens

    async def by_token(self, secret: str) -> Principal | None:
        token = await self._valid_token(secret)
        if token is None:
            return None
        permissions = self._permissions.get(token.role, frozenset())
        return Principal(
            PrincipalKind.TOKEN, token.id, token.team_id, token.name, None, token.role, permissions
        )

    async def tokens(self, principal: Principal) -> Sequence[TokenRecord]:
        return await queries.list_tokens(principal.team_id)

    async def create_token(self, principal: Principal, name: str, expires_at: datetime | None) -> NewToken:
        """Raises NameRefusedError, TokenExpiryError."""
        if expires_at is not None and not rules.can_be_expiry(expires_at, self._clock.now()):
            raise TokenExpiryError
        made_by = principal.id if principal.kind is PrincipalKind.USER else None
        return await self._add_token(principal.team_id, made_by, rules.clean_name(name), expires_at)

    async def revoke_token(self, principal: Principal, token_id: UUID) -> None:
        if not await queries.revoke_token(principal.team_id, token_id, self._clock.now()):
            raise NoSuchTokenError
        self._emit(events.TokenRevoked(token_id))

    async def token(self, principal: Principal) -> TokenRecord:
        """The token that asks. Raises NoSuchTokenError for a person."""
        for token in await queries.list_tokens(principal.team_id):
            if token.id == principal.id:
                return token
        raise NoSuchTokenError("You are not using an API token.")

    def close(self) -> None:
        self._passwords.close()

    async def _valid_token(self, secret: str) -> TokenRecord | None:
        if not rules.looks_like_token(secret):
            return None
        token, now = await queries.find_token(rules.digest(secret)), self._clock.now()
        if token is None or token.revoked_at is not None:
            return None
        if token.expires_at is not None and token.expires_at <= now:
            return None
        if rules.needs_touch(token.last_used_at, now):
            await queries.touch_token(token.id, now)
        return token

    async def _add_token(
        self, team_id: UUID, made_by: UUID | None, name: str, expires_at: datetime | None
    ) -> NewToken:
        secret = rules.make_token(secrets.token_bytes(32))
        record = TokenRecord(
            id=new_id(),
            team_id=team_id,
            made_by=made_by,
            name=name,
            prefix=rules.shown_prefix(secret),
            role=rules.OWNER,
            created_at=self._clock.now(),
            expires_at=expires_at,
            last_used_at=None,
            revoked_at=None,
        )
        await queries.add_token(record, rules.digest(secret))
        self._emit(events.TokenCreated(record.id, name))
        return NewToken(secret, record)

    async def _begin_session(
        self, user: UserRecord, better_hash: str | None, visitor: Visitor, instead_of: Principal | None
    ) -> str:
        now = self._clock.now()
        async with database.transaction():
            if better_hash is not None:
                await queries.set_password_hash(user.id, better_hash)
            if instead_of is not None and instead_of.session_id is not None:
                await queries.remove_session(instead_of.session_id)
            await queries.remove_sessions_before(
                created_at=now - rules.SESSION_LIFE, last_seen_at=now - rules.SESSION_IDLE
            )
            session_id, secret = await self._add_session(user, visitor)
        self._emit(events.SignedIn(user.id, session_id, visitor.address))
        return secret

    async def _add_session(self, user: UserRecord, visitor: Visitor) -> tuple[UUID, str]:
        session_id, secret = new_id(), secrets.token_urlsafe(32)
        await queries.add_session(
            session_id,
            user.id,
            rules.digest(secret),
            self._clock.now(),
            address=visitor.address[:64],
            user_agent=visitor.user_agent[:256],
        )
        return session_id, secret


class _Attempt:
    """One try to sign in, counted as failed until it succeeds: many at once get no more than one after another."""

    def __init__(self, account: str, visitor: Visitor, throttles: Sequence[Throttle], now: datetime) -> None:
        network, account_key = rules.network_of(visitor.address), rules.digest(account)
        keys = ((account_key, network), network, account_key)
        self._counted = list(zip(throttles, keys, strict=True))
        self._now = now

    def begin(self) -> None:
        wait = max(throttle.wait(key, self._now) for throttle, key in self._counted)
        if wait:
            raise SlowDownError(wait)
        for throttle, key in self._counted:
            throttle.failed(key, self._now)

    def succeeded(self) -> None:
        for throttle, key in self._counted:
            throttle.forget(key)
