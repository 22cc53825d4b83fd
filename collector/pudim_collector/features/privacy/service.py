"""Use cases around people's own data: tell it all, forget it in one transaction, and remove by age what nobody needs."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec

from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.privacy import events, queries, rules
from pudim_collector.infra.archives import zipped
from pudim_collector.infra.database import Connection, Transaction, database
from pudim_collector.infra.mail.errors import MailError
from pudim_collector.infra.personal import REMOVED_AT_ONCE, Kept, Person, Row, Section
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

log = logging.getLogger(__name__)
removed = counter(
    "pudim_rows_removed_by_age_total", "Rows that were removed by age, by what they are.", ["kind"]
)
STRAGGLERS = timedelta(days=1)
"""So long what a deleted person's last requests left behind him is looked for."""
MOST_BATCHES = 200
"""Of one kind in one run of the job; the rest goes with the next."""
_PIECE = 1 << 15


class Letters(Protocol):
    """The port that mail implements."""

    @property
    def is_configured(self) -> bool: ...

    async def post(self, to: str, template: str, subject: str, **context: Any) -> object: ...


@dataclass(frozen=True)
class Retention:
    """How long one kind of rows is kept now."""

    kept: Kept
    days: int


class Privacy:
    """`sections` and `kept` are what all features say of their rows."""

    def __init__(
        self,
        sections: Sequence[Section],
        kept: Sequence[Kept],
        clock: Clock,
        letters: Letters,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self.sections, self._clock, self._letters, self._emit = sections, clock, letters, emit
        self._kept = {one.name: one for one in kept}

    # Telling

    async def person(self, user_id: UUID) -> Person:
        """Raises NoSuchPerson."""
        return _there(await queries.find_person(user_id))

    async def person_called(self, email: str) -> Person:
        """By the address. Raises NoSuchPerson."""
        return _there(await queries.find_by_email(email.strip().casefold()))

    async def export(self, person: Person) -> AsyncIterator[bytes]:
        """A ZIP of all that is held about him: a JSON file a section, and what they are in README.txt."""
        self._emit(events.PersonExported(person.id, person.name))
        now = self._clock.now()
        return zipped(self._files(person, now), now)

    async def _files(self, person: Person, now: datetime) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        counts: dict[str, int] = {}
        for section in self.sections:
            yield f"{section.name}.json", _documents(section, person, counts)
        yield "README.txt", _readme(self.sections, person, counts, now)

    # Forgetting

    async def delete(self, person: Person, typed: str, *, last_operator_may: bool = False) -> None:
        """Raises WrongAddress, LastOwner or LastOperator."""
        async with database.transaction() as transaction:
            connection = transaction.connection
            teams = await queries.lock_teams(connection, person.id)
            person = _there(await queries.lock_person(connection, person.id))
            rules.check_typed(typed, person.email_key)
            rules.check_teams(await queries.owned_alone(connection, person.id))
            if not last_operator_may and await queries.is_last_operator(connection, person.id):
                raise rules.LastOperator
            await queries.add_deleted(connection, person, self._clock.now())
            for team_id in teams:
                self._emit(events.MemberDeleted(team_id, person.id, person.pseudonym))
            self._emit(events.PersonDeleted(person.id, person.pseudonym, len(teams)))
            await self._erase(transaction, person)
            await self._say_farewell(person)

    async def _erase(self, transaction: Transaction, person: Person) -> None:
        for section in self.sections:
            if not section.at_last:
                await section.erase(transaction.connection, person)
        transaction.before_commit(self._erase_at_last, person)

    async def _erase_at_last(self, people: Sequence[Person], connection: Connection) -> None:
        for person in people:
            for section in self.sections:
                if section.at_last:
                    await section.erase(connection, person)

    async def _say_farewell(self, person: Person) -> None:
        """The one mail that is still made for him goes from the outbox once it is sent."""
        if not self._letters.is_configured:
            return
        try:
            await self._letters.post(
                person.email, "account_deleted", "Your Pudim account was deleted", language=person.language
            )
        except MailError as error:
            log.warning("%s was not told by mail: %s", person.pseudonym, error.code)

    # By age

    async def retentions(self) -> list[Retention]:
        changed = await queries.changed_days()
        return [Retention(one, _days(one, changed)) for one in self._kept.values()]

    async def keep_for(self, name: str, days: int) -> Retention:
        """Raises NoSuchRetention or BadRetention."""
        kept = self._kept.get(name)
        if kept is None:
            raise rules.NoSuchRetention
        rules.check_days(name, days, kept.fewest, kept.most)
        async with database.transaction():
            before = _days(kept, await queries.changed_days())
            if before != days:
                await queries.set_days(name, days)
                self._emit(events.RetentionChanged({name: before}, {name: days}))
        return Retention(kept, days)

    async def tidy(self) -> None:
        """Called by the one process that runs jobs: what is too old goes, and what deleted people left behind."""
        now = self._clock.now()
        for one in await self.retentions():
            await _remove(one.kept, now - timedelta(days=one.days))
        for person in await queries.deleted_since(now - STRAGGLERS):
            async with database.transaction() as transaction:
                await self._erase_at_last([person], transaction.connection)


async def _remove(kept: Kept, before: datetime) -> None:
    for _ in range(MOST_BATCHES):
        gone = await queries.remove(kept, before)
        removed.labels(kept.name).inc(gone)
        if gone < REMOVED_AT_ONCE:
            return


def _days(kept: Kept, changed: dict[str, int]) -> int:
    """A newer version may have drawn the bounds closer than what was set."""
    return min(kept.most, max(kept.fewest, changed.get(kept.name, kept.days)))


def _there(found: Person | None) -> Person:
    if found is None:
        raise rules.NoSuchPerson
    return found


async def _documents(section: Section, person: Person, counts: dict[str, int]) -> AsyncIterator[bytes]:
    """One JSON list, a row a line."""
    piece, count = bytearray(b"["), 0
    async for row in section.rows(person):
        piece += (b",\n" if count else b"\n") + msgspec.json.encode(_plain(row))
        count += 1
        if len(piece) > _PIECE:
            yield bytes(piece)
            piece.clear()
    counts[section.name] = count
    yield bytes(piece) + b"\n]\n"


def _plain(row: Row) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}


async def _readme(
    sections: Sequence[Section], person: Person, counts: dict[str, int], now: datetime
) -> AsyncIterator[bytes]:
    lines = [
        f"What this Pudim holds about {person.name} <{person.email}>, as of {now:%Y-%m-%d %H:%M} UTC.",
        "",
        "Each file is a list in JSON. Passwords, secrets of second factors and of API tokens are kept as digests or sealed,",
        "and are not part of it.",
        "",
        *(f"{f'{one.name}.json':28} {counts[one.name]:6}  {one.words}" for one in sections),
        "",
    ]
    yield "\n".join(lines).encode()
