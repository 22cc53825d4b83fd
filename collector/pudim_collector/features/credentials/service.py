"""Change a password or an address, and get in again when the password is lost: never past the second factor."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts, Person, log_event
from pudim_collector.features.attempts.service import Attempts
from pudim_collector.features.credentials import events, queries, rules
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Entry, Visitor
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id


class ResetLinkError(PudimError):
    """This link was used, has expired, or never was one."""

    code = "reset_link"
    status = 404
    hint = "Ask for a new one on the page where you sign in."


class ConfirmationLinkError(PudimError):
    """This link was used, has expired, or belongs to another account than the one that is signed in."""

    code = "confirmation_link"
    status = 404
    hint = "Sign in with the account whose address is to change, and ask for a new one."


class NoSuchAccountError(PudimError):
    """There is no account with this address."""

    code = "no_such_account"
    status = 404


class NoMailError(PudimError):
    """This Pudim sends no mail, and a new address must be confirmed by one."""

    code = "no_mail"
    status = 409
    hint = "The operator sets PUDIM_SMTP_URL and PUDIM_MAIL_FROM."


class Credentials:
    def __init__(
        self,
        accounts: Accounts,
        sessions: Sessions,
        attempts: Attempts,
        clock: Clock,
        *,
        url: str,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        """`url` is where browsers reach this collector; links begin with it."""
        self._accounts, self._sessions, self._attempts = accounts, sessions, attempts
        self._clock, self._url, self._emit = clock, url, emit

    @property
    def sends_mail(self) -> bool:
        return self._sessions.letters.is_configured

    # With the password

    async def change_password(self, principal: Principal, current: str, new: str, visitor: Visitor) -> Entry:
        """All sessions end, and this browser gets another. Raises WrongPasswordError, SlowDownError, PasswordRefusedError."""
        user = await self._sessions.check_password(principal, current, visitor)
        await self._set_password(user, new)
        self._emit(events.PasswordChanged(user.id, visitor.address))
        await self._sessions.write_to(
            user, "password_changed", "Your Pudim password was changed", address=visitor.address
        )
        return await self._sessions.enter_fully(user.id, visitor)

    async def ask_for_email(self, principal: Principal, email: str) -> None:
        """A link to the new address, which changes nothing before it is followed. Raises NoMailError, EmailRefusedError."""
        if not self.sends_mail:
            raise NoMailError
        clean, secret = self._accounts.checked_email(email), secrets.token_urlsafe(32)
        expires_at = self._clock.now() + rules.CONFIRMATION_LIFE
        async with database.transaction():
            await queries.replace_change(new_id(), principal.id, clean, rules.digest(secret), expires_at)
            link = f"{self._url}/account/email/{secret}"
            await self._sessions.letters.post(clean, "confirm_email", "Confirm your new address", link=link)

    async def confirm_email(self, principal: Principal, link: str) -> None:
        """Raises ConfirmationLinkError, EmailTakenError."""
        user = await self._sessions.person(principal)
        async with database.transaction():
            email = await queries.use_change(rules.digest(link), user.id, self._clock.now())
            if email is None:
                raise ConfirmationLinkError
            await self._accounts.set_email(user.id, email)
            await queries.void_resets(user.id)
            await self._sessions.write_to(
                user, "email_changed", "The address of your Pudim account was changed"
            )
        self._emit(events.EmailChanged(user.id))

    # Without it

    async def count_request(self, email: str, visitor: Visitor) -> None:
        """Requests are counted, whether there is such an account or not. Raises SlowDownError."""
        account = email.strip().casefold()
        await self._attempts.begin("reset", account, visitor.address)
        self._emit(events.PasswordResetAsked(rules.digest(account).hex()[:16], visitor.address))

    async def send_reset(self, email: str) -> None:
        """Does nothing where there is no such account: whoever asked was answered before."""
        user = await self._accounts.user_by_email(email)
        if user is None or not self.sends_mail:
            return
        async with database.transaction():
            link = await self._new_link(user)
            await self._sessions.write_to(user, "reset_password", "Set a new Pudim password", link=link)

    async def reset_link(self, email: str) -> str:
        """For the operator of the machine. Raises NoSuchAccountError."""
        user = await self._accounts.user_by_email(email)
        if user is None:
            raise NoSuchAccountError
        return await self._new_link(user)

    async def check_link(self, link: str) -> None:
        """Raises ResetLinkError."""
        if await queries.reset_user(rules.digest(link), self._clock.now()) is None:
            raise ResetLinkError

    async def reset(self, link: str, password: str, visitor: Visitor) -> Entry:
        """In, or half in where a second factor is owed. Raises ResetLinkError, PasswordRefusedError."""
        hashed, now = rules.digest(link), self._clock.now()
        user_id = await queries.reset_user(hashed, now)
        user = await self._accounts.user(user_id) if user_id else None
        if user is None:
            raise ResetLinkError
        password_hash = await self._accounts.password_hash(user, password)
        async with database.transaction():
            if not await queries.use_reset(hashed, now):
                raise ResetLinkError
            await self._put_password(user, password_hash)
        self._emit(events.PasswordReset(user.id, visitor.address))
        await self._sessions.write_to(
            user, "password_changed", "Your Pudim password was changed", address=visitor.address
        )
        return await self._sessions.enter(user, visitor)

    async def _new_link(self, user: Person) -> str:
        secret = secrets.token_urlsafe(32)
        expires_at = self._clock.now() + rules.RESET_LIFE
        await queries.replace_reset(new_id(), user.id, rules.digest(secret), expires_at)
        return f"{self._url}/reset/{secret}"

    async def _set_password(self, user: Person, password: str) -> None:
        password_hash = await self._accounts.password_hash(user, password)
        async with database.transaction():
            await self._put_password(user, password_hash)

    async def _put_password(self, user: Person, password_hash: str) -> None:
        """What was got with the old one is void: sessions, half sessions, trusted browsers, links."""
        await self._accounts.set_password_hash(user.id, password_hash)
        await self._sessions.forget_devices(user.id)
        await queries.void_resets(user.id)
