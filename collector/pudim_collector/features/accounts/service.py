"""Use cases of accounts: make the owner, people and their sessions, and who a session's secret belongs to."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from psycopg.errors import UniqueViolation

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts import events, queries, rules
from pudim_collector.features.accounts.queries import SeenSession, UserRecord
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.language import language as check_language
from pudim_collector.infra.language_reader import time_zone as check_time_zone
from pudim_collector.infra.passwords import Passwords
from pudim_collector.infra.permissions import Permission, Rights, Role
from pudim_collector.infra.scoping import NO_TEAM
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

Person: TypeAlias = UserRecord
AccountError: TypeAlias = rules.AccountError
OwnSession: TypeAlias = SeenSession
_log = logging.getLogger("pudim.security")


class SetupLinkError(PudimError):
    """This setup link was used, has expired, or never was one."""

    code = "setup_link"
    status = 404
    hint = "If there is no owner yet, start Pudim again: it prints a new link. Otherwise sign in."


class NoSuchSessionError(PudimError):
    """There is no such session, or not any more."""

    code = "no_such_session"
    status = 404


class EmailTakenError(rules.AccountError):
    """Another account has this address."""

    code = "email_taken"
    field = "email"


class NoSuchTeamError(PudimError):
    """You are in no such team."""

    code = "no_such_team"
    status = 404


@dataclass(frozen=True)
class OpenSession:
    """A session just begun or renewed, with the secret that only its browser has."""

    id: UUID
    secret: str = field(repr=False)
    life: timedelta = rules.SESSION_LIFE


def log_event(event: object) -> None:
    _log.info("%r", event)


class Accounts:
    """`permissions` are what features declare."""

    def __init__(
        self,
        clock: Clock,
        permissions: Mapping[str, Permission | str],
        *,
        passwords: Passwords | None = None,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._clock = clock
        self._rights = Rights(permissions)
        self._passwords = passwords or Passwords()
        self._emit = emit

    def now(self) -> datetime:
        return self._clock.now()

    # The first start

    async def ensure_team(self) -> UUID:
        """The installation's first team."""
        return await queries.the_team()

    async def ensure_setup_link(self) -> str | None:
        """The path of a new link that makes the owner, None if there is one. Links made before are void."""
        if await queries.operator_exists():
            return None
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        await queries.replace_setup_link(new_id(), rules.digest(secret), now, now + rules.SETUP_LINK_LIFE)
        return f"/setup/{secret}"

    async def check_setup_link(self, link: str) -> None:
        """Raises SetupLinkError."""
        if not await queries.setup_link_open(rules.digest(link), self._clock.now()):
            raise SetupLinkError

    async def create_owner(
        self, link: str, *, name: str, email: str, password: str, visitor: Visitor
    ) -> OpenSession:
        """Use the link up, create the owner, and begin his session. Raises SetupLinkError, AccountError."""
        await self.check_setup_link(link)
        name, key = rules.clean_name(name), rules.email_key(email)
        rules.check_password(password, personal=(name, key, key.partition("@")[0]))
        password_hash = await self._passwords.hash(password)
        now = self._clock.now()
        async with database.transaction():
            team_id = await queries.lock_team()
            used = await queries.use_setup_link(rules.digest(link), now)
            if not used or await queries.operator_exists():
                raise SetupLinkError
            user = UserRecord(new_id(), name, email.strip(), password_hash, operator=True)
            await queries.add_user(user, key, now)
            await queries.add_owner(team_id, user.id, now)
            session_id, secret = await self._add_session(user, visitor)
            self._emit(events.OwnerCreated(user.id, visitor.address))
            self._emit(events.SignedIn(user.id, session_id, visitor.address))
        return OpenSession(session_id, secret)

    # People and their sessions, for the feature that lets them in

    async def user_by_email(self, email: str) -> UserRecord | None:
        try:
            return await queries.find_user(rules.email_key(email))
        except rules.EmailRefusedError:
            return None

    @staticmethod
    def email_key(email: str) -> str:
        """The address as compared. Raises EmailRefusedError."""
        return rules.email_key(email)

    async def prepare_person(self, *, name: str, email: str, password: str) -> UserRecord:
        """Somebody who has no account yet; not kept before `add_person`. Raises AccountError."""
        name, key = rules.clean_name(name), rules.email_key(email)
        rules.check_password(password, personal=(name, key, key.partition("@")[0]))
        return UserRecord(new_id(), name, email.strip(), await self._passwords.hash(password))

    async def add_person(self, user: UserRecord) -> None:
        """Raises EmailTakenError."""
        try:
            async with database.transaction():
                await queries.add_user(user, rules.email_key(user.email), self._clock.now())
                self._emit(events.PersonAdded(user.id, user.name))
        except UniqueViolation as error:
            raise EmailTakenError from error

    async def user(self, user_id: UUID) -> UserRecord | None:
        return await queries.get_user(user_id)

    async def password_is_right(self, user: UserRecord | None, password: str) -> bool:
        """The same work for nobody as for a wrong password; a hash of old parameters is renewed."""
        verdict = await self._passwords.verify(
            user.password_hash if user else None, password[: rules.LONGEST_PASSWORD + 1]
        )
        if user is not None and verdict.better_hash is not None:
            await queries.set_password_hash(user.id, verdict.better_hash)
        return user is not None and verdict.right

    async def password_hash(self, user: UserRecord, password: str) -> str:
        """Raises PasswordRefusedError."""
        key = rules.email_key(user.email)
        rules.check_password(password, personal=(user.name, key, key.partition("@")[0]))
        return await self._passwords.hash(password)

    async def change_profile(
        self, principal: Principal, *, name: str, language: str | None, time_zone: str | None
    ) -> Principal:
        """How a person is called and reads; the principal as he is then.

        Raises NameRefusedError, UnknownLanguageError, UnknownTimeZoneError.
        """
        name = rules.clean_name(name)
        if language is not None:
            check_language(language)
        if time_zone is not None:
            check_time_zone(time_zone)
        await queries.set_reading(principal.id, name=name, language=language, time_zone=time_zone)
        self._emit(events.ProfileChanged(principal.id, name, principal.name, language or "", time_zone or ""))
        return replace(principal, name=name, language=language, time_zone=time_zone)

    async def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        """All of his sessions end: who knew the old password may have some."""
        async with database.transaction():
            await queries.set_password_hash(user_id, password_hash)
            await queries.remove_sessions(user_id)

    def checked_email(self, email: str) -> str:
        """As it is written to. Raises EmailRefusedError."""
        rules.email_key(email)
        return email.strip()

    async def set_email(self, user_id: UUID, email: str) -> None:
        """Raises EmailTakenError, EmailRefusedError."""
        if not await queries.set_email(user_id, email.strip(), rules.email_key(email)):
            raise EmailTakenError

    async def open_session(
        self, user: UserRecord, visitor: Visitor, *, instead_of: UUID | None = None
    ) -> OpenSession:
        """Its browser has just proved who it is; the session that it had ends."""
        now = self._clock.now()
        async with database.transaction():
            if instead_of is not None:
                await queries.remove_session(instead_of)
            await queries.remove_sessions_before(
                created_at=now - rules.SESSION_LIFE, last_seen_at=now - rules.SESSION_IDLE
            )
            session_id, secret = await self._add_session(user, visitor)
            self._emit(events.SignedIn(user.id, session_id, visitor.address))
        return OpenSession(session_id, secret)

    async def renew_session(self, session_id: UUID, *, proved: bool = False) -> OpenSession:
        """A new secret in the old one's place, from after a proof or a change of what proves. Raises NoSuchSessionError."""
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        if not await queries.renew_session(session_id, rules.digest(secret), now if proved else None):
            raise NoSuchSessionError
        return OpenSession(session_id, secret)

    async def proof_is_fresh(self, session_id: UUID, lasts: timedelta) -> bool:
        proved_at = await queries.proved_at(session_id)
        return proved_at is not None and self._clock.now() - proved_at < lasts

    async def sessions_of(self, user_id: UUID) -> Sequence[SeenSession]:
        """Those that are good, the one seen last first."""
        now = self._clock.now()
        found = await queries.list_sessions(user_id)
        return [
            one
            for one in found
            if now < rules.session_ends(created_at=one.created_at, last_seen_at=one.last_seen_at)
        ]

    async def end_session(self, user_id: UUID, session_id: UUID) -> None:
        """Raises NoSuchSessionError."""
        if not await queries.remove_session_of(user_id, session_id):
            raise NoSuchSessionError
        self._emit(events.SignedOut(session_id))

    async def end_sessions(self, user_id: UUID, *, but: UUID | None = None) -> None:
        await queries.remove_sessions(user_id, but=but)

    # Sessions

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
        person, standing = session.person, session.standing
        return Principal(
            PrincipalKind.USER,
            person.id,
            standing.team_id or NO_TEAM,
            person.name,
            person.email,
            standing.own_name or standing.role or Role.GUEST,
            standing.held(self._rights),
            session.id,
            rules.csrf_token(secret),
            language=person.language,
            time_zone=person.time_zone,
            teams=person.teams,
            grants=standing.granted(self._rights),
            operator=standing.operator,
            tenancy=standing.tenancy,
            lacks_factor=standing.lacks_factor,
        )

    async def switch_team(self, principal: Principal, team_id: UUID) -> None:
        """From now on this browser is in another of the person's teams. Raises NoSuchTeamError."""
        session_id = principal.session_id
        async with database.transaction():
            if session_id is None or not await queries.set_session_team(session_id, principal.id, team_id):
                raise NoSuchTeamError
            self._emit(
                events.TeamSwitched(
                    session_id, {"team_id": str(principal.team_id)}, {"team_id": str(team_id)}
                )
            )

    def close(self) -> None:
        self._passwords.close()

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
