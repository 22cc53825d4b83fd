"""Use cases of invitations: make, send and withdraw one, and come into a team by it."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts, Person, log_event
from pudim_collector.features.invitations import events, queries, rules
from pudim_collector.features.invitations.queries import InvitationRecord
from pudim_collector.features.roles.service import RoleName, Roles, TooMany
from pudim_collector.features.sessions.service import Letters
from pudim_collector.features.teams.service import ATeam, Teams, changing, must_be_person, scope_of
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.errors import MailError
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

_log = logging.getLogger(__name__)


class NoSuchInvitation(PudimError):
    """This invitation was used or withdrawn, has expired, or never was one."""

    code = "no_such_invitation"
    status = 404
    hint = "Ask whoever invited you for a new one."


@dataclass(frozen=True)
class NewInvitation:
    """`link` is known only now; `mailed` says whether it is on its way to who is invited."""

    link: str = field(repr=False)
    record: InvitationRecord
    mailed: bool


@dataclass(frozen=True)
class Shown:
    """What who has the link sees: `known` says whether somebody has the address, `by` who invited him, "" for a program."""

    record: InvitationRecord
    team: ATeam
    known: bool
    by: str


class Joining:
    """`url` is where browsers reach this collector; links begin with it."""

    def __init__(
        self,
        clock: Clock,
        roles: Roles,
        accounts: Accounts,
        letters: Letters,
        *,
        url: str,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._clock, self._roles, self._accounts = clock, roles, accounts
        self._letters, self._url, self._emit = letters, url, emit

    @property
    def sends_mail(self) -> bool:
        return self._letters.is_configured

    async def all(self, principal: Principal) -> list[InvitationRecord]:
        """Those that can still be used, by address."""
        now = self._clock.now()
        return [one for one in await queries.invitations(scope_of(principal)) if one.expires_at > now]

    async def invite(self, principal: Principal, email: str, role: RoleName) -> NewInvitation:
        """Whoever has this address may join within a week; an earlier invitation of his is void.

        Raises EmailRefusedError, NoSuchRole, NotYoursToGive, AlreadyMember or TooMany.
        """
        key, now = self._accounts.email_key(email), self._clock.now()
        async with changing(principal.team_id) as team:
            scope = scope_of(principal)
            await self._roles.check_may_give(principal, role)
            known = await self._accounts.user_by_email(email)
            if known is not None and await queries.is_member(scope, known.id):
                raise rules.AlreadyMember
            open_ones = await queries.invitations(scope)
            if len([one for one in open_ones if one.expires_at > now]) >= rules.MOST_INVITATIONS:
                raise TooMany(f"A team has at most {rules.MOST_INVITATIONS} open invitations.")
            made_by = principal.id if principal.kind is PrincipalKind.USER else None
            made = InvitationRecord(
                new_id(), scope.team_id, email.strip(), key, role, made_by, now, now + rules.INVITATION_LIFE
            )
            said = await self._roles.name(scope, role)
            self._emit(events.InvitationMade(made.id, made.email, said))
            return await self._put(principal, team, made, known)

    async def resend(self, principal: Principal, invitation_id: UUID) -> NewInvitation:
        """With a new link, for a week from now; the old link is void. Raises NoSuchInvitation or NotYoursToGive."""
        now = self._clock.now()
        async with changing(principal.team_id) as team:
            scope = scope_of(principal)
            found = [one for one in await queries.invitations(scope) if one.id == invitation_id]
            if not found:
                raise NoSuchInvitation
            await self._roles.check_may_give(principal, found[0].role)
            known = await self._accounts.user_by_email(found[0].email)
            again = replace(found[0], expires_at=now + rules.INVITATION_LIFE)
            self._emit(events.InvitationResent(again.id, again.email))
            return await self._put(principal, team, again, known)

    async def withdraw(self, principal: Principal, invitation_id: UUID) -> None:
        """Raises NoSuchInvitation."""
        async with database.transaction():
            email = await queries.delete_invitation(scope_of(principal), invitation_id)
            if email is None:
                raise NoSuchInvitation
            self._emit(events.InvitationWithdrawn(invitation_id, email))

    async def shown(self, secret: str) -> Shown:
        """Raises NoSuchInvitation."""
        found = await queries.find_invitation(_digest(secret), self._clock.now())
        if found is None:
            raise NoSuchInvitation
        team = await Teams.by_id(found.team_id)
        known = await self._accounts.user_by_email(found.email) is not None
        by = await self._accounts.user(found.made_by) if found.made_by else None
        return Shown(found, team, known, by.name if by else "")

    def is_for(self, record: InvitationRecord, principal: Principal) -> bool:
        return self._accounts.email_key(principal.email or "") == record.email_key

    async def accept(self, principal: Principal, secret: str) -> ATeam:
        """Who is signed in joins. Raises NoSuchInvitation, WrongRecipient, PeopleOnly or AlreadyMember."""
        must_be_person(principal)
        found = await self.shown(secret)
        if not self.is_for(found.record, principal):
            raise rules.WrongRecipient
        await self._join(found.record, principal.id)
        return found.team

    async def accept_as_new(self, secret: str, *, name: str, password: str) -> Person:
        """Make the account that was invited, and join. Raises NoSuchInvitation, EmailTakenError or an AccountError."""
        found = (await self.shown(secret)).record
        prepared = await self._accounts.prepare_person(name=name, email=found.email, password=password)
        async with database.transaction():
            await self._accounts.add_person(prepared)
            await self._join(found, prepared.id)
        return prepared

    async def _put(
        self, principal: Principal, team: ATeam, made: InvitationRecord, known: Person | None
    ) -> NewInvitation:
        secret = secrets.token_urlsafe(32)
        await queries.replace_invitation(Scope(team.id), made, _digest(secret))
        link = f"{self._url}/invitations/{secret}"
        # Somebody new reads the language of who invites him, until he chooses one.
        language = known.language if known else principal.language
        mailed = await self._mail(principal, team, made, link, language)
        return NewInvitation(link, made, mailed)

    async def _mail(
        self, principal: Principal, team: ATeam, made: InvitationRecord, link: str, language: str | None
    ) -> bool:
        """That it cannot be sent does not undo it: the link is shown to who invites."""
        if not self.sends_mail:
            return False
        by = principal.name if principal.kind is PrincipalKind.USER else ""
        try:
            await self._letters.post(
                made.email,
                "invitation",
                "You are invited to a team at Pudim",
                language=language,
                team=team.name,
                by=by,
                until=made.expires_at,
                link=link,
            )
        except MailError as error:
            _log.warning("the invitation %s was not mailed: %s", made.id, error.code)
            return False
        return True

    async def _join(self, found: InvitationRecord, user_id: UUID) -> None:
        scope, now = Scope(found.team_id), self._clock.now()
        async with changing(found.team_id):
            if not await queries.use_invitation(found.id):
                raise NoSuchInvitation
            if not await queries.insert_member(scope, user_id, found.role, now):
                raise rules.AlreadyMember
            said = await self._roles.name(scope, found.role)
            self._emit(events.MemberJoined(user_id, found.team_id, said, found.made_by))


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
