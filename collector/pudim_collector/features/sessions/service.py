"""The ways in: a password, then what else is owed; a fresh proof of who is in already; and ending sessions."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.events import SignInRefused
from pudim_collector.features.accounts.service import Accounts, OpenSession, OwnSession, Person, log_event
from pudim_collector.features.attempts.service import Attempt, Attempts
from pudim_collector.features.sessions import events, queries, rules
from pudim_collector.features.sessions.queries import Half
from pudim_collector.infra.auth import NotSignedInError, Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Entry, Step, Visitor
from pudim_collector.infra.mail.errors import MailError
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

_log = logging.getLogger(__name__)


class SignInError(PudimError):
    """The address or the password is wrong."""

    code = "sign_in"
    status = 401


class HalfSessionError(PudimError):
    """This sign-in took too long, or was finished already."""

    code = "half_session"
    status = 401
    hint = "Sign in again."


class WrongPasswordError(PudimError):
    """The password is wrong."""

    code = "wrong_password"
    status = 403


class SecondFactors(Protocol):
    """The port that factors implement: what of this person's may be asked for beside a password."""

    async def kinds_of(self, user_id: UUID) -> frozenset[str]: ...


class FactorPolicy(Protocol):
    """The port that says whether any team of somebody's demands a second factor, whether he has one or not."""

    async def demands(self, user_id: UUID) -> bool: ...


class Letters(Protocol):
    """The port that mail implements: a letter is left to be sent in the transaction that is open."""

    @property
    def is_configured(self) -> bool: ...

    async def post(self, to: str, template: str, subject: str, **context: Any) -> object: ...


class NoSecondFactors:
    async def kinds_of(self, user_id: UUID) -> frozenset[str]:  # noqa: ARG002 - the port's signature
        return frozenset()


class NobodyMust:
    async def demands(self, user_id: UUID) -> bool:  # noqa: ARG002 - the port's signature
        return False


class NoLetters:
    is_configured = False

    async def post(self, to: str, template: str, subject: str, **context: Any) -> object:
        """Nobody brings it."""


class Sessions:
    def __init__(
        self,
        accounts: Accounts,
        attempts: Attempts,
        clock: Clock,
        *,
        factors: SecondFactors | None = None,
        policy: FactorPolicy | None = None,
        letters: Letters | None = None,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._accounts, self._attempts, self._clock, self._emit = accounts, attempts, clock, emit
        self._factors, self._policy = factors or NoSecondFactors(), policy or NobodyMust()
        self.letters = letters or NoLetters()

    # In

    async def sign_in(
        self,
        email: str,
        password: str,
        visitor: Visitor,
        *,
        path: str = "/",
        instead_of: Principal | None = None,
    ) -> Entry:
        """Raises SignInError, SlowDownError. The session that the browser had ends."""
        account = email.strip().casefold()
        user = await self._accounts.user_by_email(email)
        attempt = await self._begin(account, user, visitor)
        if not await self._accounts.password_is_right(user, password) or user is None:
            self._emit(
                SignInRefused(
                    rules.digest(account).hex()[:16], visitor.address, "wrong", user.id if user else None
                )
            )
            raise SignInError
        await attempt.succeeded()
        return await self.enter(user, visitor, path=path, instead_of=instead_of)

    async def enter(
        self, user: Person, visitor: Visitor, *, path: str = "/", instead_of: Principal | None = None
    ) -> Entry:
        """Let in whoever proved by one means to be `user`; where more is owed, half in only. For every way in."""
        if not await self._factors.kinds_of(user.id):
            return await self._open(user, visitor, path, instead_of)
        if instead_of is not None:
            await self._accounts.sign_out(instead_of)
        half = Half(new_id(), user.id, Step.FACTOR, path[: rules.LONGEST_PATH])
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        await queries.add_half(
            half, rules.digest(secret), now, now + rules.HALF_SESSION_LIFE, rules.MOST_HALF_SESSIONS
        )
        self._emit(events.FactorAsked(user.id, Step.FACTOR, visitor.address))
        return Entry(secret, rules.HALF_SESSION_LIFE, missing=Step.FACTOR)

    async def half(self, secret: str, step: Step) -> Half:
        """Whoever owes this step. Raises HalfSessionError."""
        found = await queries.find_half(rules.digest(secret), self._clock.now()) if secret else None
        if found is None or found.step != step:
            raise HalfSessionError
        return found

    async def finish(self, half: Half, visitor: Visitor) -> Entry:
        """What was owed is done: a session, once. Raises HalfSessionError."""
        async with database.transaction():
            user = await self._accounts.user(half.user_id)
            if not await queries.use_half(half.id, self._clock.now()) or user is None:
                raise HalfSessionError
            return await self._open(user, visitor, half.path, None)

    async def enter_fully(self, user_id: UUID, visitor: Visitor, *, path: str = "/") -> Entry:
        """For what proves possession and person at once, as a passkey does. Raises NotSignedInError."""
        user = await self._accounts.user(user_id)
        if user is None:
            raise NotSignedInError
        return await self._open(user, visitor, path, None)

    # Again

    async def check_password(self, principal: Principal, password: str, visitor: Visitor) -> Person:
        """The person who asks, if this is his password. Raises WrongPasswordError, SlowDownError."""
        user = await self.person(principal)
        attempt = await self._begin(user.email.casefold(), user, visitor)
        if not await self._accounts.password_is_right(user, password):
            self._emit(events.ProofRefused(user.id, visitor.address))
            raise WrongPasswordError
        await attempt.succeeded()
        return user

    async def prove(self, principal: Principal, password: str, visitor: Visitor) -> Entry:
        """The session under a new secret, proved. Raises WrongPasswordError, SlowDownError."""
        await self.check_password(principal, password, visitor)
        return await self.proved(principal, visitor)

    async def proved(self, principal: Principal, visitor: Visitor) -> Entry:
        entry = await self.renew(principal, proved=True)
        if principal.session_id is not None:
            self._emit(events.Proved(principal.id, principal.session_id, visitor.address))
        return entry

    async def renew(self, principal: Principal, *, proved: bool = False) -> Entry:
        """The same session under a new secret, after what proves somebody has changed. Raises NoSuchSessionError."""
        if principal.session_id is None:
            raise NotSignedInError
        opened = await self._accounts.renew_session(principal.session_id, proved=proved)
        return _entry(opened, "/")

    async def person(self, principal: Principal) -> Person:
        """Raises NotSignedInError."""
        user = await self._accounts.user(principal.id)
        if user is None or principal.session_id is None:
            raise NotSignedInError
        return user

    # Out

    async def all(self, principal: Principal) -> Sequence[OwnSession]:
        return await self._accounts.sessions_of(principal.id)

    async def end(self, principal: Principal, session_id: UUID) -> None:
        """Raises NoSuchSessionError."""
        await self._accounts.end_session(principal.id, session_id)

    async def end_others(self, principal: Principal) -> None:
        await self._accounts.end_sessions(principal.id, but=principal.session_id)
        await queries.remove_halves(principal.id)
        self._emit(events.OtherSessionsEnded(principal.id))

    async def forget_devices(self, user_id: UUID) -> None:
        """After the password was lost or changed, no browser is trusted for having known the old one."""
        async with database.transaction():
            await queries.remove_halves(user_id)
            await queries.remove_devices(user_id)

    async def write_to(self, user: Person, template: str, subject: str, **context: Any) -> None:
        """Tell somebody what happened to his account, where mail can be sent; that it cannot does not undo it."""
        if not self.letters.is_configured:
            return
        try:
            await self.letters.post(user.email, template, subject, language=user.language, **context)
        except MailError as error:
            _log.warning("%s was not told: %s", user.id, error.code)

    async def demanded(self, user_id: UUID) -> bool:
        """Whether this person must have a second factor."""
        return await self._policy.demands(user_id)

    async def _begin(self, account: str, user: Person | None, visitor: Visitor) -> Attempt:
        device = None
        if user is not None and visitor.device:
            device = await queries.find_device(rules.digest(visitor.device), user.id)
        return await self._attempts.begin(
            "password", account, visitor.address, device=str(device) if device else None
        )

    async def _open(self, user: Person, visitor: Visitor, path: str, instead_of: Principal | None) -> Entry:
        old = instead_of.session_id if instead_of else None
        opened = await self._accounts.open_session(user, visitor, instead_of=old)
        return _entry(opened, path, await self._device(user, visitor))

    async def _device(self, user: Person, visitor: Visitor) -> str | None:
        """The secret of a browser that this person has not used before; he is told, unless it is his first."""
        now = self._clock.now()
        if visitor.device:
            known = await queries.find_device(rules.digest(visitor.device), user.id)
            if known is not None:
                await queries.touch_device(known, now)
                return None
        has_others, secret = await queries.has_devices(user.id), secrets.token_urlsafe(32)
        await queries.add_device(new_id(), user.id, rules.digest(secret), now, rules.MOST_DEVICES)
        if has_others:
            device = rules.device_of(visitor.user_agent)
            self._emit(events.SignedInOnNewDevice(user.id, visitor.address, device))
            await self.write_to(
                user, "new_device", "New sign-in to Pudim", device=device, address=visitor.address
            )
        return secret


def _entry(opened: OpenSession, path: str, device: str | None = None) -> Entry:
    return Entry(opened.secret, opened.life, path, device=device)
