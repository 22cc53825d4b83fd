"""Use cases of the audit log: write what features tell, in their transactions or before the answer; search, keep, export."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.audit import events, queries, rules
from pudim_collector.features.audit.queries import Receiver
from pudim_collector.features.audit.rules import Bar, Break, Damper, Entry, Linked, Search, Walk
from pudim_collector.infra.auditing import UNTOLD, Action, action_of, undeclared
from pudim_collector.infra.auth import Principal, PrincipalKind, Sender
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.database.errors import ForeignTransactionError
from pudim_collector.infra.request_ids import Asked, asked
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

log = logging.getLogger(__name__)
written = counter("pudim_audit_entries_total", "Entries of the audit log, by result.", ["result"])
lost = counter(
    "pudim_audit_entries_lost_total", "Entries that were told outside of requests faster than written."
)
MOST_LEFT = 10_000
"""Entries of what happens outside of requests and transactions that wait to be written."""
MOST_RECEIVERS = 8
_MOST_KNOWN_NETWORKS = 10_000
_REMOVE_AT_ONCE = 5_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED, _UNKNOWN, _FAILED = 403, 401, 400
_NOT_DETAILS = frozenset({"team_id", "address", "by", "actor", "before", "after"})
_BARS_SPAN = timedelta(days=30)
_SECOND = timedelta(seconds=1)


class NoSuchReceiver(PudimError):
    """There is no such receiver."""

    code = "no_such_receiver"
    status = 404


class TooManyReceivers(PudimError):
    """Entries are sent to at most 8 receivers."""

    code = "too_many_receivers"
    status = 409


class NoSuchLog(PudimError):
    """There are several teams, or none yet."""

    code = "no_such_log"
    status = 404
    hint = "Name one by its id with --team, or ask for --installation."


class NoSuchEntry(PudimError):
    """There is no such entry in the audit log, or it is beyond its retention."""

    code = "no_such_entry"
    status = 404


@dataclass(frozen=True)
class _Told:
    """An event with what was known of who asked as it was told."""

    event: object
    action: Action
    at: datetime
    request: Asked | None
    who: Principal | Sender | None


@dataclass
class _Journal:
    """What one request told: what still has to be written, and how much that was or will be."""

    waiting: list[_Told] = field(default_factory=list)
    told: int = 0


_journal: ContextVar[_Journal | None] = ContextVar("pudim_audit_journal", default=None)


class Trail:
    """Takes what features emit. In a transaction it is written as the last of it; else before the request is answered.

    What happens outside of both waits for the loop `run`.
    """

    def __init__(self, clock: Clock, *, actor: tuple[str, str] = ("system", "Pudim")) -> None:
        self._clock, self._actor = clock, actor
        self._left: deque[_Told] = deque()
        self._arrived = asyncio.Event()
        self._damper = Damper()
        self._networks: set[tuple[UUID, str]] = set()

    def emit(self, event: object) -> None:
        log_event(event)
        request = asked.get()
        who = request.scope.get("user") if request else None
        known = who if isinstance(who, Principal | Sender) else None
        told = _Told(event, action_of(event) or undeclared(event), self._clock.now(), request, known)
        journal = _journal.get()
        if journal is not None:
            journal.told += 1
        try:
            transaction = database.active_transaction()
        except ForeignTransactionError:  # told by a task of its own: not part of that transaction
            transaction = None
        if transaction is not None:
            transaction.before_commit(partial(self._write, [told]))
        elif journal is not None:
            journal.waiting.append(told)
        else:
            self._leave([told])

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, whose answers wait until what they tell of is written."""

        async def audited(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            journal = _Journal()
            token = _journal.set(journal)
            begun = False

            async def send_when_written(message: Message) -> None:
                nonlocal begun
                if message["type"] == "http.response.start" and not begun:
                    begun = True
                    await self._before_answer(scope, message["status"], journal)
                await send(message)

            try:
                await app(scope, receive, send_when_written)
            finally:
                _journal.reset(token)
                self._leave(journal.waiting)

        return audited

    async def run(self) -> None:
        """Write what is told outside of requests and transactions."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.settle()

    async def settle(self) -> None:
        """Write what waits."""
        while self._left:
            some = [self._left[number] for number in range(min(len(self._left), 100))]
            async with queries.appending() as connection:
                await self._write(some, connection)
            for _ in some:
                self._left.popleft()

    def _leave(self, told: Iterable[_Told]) -> None:
        for one in told:
            if len(self._left) >= MOST_LEFT:
                lost.inc()
                continue
            self._left.append(one)
            self._arrived.set()

    async def _before_answer(self, scope: Scope, status: int, journal: _Journal) -> None:
        await self._judge(scope, status, journal)
        waiting, journal.waiting = journal.waiting, []
        if waiting:
            async with queries.appending() as connection:
                await self._write(waiting, connection)

    async def _judge(self, scope: Scope, status: int, journal: _Journal) -> None:
        """What the request itself tells: refusals, tokens in new places, and changes that nobody told of."""
        who, problem = scope.get("user"), scope.get("state", {}).get("problem", ("", ""))
        untold = not journal.told
        if isinstance(who, Principal) and who.kind is PrincipalKind.TOKEN:
            await self._notice_network(who, scope)
        if isinstance(who, Principal) and status == _REFUSED:
            passes, left_out = self._damper.passes(f"{who.id} {_route(scope)}", self._clock.now())
            if passes:
                self.emit(events.AccessRefused(_route(scope), problem[0], problem[1], left_out))
        elif status == _UNKNOWN and _shows_credential(scope):
            passes, left_out = self._damper.passes(_address(scope), self._clock.now())
            if passes:
                self.emit(events.CredentialRefused(_route(scope), problem[0], left_out))
        elif isinstance(who, Principal) and status < _FAILED and untold and _changes(scope):
            self.emit(events.RequestMade(_route(scope), str(scope.get("path_params") or "")))

    async def _notice_network(self, who: Principal, scope: Scope) -> None:
        """Asks the database once for each token and network in this process' life."""
        network = rules.network_of(_address(scope))
        if network is None or (who.id, network) in self._networks:
            return
        if len(self._networks) >= _MOST_KNOWN_NETWORKS:
            self._networks.clear()
        if await queries.is_new_network(who.id, network, self._clock.now()):
            self.emit(events.TokenUsedFromNewNetwork(who.id, network))
        self._networks.add((who.id, network))

    async def _write(self, told: Sequence[_Told], connection: Connection) -> None:
        """Chain by chain in one order, so that two writers never wait for each other."""
        entries = [rules.cleaned(await self._entry(one, connection)) for one in told]
        for entry in sorted(entries, key=lambda one: one.chain):
            await queries.append(connection, entry, rules.digest(entry), rules.GENESIS)
            written.labels(str(entry.result)).inc()

    async def _entry(self, told: _Told, connection: Connection) -> Entry:
        event, action = told.event, told.action
        kind, actor_id, actor_name, actor_team = await self._actor_of(told, connection)
        target_name, target_team = await _target_of(event, action, connection)
        target_id = _field(event, action.target.id if action.target else None)
        before, after = _details(event, action)
        scope = told.request.scope if told.request else None
        return Entry(
            team_id=None
            if action.of_installation
            else _first(getattr(event, "team_id", None), _team(told.who), target_team, actor_team),
            at=told.at,
            actor_kind=kind,
            actor_id=None if actor_id is None else str(actor_id),
            actor_name=actor_name,
            action=action.name,
            target_kind=action.target.kind if action.target else None,
            target_id=None if target_id is None else str(target_id),
            target_name=target_name,
            address=str(getattr(event, "address", "") or (_address(scope) if scope else "")),
            user_agent=_user_agent(scope) if scope else "",
            credential=_credential(told.who),
            request_id=told.request.request_id if told.request else None,
            result=str(action.result(event) if callable(action.result) else action.result),
            before=before,
            after=after,
        )

    async def _actor_of(self, told: _Told, connection: Connection) -> tuple[str, object, str, UUID | None]:
        """Kind, id, name, and the team that he is known to be of."""
        declared, who = told.action.actor, told.who
        if declared is not None:
            found = _field(told.event, declared.id)
            name = _field(told.event, declared.name)
            team = None
            if isinstance(found, UUID):
                kind = "server" if declared.kind == "agent" else declared.kind
                known, team = await queries.name_of(connection, kind, found)
                name = name or known
            session = getattr(told.event, "session_id", None)
            if isinstance(session, UUID):
                team = await queries.team_of_session(connection, session)
            return declared.kind, found, str(name or declared.kind), team
        if isinstance(who, Principal):
            return str(who.kind), who.id, who.name, None
        if isinstance(who, Sender):
            return "sender", who.id, who.name, None
        kind, name = self._actor
        return kind, None, name, await queries.the_only_team(connection)


async def _target_of(event: object, action: Action, connection: Connection) -> tuple[str | None, UUID | None]:
    if action.target is None:
        return None, None
    found, name = _field(event, action.target.id), _field(event, action.target.name)
    if not isinstance(found, UUID):
        return (None if name is None else str(name)), None
    known, team = await queries.name_of(connection, action.target.kind, found)
    return (str(name) if name is not None else known), team


def _details(event: object, action: Action) -> tuple[Any, Any]:
    """What the event tells beside who and what; where it tells a change, before and after."""
    named = {part.id for part in (action.target, action.actor) if part}
    named |= {part.name for part in (action.target, action.actor) if part} | _NOT_DETAILS
    rest = {name: getattr(event, name) for name in action.fields if name not in named}
    before, after = getattr(event, "before", None), getattr(event, "after", None)
    if before is None and after is None:
        return None, rest or None
    return ({**rest, **before} if before is not None else None), {**rest, **(after or {})}


def _field(event: object, name: str | None) -> Any:
    return None if name is None else getattr(event, name)


def _first(*teams: UUID | None) -> UUID | None:
    return next((one for one in teams if one is not None), None)


def _team(who: Principal | Sender | None) -> UUID | None:
    return who.team_id if who is not None else None


def _credential(who: Principal | Sender | None) -> str | None:
    if isinstance(who, Principal):
        return str(who.session_id or who.id)
    return str(who.id) if who is not None else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _user_agent(scope: Scope) -> str:
    found = (value for name, value in scope["headers"] if name == b"user-agent")
    return next(found, b"").decode("latin-1")


def _shows_credential(scope: Scope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


def _changes(scope: Scope) -> bool:
    """Whether a request changes something."""
    if scope["type"] != ScopeType.HTTP or scope["method"] in _SAFE:
        return False
    return UNTOLD not in getattr(scope.get("route_handler"), "opt", {})


def _route(scope: Scope) -> str:
    """Method and template: a path itself may hold a secret."""
    return f"{scope.get('method', '')} {scope.get('path_template', '')}".strip()


@dataclass(frozen=True)
class Verified:
    """What looking through a chain found: how many entries hold, what the oldest is, and the first break if there is one."""

    chain: UUID
    entries: int
    anchored: int
    broken: Break | None


@dataclass(frozen=True)
class AuditLog:
    """Reading. `chain` is a team, or rules.INSTALLATION; who may ask for which was decided before."""

    clock: Clock
    emit: Callable[[object], None]

    async def chain_called(self, team: UUID | None, *, installation: bool) -> UUID:
        """Of the installation, of a team, or of the only one that there is. Raises NoSuchLog."""
        if installation:
            return rules.INSTALLATION
        async with database.connection() as connection:
            found = team or await queries.the_only_team(connection)
        if found is None:
            raise NoSuchLog
        return found

    async def page(self, chain: UUID, search: Search, before: int | None, most: int) -> list[Linked]:
        """The newest first, `most` of them and one more where there are more."""
        return await queries.page(chain, search, before, most + 1)

    async def one(self, chain: UUID, sequence: int) -> Linked:
        """Raises NoSuchEntry."""
        found = await queries.after(chain, sequence - 1, 1)
        if not found or found[0].sequence != sequence:
            raise NoSuchEntry
        return found[0]

    async def bars(self, chain: UUID, search: Search) -> list[Bar]:
        """How many entries a search has over time: over its own range, else from the oldest within a month."""
        bounds = await queries.bounds(chain)
        if bounds is None:
            return []
        until = search.until or max(self.clock.now(), bounds[1] + _SECOND)
        since = search.since or max(bounds[0], until - _BARS_SPAN)
        if since >= until:
            return []
        step = rules.step_of(until - since)
        counts = await queries.counts(chain, replace(search, since=since, until=until), step)
        return rules.bars(counts, since, until, step)

    async def export(self, chain: UUID, search: Search, form: str) -> AsyncIterator[bytes]:
        """All that is found, the oldest first, as `csv` or `jsonl`; that it was taken is an entry itself."""
        told = {name: str(value) for name, value in search.__dict__.items() if value}
        self.emit(events.LogExported(form, told))
        return _lines(queries.all_after(chain, 0, search), form)

    async def verify(self, chain: UUID) -> Verified:
        """Compute all hashes of a chain again. What is written meanwhile is not looked at."""
        head, anchor = await queries.head(chain), await queries.anchor(chain)
        last = head.sequence if head else None
        walk = Walk(anchor) if anchor else Walk()
        broken = None
        async for one in _until(queries.all_after(chain, walk.last.sequence), last):
            if broken := walk.step(one):
                break
        broken = broken or walk.end(head)
        return Verified(chain, walk.entries, anchor.sequence if anchor else 0, broken)

    async def verify_all(self) -> list[Verified]:
        return [await self.verify(chain) for chain in await queries.chains()]

    # Retention

    async def days(self, chain: UUID) -> int:
        return await queries.days(chain)

    async def keep_for(self, chain: UUID, days: int) -> None:
        """Raises BadDays."""
        rules.check_days(days)
        async with database.transaction():
            before = await queries.days(chain)
            await queries.set_days(chain, days)
            self.emit(events.DaysChanged({"days": before}, {"days": days}))

    async def size(self) -> int:
        return await queries.size()

    async def prune(self) -> int:
        """Remove what is beyond its retention, behind an anchor that is an entry too. How many were removed."""
        removed = 0
        for chain in await queries.chains():
            keep = await queries.days(chain)
            async with database.transaction() as transaction:
                anchor = await queries.move_anchor(transaction.connection, chain, keep, self.clock.now())
                if anchor is not None:
                    team = None if chain == rules.INSTALLATION else chain
                    self.emit(events.EntriesPruned(team, anchor.sequence, anchor.hash.hex(), keep))
            while gone := await queries.remove_anchored(chain, _REMOVE_AT_ONCE):
                removed += gone
        return removed

    # Receivers

    async def receivers(self, chain: UUID) -> Sequence[Receiver]:
        return await queries.receivers(chain)

    async def add_receiver(
        self, chain: UUID, name: str, kind: str, settings: Mapping[str, Any], *, from_now: bool = True
    ) -> UUID:
        """Send it everything from now on, or all that is kept. Raises TooManyReceivers or BadReceiver."""
        name, settings = rules.check_receiver(name, kind, settings)
        head = await queries.head(chain)
        receiver = Receiver(
            new_id(),
            chain,
            name,
            kind,
            settings,
            head.sequence if head and from_now else 0,
            self.clock.now(),
            None,
            None,
            0,
            None,
            None,
        )
        async with database.transaction():
            if len(await queries.receivers(chain)) >= MOST_RECEIVERS:
                raise TooManyReceivers
            await queries.add_receiver(receiver)
            self.emit(events.ReceiverAdded(receiver.id, name, kind, rules.address_of(kind, settings)))
        return receiver.id

    async def remove_receiver(self, chain: UUID, receiver_id: UUID) -> None:
        """Raises NoSuchReceiver."""
        async with database.transaction():
            name = await queries.remove_receiver(chain, receiver_id)
            if name is None:
                raise NoSuchReceiver
            self.emit(events.ReceiverRemoved(receiver_id, name))


async def _until(found: AsyncIterator[Linked], last: int | None) -> AsyncIterator[Linked]:
    async for one in found:
        if last is not None and one.sequence > last:
            return
        yield one


async def _lines(found: AsyncIterator[Linked], form: str) -> AsyncIterator[bytes]:
    """In pieces of some kilobytes."""
    piece = bytearray(rules.csv_line(rules.COLUMNS) if form == "csv" else b"")
    async for one in found:
        piece += rules.csv_of(one) if form == "csv" else rules.json_line(one)
        if len(piece) > 1 << 15:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
