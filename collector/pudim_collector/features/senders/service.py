"""Use cases around senders: make one, list what each does, revoke one, and know one by its token."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.attempts.service import SlowDownError
from pudim_collector.features.senders import events, queries, rules
from pudim_collector.features.senders.queries import SenderRecord
from pudim_collector.features.senders.rules import Caps
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal, PrincipalKind, Sender
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id
from pudim_collector.kernel.throttling import Patience, Throttle

refused_tokens = counter(
    "pudim_sender_tokens_refused_total", "Requests with an unknown or revoked sender's token."
)
_LONGEST_SAID = 2_000
_MOST_GOOD = 10_000
_PATIENCE = Patience(
    free=20, first=timedelta(seconds=1), most=timedelta(minutes=1), forgotten_after=timedelta(minutes=10)
)


class NoSuchSender(PudimError):
    """There is no such sender."""

    code = "no_such_sender"
    status = 404


@dataclass(frozen=True)
class NewSender:
    """`token` is known only now."""

    token: str = field(repr=False)
    record: SenderRecord


class Senders:
    """Implements pudim_collector.infra.auth.SenderAuthenticator."""

    def __init__(self, clock: Clock, *, emit: Callable[[object], None] = log_event) -> None:
        self.clock = clock
        self._emit = emit
        self._throttle = Throttle(_PATIENCE)
        self._good: set[bytes] = set()

    async def by_sender_token(self, secret: str, address: str) -> Sender | None:
        """Raises SlowDownError for an unknown token from where many unknown ones came."""
        digest, now = rules.digest(secret), self.clock.now()
        if digest not in self._good and (wait := self._throttle.wait(address, now)):
            raise SlowDownError(wait)
        record = await queries.find_sender(digest) if rules.looks_like_token(secret) else None
        if record is None:
            self._good.discard(digest)
            self._throttle.failed(address, now)
            refused_tokens.inc()
            self._emit(events.SenderTokenRefused(address))
            return None
        if len(self._good) >= _MOST_GOOD:
            self._good.clear()
        self._good.add(digest)
        return Sender(record.id, record.team_id, record.name, record.most_series, record.most_servers)

    async def all(self, principal: Principal) -> Sequence[SenderRecord]:
        """The team's, by name, without revoked ones."""
        return await queries.list_senders(Scope(principal.team_id))

    async def one(self, principal: Principal, sender_id: UUID, *, lock: bool = False) -> SenderRecord:
        """With `lock` nobody else changes it until the transaction ends. Raises NoSuchSender."""
        record = await queries.get_sender(Scope(principal.team_id), sender_id, lock=lock)
        if record is None:
            raise NoSuchSender
        return record

    async def version(self, principal: Principal, sender_id: UUID, *, lock: bool = False) -> str:
        """Of what can be changed of a sender. Raises NoSuchSender."""
        found = await self.one(principal, sender_id, lock=lock)
        return version_of(found.id, found.name, found.most_series, found.most_servers)

    async def create(self, principal: Principal, name: str, caps: Caps) -> NewSender:
        """Raises a SenderError."""
        rules.check_caps(caps)
        token = rules.make_token(secrets.token_urlsafe(32))
        record = SenderRecord(
            id=new_id(),
            team_id=principal.team_id,
            made_by=principal.id if principal.kind is PrincipalKind.USER else None,
            name=rules.clean_name(name),
            prefix=rules.shown_prefix(token),
            most_series=caps.series,
            most_servers=caps.servers,
            created_at=self.clock.now(),
        )
        async with database.transaction():
            await queries.add_sender(record, rules.digest(token))
            self._emit(events.SenderCreated(record.id, record.name))
        return NewSender(token, record)

    async def set_caps(self, principal: Principal, sender_id: UUID, caps: Caps) -> None:
        """Raises a SenderError or NoSuchSender."""
        rules.check_caps(caps)
        async with database.transaction():
            if not await queries.set_caps(Scope(principal.team_id), sender_id, caps.series, caps.servers):
                raise NoSuchSender
            self._emit(events.SenderCapsChanged(sender_id, caps.series, caps.servers))

    async def revoke(self, principal: Principal, sender_id: UUID) -> None:
        """Take nothing more from it; what it sent stays. Raises NoSuchSender."""
        async with database.transaction():
            if not await queries.revoke_sender(Scope(principal.team_id), sender_id, self.clock.now()):
                raise NoSuchSender
            self._emit(events.SenderRevoked(sender_id))

    # What ingest tells of them

    async def used(self, sender_id: UUID, series: int) -> None:
        """It sends `series` series now."""
        await queries.set_used(sender_id, self.clock.now(), series)

    async def refused(self, sender_id: UUID, points: int, said: str) -> None:
        """So many more of its data points were refused, the last ones for what is `said`."""
        await queries.add_refused(sender_id, self.clock.now(), points, said[:_LONGEST_SAID])
