"""Use cases of the audit log: write what features tell, in their transactions or before the answer; search, keep, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from secrets import token_bytes
from typing import Any, NamedTuple
from uuid import UUID

from litestar.enums import ScopeType
from litestar.types import Scope

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.audit import events, queries, rules
from pudim_collector.features.audit.rules import Bar, Break, Damper, Entry, Linked, Proof, Search, Walk
from pudim_collector.infra.auditing import UNTOLD, Action, actions
from pudim_collector.infra.auth import Principal, PrincipalKind, Sender
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.telemetry import counter
from pudim_collector.infra.telling import Telling, Told
from pudim_collector.kernel.clock import Clock

written = counter("pudim_audit_entries_total", "Entries of the audit log, by result.", ["result"])
_MOST_KNOWN_NETWORKS = 10_000
_REMOVE_AT_ONCE = 5_000
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED, _UNKNOWN, _FAILED = 403, 401, 400
_NOT_DETAILS = frozenset({"team_id", "address", "by", "actor", "before", "after"})
_BARS_SPAN = timedelta(days=30)
_SECOND = timedelta(seconds=1)


class NoSuchLog(PudimError):
    """There are several teams, or none yet."""

    code = "no_such_log"
    status = 404
    hint = "Name one by its id with --team, or ask for --installation."


class NoSuchEntry(PudimError):
    """There is no such entry in the audit log, or it is beyond its retention."""

    code = "no_such_entry"
    status = 404


class Trail(Telling):
    """Makes entries of what features emit. `actor` is the kind and name of who acts where nobody asked for it."""

    def __init__(self, clock: Clock, *, actor: tuple[str, str] = ("system", "Pudim")) -> None:
        super().__init__()
        self._clock, self._actor = clock, actor
        self._damper = Damper()
        self._networks: set[tuple[UUID, str]] = set()

    def emit(self, event: object) -> None:
        log_event(event)
        self.take(event, self._clock.now())

    async def judge(self, scope: Scope, status: int, *, untold: bool) -> None:
        """Refusals, tokens in new places, and changes that nobody told of."""
        who, problem = scope.get("user"), scope.get("state", {}).get("problem", ("", ""))
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

    async def write(self, told: Sequence[Told], connection: Connection) -> None:
        """Chain by chain in one order, so that two writers never wait for each other."""
        entries = [entry for one in told for entry in await self._entries(one, connection)]
        for entry in sorted(entries, key=lambda one: one.chain):
            await queries.append(connection, entry, rules.digest(entry), rules.GENESIS)
            written.labels(str(entry.result)).inc()

    async def _entries(self, told: Told, connection: Connection) -> list[Entry]:
        """One for each log that it belongs to."""
        event, action = told.event, told.action
        kind, actor_id, actor_name, actor_team = await self._actor_of(told, connection)
        target_name, target_team = await _target_of(event, action, connection)
        target_id = _field(event, action.target.id if action.target else None)
        before, after = _details(event, action)
        scope = told.request.scope if told.request else None
        entry = rules.cleaned(
            Entry(
                team_id=_first(getattr(event, "team_id", None), _team(told.who), target_team, actor_team),
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
                proof=Proof(token_bytes(rules.SALT_BYTES), token_bytes(rules.SALT_BYTES)),
            )
        )
        return [replace(entry, team_id=team) for team in await _teams_of(told, entry.team_id, connection)]

    async def _actor_of(self, told: Told, connection: Connection) -> tuple[str, object, str, UUID | None]:
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
            return declared.kind, found, str(name or declared.kind), team
        if isinstance(who, Principal):
            return str(who.kind), who.id, who.name, None
        if isinstance(who, Sender):
            return "sender", who.id, who.name, None
        kind, name = self._actor
        return kind, None, name, await queries.the_only_team(connection)


async def _teams_of(told: Told, team: UUID | None, connection: Connection) -> Sequence[UUID | None]:
    """Whose logs it belongs into; None stands for the installation's."""
    own: list[UUID | None] = [None] if told.action.of_installation else []
    if told.action.of_person:
        person = getattr(told.event, "user_id", None) or _person(told.who)
        own += await queries.teams_of(connection, person) if isinstance(person, UUID) else []
        return own or [None]
    return own or [team]


def _person(who: Principal | Sender | None) -> UUID | None:
    return who.id if isinstance(who, Principal) and who.kind is PrincipalKind.USER else None


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
    erased: int = 0


class Document(NamedTuple):
    """An entry as other programs read it, and what its action means."""

    fields: dict[str, Any]
    words: str


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

    async def after(self, chain: UUID, sequence: int, most: int) -> list[Document]:
        """The oldest first, from the one after `sequence`, as other programs read them."""
        return [
            Document(rules.document(one), words_of(one)) for one in await queries.after(chain, sequence, most)
        ]

    async def newest(self, chain: UUID) -> int:
        """The number of the newest entry, 0 where there is none."""
        head = await queries.head(chain)
        return head.sequence if head else 0

    async def one(self, chain: UUID, sequence: int) -> Linked:
        """Raises NoSuchEntry."""
        found = await queries.after(chain, sequence - 1, 1)
        if not found or found[0].sequence != sequence:
            raise NoSuchEntry
        return found[0]

    async def bars(self, chain: UUID, search: Search) -> list[Bar]:
        """How many entries a search has over time: over its own range, else from the oldest within a month.

        Of very many, the newest 50,000: the first bar is where they begin.
        """
        bounds = await queries.bounds(chain)
        if bounds is None:
            return []
        until = search.until or max(self.clock.now(), bounds[1] + _SECOND)
        since = search.since or max(bounds[0], until - _BARS_SPAN)
        if since >= until:
            return []
        step = rules.step_of(until - since)
        counts = await queries.counts(chain, replace(search, since=since, until=until), step)
        if sum(counts.values()) >= queries.MOST_COUNTED:
            since = min(counts)
        return rules.bars(counts, since, until, step)

    async def export(self, chain: UUID, search: Search, form: str) -> AsyncIterator[bytes]:
        """All that is found, the oldest first, as `csv` or `jsonl`; that it was taken is an entry itself."""
        told = {name: str(value) for name, value in search.__dict__.items() if value}
        self.emit(events.LogExported(form, told))
        return _lines(queries.all_found(chain, search), form)

    async def verify(self, chain: UUID) -> Verified:
        """Compute all hashes of a chain again. What is written meanwhile is not looked at."""
        head, anchor = await queries.head(chain), await queries.anchor(chain)
        last = head.sequence if head else None
        walk = Walk(anchor) if anchor else Walk()
        broken, erased = None, 0
        async for one in _until(queries.all_after(chain, walk.last.sequence), last):
            if broken := walk.step(one):
                break
            erased += one.erased
        broken = broken or walk.end(head)
        return Verified(chain, walk.entries, anchor.sequence if anchor else 0, broken, erased)

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


def words_of(one: Linked) -> str:
    """What an entry's action means; of one that this version does not know, its name."""
    known = actions().get(one.entry.action)
    return known.words if known else one.entry.action


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
