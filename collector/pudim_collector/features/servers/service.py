"""Use cases around servers: enrol one, list them with what is known now, revoke one."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from shlex import quote
from typing import NamedTuple, Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.vocabulary.errors import PudimError
from pudim.wire import enrolment
from pudim.wire.keys import public_bytes, public_from_bytes, to_text
from pudim.wire.refusals import EnrolmentTokenInvalid, EnrolmentTokenUsed
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.installing.service import INSTALL_PATH, Releases
from pudim_collector.features.servers import events, queries
from pudim_collector.features.servers.queries import ServerRecord
from pudim_collector.features.servers.rules import (
    ENROLMENT_TOKEN_LIFE,
    SILENT_AFTER,
    ServerKind,
    ServerState,
    check_token,
    clean_tags,
    name_of,
    place_among,
    state,
)
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.selectors import Selector
from pudim_collector.infra.auth import Sender
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import NO_FLEET, Fleet, NoSuchServer, Scope
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id
from pudim_collector.series.reading import Latest, Reader
from pudim_collector.series.shelves import is_from_outside

COMMITTED = "pudim_committed"
"""The channel on which ingest announces the servers whose frames were stored."""
REVOKED = "pudim_revoked"
"""The channel on which a revoked server is announced, so that whoever holds its agent's session ends it."""
enrolments = counter("pudim_enrolments_total", "Agents enrolled or refused, by outcome.", ["outcome"])
log = logging.getLogger(__name__)
CPU = "system.cpu.utilization"
MEMORY = "system.memory.utilization"
DISK = "system.filesystem.utilization"
HOSTNAME = "host.name"
SYSTEM = "os.description"
ARCHITECTURE = "host.arch"
KERNEL = "os.kernel"
_QUIET = 5.0


class EmptyName(PudimError):
    """A server's name has something in it that can be seen."""

    code = "empty_name"
    status = 422


class Contact(NamedTuple):
    """When a server's newest frames were stored, and when its agent connected last."""

    seen: datetime | None
    opened: datetime | None


@dataclass(frozen=True)
class Sign:
    """How many things of a kind a host has, and how many of them need somebody.

    `old` when nobody knows any more whether it is so.
    """

    total: int
    bad: int
    received_at: datetime
    old: bool


class Signs(Protocol):
    """What the agents said of their hosts, in figures; another feature brings it."""

    async def signs(
        self, within: Scope, contacts: Mapping[UUID, Contact], now: datetime
    ) -> Mapping[UUID, Mapping[str, Sign]]:
        """By server, then by kind (containers, units, checks, disks)."""
        ...


@dataclass(frozen=True)
class ServerView:
    """A server with what is known of it now; fractions are None when no recent figure exists."""

    id: UUID
    name: str
    state: ServerState
    last_seen_at: datetime | None
    enrolled_at: datetime
    agent_version: str | None
    os: str | None
    architecture: str | None
    kind: ServerKind
    cpu: float | None = None
    memory: float | None = None
    disk: float | None = None
    tags: Sequence[str] = ()
    opened_at: datetime | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    signs: Mapping[str, Sign] = field(default_factory=dict)

    @property
    def kernel(self) -> str | None:
        return self.facts.get(KERNEL)

    @property
    def contact(self) -> Contact:
        return Contact(self.last_seen_at, self.opened_at)

    @property
    def from_outside(self) -> bool:
        return self.kind is ServerKind.OUTSIDE


@dataclass(frozen=True)
class Enrolment:
    """From when until when a server may send frames; one without an agent is not known to send any at fixed times."""

    id: UUID
    name: str
    with_agent: bool
    enrolled_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewToken:
    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True)
class Invitation:
    """A token with all that a host needs to use it, and the command that does."""

    token: str = field(repr=False)
    expires_at: datetime
    collector_key: str
    command: str = field(repr=False)
    installs: bool
    """Whether the command brings the agent with it; else that has to be on the host."""


@dataclass(frozen=True)
class Enrolled:
    agent_id: UUID
    signature: bytes


class Servers:
    """All use cases; also what ingest asks of the enrolled agents."""

    def __init__(
        self,
        reader: Reader,
        announcements: Announcements,
        clock: Clock,
        signs: Signs | None = None,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._reader, self._announcements, self._clock = reader, announcements, clock
        self._signs, self._emit = signs, emit

    async def all(self, within: Scope, tags: Sequence[str] = ()) -> list[ServerView]:
        """Those within the scope that have all of `tags`, by name."""
        records = await queries.all_servers(within)
        return await self._views(within, [one for one in records if set(tags) <= set(one.tags)])

    async def page(
        self, within: Scope, paging: Paging, tags: Sequence[str], selector: Selector
    ) -> list[ServerView]:
        """One page of those within the scope that have all of `tags` and that `selector` selects, by name."""
        after = paging.after(tuple[str, UUID])
        found = await queries.servers_after(within, after, tags, selector, paging.limit + 1)
        return await self._views(within, paging.page(found, lambda one: (one.name, one.id)))

    async def version(self, within: Scope, server_id: UUID, *, lock: bool = False) -> str:
        """Of what can be changed of a server; with `lock` nobody else does until the transaction ends.

        Raises NoSuchServer.
        """
        record = await queries.find_server(within, server_id, lock=lock)
        if record is None:
            raise NoSuchServer
        return version_of(record.id, record.name, record.tags, record.revoked_at)

    async def one(self, within: Scope, server_id: UUID) -> ServerView:
        """Raises NoSuchServer."""
        record = await queries.find_server(within, server_id)
        if record is None:
            raise NoSuchServer
        return (await self._views(within, [record]))[0]

    async def enrolments(self, within: Scope, wanted: Sequence[UUID] | None = None) -> list[Enrolment]:
        """Those of the `wanted` servers, or of all within the scope. Raises NoSuchServer."""
        if wanted is None:
            return [_enrolment(one) for one in await queries.all_servers(within)]
        records = await queries.find_servers(within, wanted)
        if len(records) < len(set(wanted)):
            raise NoSuchServer
        return [_enrolment(one) for one in records]

    @staticmethod
    async def every_enrolment() -> list[Enrolment]:
        """Of all teams: for the system's own work."""
        return [_enrolment(one) for one in await queries.every_server()]

    async def change(
        self, within: Scope, server_id: UUID, name: str | None = None, tags: Sequence[str] | None = None
    ) -> None:
        """What is None stays as it is. Raises NoSuchServer, EmptyName or BadTag."""
        if name is not None and not name.strip():
            raise EmptyName
        cleaned = None if tags is None else clean_tags(tags)
        async with database.transaction():
            known = await queries.find_server(within, server_id)
            if known is None or not await queries.set_name_and_tags(
                within, server_id, name and name.strip(), cleaned
            ):
                raise NoSuchServer
            self._emit(_changed(known, name and name.strip(), cleaned))

    async def revoke(self, within: Scope, server_id: UUID) -> None:
        """Take nothing more from this server's agent, and end its session. Raises NoSuchServer."""
        async with database.transaction():
            if await queries.set_revoked(within, server_id, self._clock.now()):
                await self._announcements.announce(REVOKED, server_id.hex)
                self._emit(events.AgentRevoked(server_id))
            elif await queries.find_server(within, server_id) is None:
                raise NoSuchServer

    async def revoked(self) -> list[UUID]:
        return await queries.revoked_servers()

    async def create_token(self, name: str | None, team_id: UUID | None = None) -> NewToken:
        """A single-use enrolment token; `name` is what the server will be called, else its host name.

        It adds to the team, to the installation's first one where none is named, as for this machine's own agent.
        """
        now = self._clock.now()
        token = f"pud_enr_{secrets.token_urlsafe(24)}"
        expires_at = now + ENROLMENT_TOKEN_LIFE
        async with database.transaction():
            await queries.insert_token(new_id(), _hash(token), name or None, now, expires_at, team_id)
            self._emit(events.ServerInvited(name or None, expires_at))
        return NewToken(token, expires_at)

    async def enrol(
        self,
        token: str,
        public_key: bytes,
        proof: bytes,
        facts: dict[str, str],
        key: Ed25519PrivateKey,
        *,
        wish: str | None = None,
    ) -> Enrolled:
        """Make a server of an agent that holds `token`; `key` is the collector's, `wish` how the agent wants to be called.

        Raises BadKey, BadSignature, EnrolmentTokenInvalid, EnrolmentTokenUsed or EnrolmentTokenExpired.
        """
        try:
            enrolled = await self._enrol(token, public_key, proof, facts, key, wish)
        except PudimError as refusal:
            enrolments.labels(refusal.code).inc()
            log.warning("refused an enrolment: %s", refusal.code)
            self._emit(events.EnrolmentRefused(refusal.code))
            raise
        enrolments.labels("enrolled").inc()
        return enrolled

    async def _enrol(  # noqa: PLR0917 - as `enrol`
        self,
        token: str,
        public_key: bytes,
        proof: bytes,
        facts: dict[str, str],
        key: Ed25519PrivateKey,
        wish: str | None,
    ) -> Enrolled:
        agent = public_from_bytes(public_key)
        enrolment.verify_request(token, agent, key.public_key(), proof)
        now, agent_id = self._clock.now(), new_id()
        async with database.transaction():
            record = await queries.find_token(_hash(token))
            if record is None:
                raise EnrolmentTokenInvalid
            check_token(expires_at=record.expires_at, used_at=record.used_at, now=now)
            name = name_of(record.name, wish, facts.get(HOSTNAME), str(agent_id))
            await queries.insert_server(agent_id, name, public_key, facts, now, record.team_id)
            if not await queries.claim_token(record.id, agent_id, now):
                raise EnrolmentTokenUsed
            self._emit(events.ServerEnrolled(agent_id, name))
        return Enrolled(agent_id, enrolment.sign_answer(token, agent, agent_id, key))

    async def opened(self, server_id: UUID, agent_version: str, facts: dict[str, str]) -> None:
        """The server's agent has connected and said what it runs on."""
        await queries.update_opened(server_id, agent_version, facts, self._clock.now())

    async def _views(self, within: Scope, records: Sequence[ServerRecord]) -> list[ServerView]:
        now = self._clock.now()
        ids = [record.id for record in records]
        seen = await self._reader.last_stored(ids)
        fresh = await self._reader.latest(ids, now - SILENT_AFTER, [CPU, MEMORY, DISK])
        by_server: dict[UUID, list[Latest]] = {}
        for latest in fresh:
            if is_from_outside(latest.series):
                continue  # what others say of a host must not pass for what its agent measured
            by_server.setdefault(latest.server_id, []).append(latest)
        views = [_view(one, seen.get(one.id), by_server.get(one.id, []), now) for one in records]
        if self._signs is None:
            return views
        signs = await self._signs.signs(within, {view.id: view.contact for view in views}, now)
        return [replace(view, signs=signs.get(view.id, {})) for view in views]


class TooManyServers(PudimError):
    """The sender has made as many servers as it may make."""

    code = "server_cap"
    status = 403


@dataclass(frozen=True)
class OutsideServers:
    """Servers as other programs' metrics need them. None of these can open an agent's stream: they have no key."""

    clock: Clock

    async def place(self, names: Sequence[str], sender: Sender) -> UUID:
        """The server of the sender's team called by the first of `names` that one bears, else a new one called by the last.

        Raises ServerRevoked, or TooManyServers when this sender has made as many as it may already.
        """
        found = place_among(await queries.named(sender.team_id, names), names)
        if found is not None:
            return found
        async with database.transaction():
            await queries.lock_outside()
            found = place_among(await queries.named(sender.team_id, names), names)
            if found is not None:
                return found
            made = await queries.count_made_by(sender.id)
            if made >= sender.most_servers:
                raise TooManyServers(f"it has made {made} servers, as many as it may")
            server_id = new_id()
            await queries.insert_outside(server_id, sender.team_id, names[-1], sender.id, self.clock.now())
            return server_id

    async def seen(self, servers: Sequence[UUID]) -> None:
        """Metrics of these were stored now."""
        await queries.set_seen(servers, self.clock.now())


class TeamsServers:
    """Implements pudim_collector.infra.scoping.Directory: read again when whoever asks was read with a later version."""

    def __init__(self) -> None:
        self._version = 0
        self._fleets: Mapping[UUID, Fleet] = {}

    async def fleet(self, team_id: UUID, version: int) -> Fleet:
        if self._version < version:
            read, fleets = await queries.fleets()
            if read > self._version:  # another request may have read a later one meanwhile
                self._version, self._fleets = read, {team: Fleet(tags) for team, tags in fleets.items()}
        return self._fleets.get(team_id, NO_FLEET)


@dataclass(frozen=True)
class Changes:
    """When a list of servers is worth another look."""

    announcements: Announcements

    async def ticks(self, pause: float) -> AsyncIterator[None]:
        """At once, then after frames were stored or nothing was for a while; at most once in `pause` seconds."""
        with self.announcements.subscribe(COMMITTED) as committed:
            while True:
                yield
                await asyncio.sleep(pause)
                await committed.heard(_QUIET)


@dataclass(frozen=True)
class Invitations:
    """Enrolment tokens as the command to run on a new host; `url` is where agents reach the collector."""

    servers: Servers
    url: str
    key: Ed25519PrivateKey
    releases: Releases

    async def invite(self, name: str | None, team_id: UUID) -> Invitation:
        issued = await self.servers.create_token(name, team_id)
        collector_key = to_text(public_bytes(self.key))
        enrol = f"--url {quote(self.url)} --token {issued.token} --collector-key {collector_key}"
        installs = self.releases.is_offered()
        if installs:
            script = quote(self.url + INSTALL_PATH)
            command = f"curl -fsS {script} | sh -s -- {enrol} --release-key {self.releases.public_key}"
        else:
            command = f"pudim agent enrol {enrol} && pudim agent run"
        return Invitation(issued.token, issued.expires_at, collector_key, command, installs)


def _changed(known: ServerRecord, name: str | None, tags: Sequence[str] | None) -> events.ServerChanged:
    called = known.name if name is None else name
    before = {"name": known.name, "tags": list(known.tags)}
    after = {"name": called, "tags": list(known.tags if tags is None else tags)}
    return events.ServerChanged(known.id, called, before, after)


def _enrolment(record: ServerRecord) -> Enrolment:
    with_agent = record.kind is ServerKind.AGENT
    return Enrolment(record.id, record.name, with_agent, record.enrolled_at, record.revoked_at)


def _view(record: ServerRecord, seen: datetime | None, own: Sequence[Latest], now: datetime) -> ServerView:
    if record.kind is ServerKind.OUTSIDE:
        seen = record.seen_at
    found = state(seen, revoked=record.revoked_at is not None, now=now, kind=record.kind)
    view = ServerView(
        record.id,
        record.name,
        found,
        seen,
        record.enrolled_at,
        record.agent_version,
        record.facts.get(SYSTEM),
        record.facts.get(ARCHITECTURE),
        record.kind,
        tags=record.tags,
        opened_at=record.opened_at,
        facts=record.facts,
    )
    if found is not ServerState.LIVE:
        return view
    return replace(view, cpu=_total(own, CPU), memory=_total(own, MEMORY), disk=_fullest(own, DISK))


def _total(samples: Sequence[Latest], metric: str) -> float | None:
    """The value of the series without labels, if it could be measured."""
    found = (one.value for one in samples if one.series.metric == metric and not one.series.labels)
    return next((value for value in found if math.isfinite(value)), None)


def _fullest(samples: Sequence[Latest], metric: str) -> float | None:
    return max(
        (one.value for one in samples if one.series.metric == metric and math.isfinite(one.value)),
        default=None,
    )


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
