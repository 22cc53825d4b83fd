"""Use cases around commands: ask, sign when the agent is there to take it, and keep what it reports."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.commands import Envelope, Report, digest_of, epoch_of, verify_report
from pudim.wire.messages import Command, Mandate, Result, Taken
from pudim.wire.refusals import Malformed
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.commands import events, queries
from pudim_collector.features.commands.queries import Broken, CommandRecord
from pudim_collector.features.commands.rules import (
    LIFE,
    MOST_WAITING,
    WAIT,
    Args,
    HasNoAgent,
    NotAllowedByHost,
    NothingNewer,
    Status,
    TooManyWaiting,
    check,
    fault_of,
    next_sequence,
    status,
)
from pudim_collector.features.notices.service import HostNotice, HostNotices
from pudim_collector.features.servers.service import Servers, ServerView
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

ASKED = "pudim_commands"
"""The channel on which servers are announced for which a command waits."""
MOST_LISTED = 100
ended = counter(
    "pudim_commands_total", "Reports of agents on commands, by outcome and code.", ["outcome", "code"]
)
broken_chains = counter("pudim_command_chains_broken_total", "Reports that did not follow the one before.")
log = logging.getLogger(__name__)
_LONGEST_ACTOR = 256
_UPDATE = "self_update"


class NoSuchCommand(PudimError):
    """There is no such command of this server."""

    code = "no_such_command"
    status = 404


class Offered(Protocol):
    """The agent that hosts get from here."""

    def update(self) -> Args | None:
        """What `self_update` is told of it, its version among that; None if there is none."""
        ...


class Signer(Protocol):
    """Who holds the key for commands. It is asked for typed things only: it never signs bytes that others made."""

    def mandates(self, now: datetime) -> Sequence[Mandate]:
        """The collector's word on which key it is, and on those before it, the oldest first; with the time."""
        ...

    def sign(self, envelope: Envelope) -> Command:
        """Put its own key's name in, and sign. Raises ValueError for one that lives longer than any may."""
        ...


@dataclass(frozen=True)
class Recipient:
    """One run of the agent that a command is for."""

    server_id: UUID
    agent_id: UUID
    key: Ed25519PublicKey
    run: bytes


@dataclass(frozen=True)
class CommandView:
    """A command with what it has come to."""

    record: CommandRecord
    status: Status


@dataclass(frozen=True)
class Panel:
    """What a server's page shows: what its host allows, if that is known, what was asked lately, and the version of the
    agent that it could change to.
    """

    policy: HostNotice | None
    commands: list[CommandView]
    broken: Broken | None
    offered: str | None


class HostCommands:
    def __init__(
        self,
        signer: Signer,
        servers: Servers,
        notices: HostNotices,
        announcements: Announcements,
        clock: Clock,
        *,
        offered: Offered,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._signer, self._offered, self._servers, self._notices = signer, offered, servers, notices
        self._announcements, self._clock, self._emit = announcements, clock, emit

    # What people ask

    async def ask(
        self, principal: Principal, within: Scope, server_id: UUID, action: str, args: Args
    ) -> CommandView:
        """Have it signed and sent as soon as the agent is connected.

        What `self_update` is told is filled in where it is left out: the agent that is offered here.
        Raises NoSuchServer, HasNoAgent, BadCommand, NotAllowedByHost, NothingNewer or TooManyWaiting.
        """
        _must_have_agent(await self._servers.one(within, server_id))
        check(action, args)
        await self._must_be_allowed(within, server_id, action)
        if action == _UPDATE and not args:
            args = self._offered.update() or {}
            if not args:
                raise NothingNewer
        now = self._clock.now()
        record = CommandRecord(new_id(), server_id, action, dict(args), _actor(principal), now, now + WAIT)
        async with database.transaction():
            await queries.lock_chain(server_id)
            if await queries.count_waiting(within, server_id, now) >= MOST_WAITING:
                raise TooManyWaiting
            await queries.insert(within, record)
            await self._announcements.announce(ASKED, server_id.hex)
            self._emit(events.CommandAsked(record.id, server_id, action, record.actor))
        return self._view(record)

    async def of(self, within: Scope, server_id: UUID, most: int = MOST_LISTED) -> list[CommandView]:
        """The newest first. Raises NoSuchServer."""
        await self._servers.one(within, server_id)
        return [self._view(one) for one in await queries.newest(within, server_id, most)]

    async def page(self, within: Scope, server_id: UUID, paging: Paging) -> list[CommandView]:
        """One page, the newest first. Raises NoSuchServer."""
        await self._servers.one(within, server_id)
        before = paging.after(tuple[datetime, UUID])
        found = await queries.newest(within, server_id, paging.limit + 1, before=before)
        return [self._view(one) for one in paging.page(found, lambda one: (one.asked_at, one.id))]

    async def one(self, within: Scope, server_id: UUID, command_id: UUID) -> CommandView:
        """Raises NoSuchCommand."""
        found = await queries.newest(within, server_id, 1, command_id)
        if not found:
            raise NoSuchCommand
        return self._view(found[0])

    async def panel(self, within: Scope, server_id: UUID, most: int = 20) -> Panel:
        """Raises NoSuchServer."""
        policy = await self._notices.one(within, server_id, "policy")
        broken = await queries.broken(within, server_id)
        offered = (self._offered.update() or {}).get("version")
        return Panel(policy, await self.of(within, server_id, most), broken, offered)

    # What is said to agents

    async def waiting(self) -> list[UUID]:
        """The servers for which a command waits."""
        return await queries.servers_waiting(self._clock.now())

    def mandate(self) -> bytes:
        """That of the key that signs now."""
        return self.mandates()[-1]

    def mandates(self) -> list[bytes]:
        """What an agent is told that may have missed successions."""
        return [one.encode() for one in self._signer.mandates(self._clock.now())]

    async def signed_for(self, recipient: Recipient) -> list[bytes]:
        """Messages of all commands that wait for this agent, in order; each is signed once and never again.

        One whose message is lost on the way has expired before anybody could use it twice.
        """
        now = self._clock.now()
        made: list[bytes] = []
        async with database.transaction():
            last, _ = await queries.lock_chain(recipient.server_id)
            for waiting in await queries.take_waiting(recipient.server_id, now, MOST_WAITING):
                last = next_sequence(last, now)
                command = self._signer.sign(_envelope(waiting, recipient, last, now))
                await queries.set_sent(waiting.id, last, now, now + LIFE, digest_of(command.envelope))
                made.append(command.encode())
            if made:
                await queries.set_used(recipient.server_id, last)
        return [self.mandate(), *made] if made else []

    # What agents report

    async def answered(self, server_id: UUID, agent_id: UUID, key: Ed25519PublicKey, result: Result) -> Taken:
        """Keep a report. Raises BadSignature, or Malformed for one that is not this agent's own."""
        verify_report(result.body, result.signature, key)
        report = Report.decode(result.body)
        if report.agent_id != agent_id or report.epoch != epoch_of(key):
            raise Malformed("a report of another agent")
        fault = await self._keep(server_id, report, result)
        if fault is not None:
            broken_chains.inc()
            log.warning("the reports of agent %s do not follow one another: %s", agent_id, fault)
            self._emit(events.ChainBroken(server_id, fault))
        return Taken(report.sequence)

    async def _keep(self, server_id: UUID, report: Report, result: Result) -> str | None:
        digest, now = digest_of(result.body), self._clock.now()
        async with database.transaction():
            _, chain = await queries.lock_chain(server_id)
            if await queries.knows_report(server_id, digest):
                return None
            fault = fault_of(chain, report)
            await queries.add_report(server_id, report, digest, result.body, result.signature, fault, now)
            await queries.set_ended(server_id, report, now)
            self._emit(events.CommandEnded(report.command_id, server_id, report.outcome, ascii(report.code)))
        ended.labels(report.outcome, _known(report.code)).inc()
        return fault

    async def _must_be_allowed(self, within: Scope, server_id: UUID, action: str) -> None:
        """As the host said last; the host itself decides. One that has said nothing yet may allow it."""
        policy = await self._notices.one(within, server_id, "policy")
        if policy is not None and (policy.document.frozen or action not in policy.document.actions):
            raise NotAllowedByHost

    def _view(self, record: CommandRecord) -> CommandView:
        found = status(record.outcome, record.wait_until, record.expires_at, self._clock.now())
        return CommandView(record, found)


def _must_have_agent(server: ServerView) -> None:
    if server.from_outside or server.state == "revoked":
        raise HasNoAgent


def _actor(principal: Principal) -> str:
    return (principal.email or principal.name)[:_LONGEST_ACTOR]


def _envelope(waiting: queries.Waiting, recipient: Recipient, sequence: int, now: datetime) -> Envelope:
    issued = int(now.timestamp() * 1000)
    return Envelope(
        key_id=b"",
        command_id=waiting.id,
        agent_id=recipient.agent_id,
        epoch=epoch_of(recipient.key),
        run=recipient.run,
        sequence=sequence,
        issued=issued,
        expires=issued + int(LIFE.total_seconds() * 1000),
        action=waiting.action,
        args=waiting.args,
        actor=waiting.actor,
    )


def _known(code: str) -> str:
    """A label's value, which an agent gone bad must not make many of."""
    return code if code in _CODES else "other"


_CODES = frozenset(
    (
        "",
        *("oversize", "unknown_key", "revoked_key", "key_not_pinned", "bad_signature", "malformed"),
        *("other_agent", "other_enrolment", "other_run", "clock_unknown", "clock_skew", "too_long_lived"),
        *("not_yet_valid", "expired", "replayed", "busy", "cannot_remember", "not_in_policy", "bad_args"),
        *("other_policy", "frozen", "not_allowed", "failed", "interrupted", "too_slow"),
    )
)
