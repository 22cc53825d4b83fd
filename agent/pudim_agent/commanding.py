"""Takes commands one after the other: checked, remembered, held against the host's policy, done, and answered for."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from pudim.deadlines import happens_within, within
from pudim.vocabulary.errors import PudimError
from pudim.wire.commands import (
    MAX_ENVELOPE_BYTES,
    MAX_OUTPUT,
    NOTHING_BEFORE,
    RUN_BYTES,
    Envelope,
    Mandate,
    Report,
    digest_of,
    epoch_of,
    verify_mandate,
)
from pudim.wire.keys import BadKey, public_bytes, public_from_bytes
from pudim.wire.messages import Command, Taken
from pudim.wire.messages import Mandate as MandateSaid
from pudim.wire.refusals import Refusal
from pudim_agent import policy as policies
from pudim_agent.clock import Clock
from pudim_agent.command_checks import (
    Audience,
    CommandRefused,
    KeyNotPinned,
    TooLong,
    authentic,
    check_audience,
    check_sequence,
    check_time,
    succeeded,
)
from pudim_agent.command_record import CommandRecord, DamagedRecord
from pudim_agent.identity import Identity
from pudim_agent.notices import Notices
from pudim_agent.pinned import Pinned
from pudim_agent.policy import Policy, Trust

_log = logging.getLogger(__name__)
MAX_QUEUED = 8
TIME_GOOD_FOR = 120.0
"""Seconds for which what the collector said of its clock is believed; it says so before each command."""
_LOOK_AT_POLICY = 30.0
_LONGEST_DETAIL = 1000


class Busy(CommandRefused):
    """Too many commands wait already."""

    code = "busy"


class CannotRemember(CommandRefused):
    """This host cannot write down that it did it, so that it might do it twice."""

    code = "cannot_remember"


class NotInPolicy(CommandRefused):
    """The host's policy does not allow this action."""

    code = "not_in_policy"


class BadArgs(CommandRefused):
    """The action's arguments are not as it needs them."""

    code = "bad_args"


class OtherPolicy(CommandRefused):
    """The host's policy changed after the command was chosen."""

    code = "other_policy"


class Frozen(CommandRefused):
    """The host's administrator stopped all commands."""

    code = "frozen"


@dataclass(frozen=True)
class _Task:
    """An action that may be done now, with its arguments and bounds."""

    action: Any
    args: Any
    allowed: Any


@dataclass(frozen=True)
class _End:
    outcome: str
    code: str = ""
    detail: str = ""
    output: str = ""


class Commands:
    """Implements pudim_agent.session.Results; `run` is its loop."""

    def __init__(
        self,
        state_dir: Path,
        identity: Identity,
        collector: Pinned,
        *,
        notices: Notices,
        clock: Clock,
        around: Any = None,
        policy: Path = policies.DEFAULT_POLICY,
        trust: Trust = policies.ROOT,
    ) -> None:
        """`around` is the actions' Surroundings."""
        self._collector, self._notices, self._clock, self._around = collector, notices, clock, around
        self._policy_path, self._trust = policy, trust
        self.own = Audience(identity.agent_id, epoch_of(identity.key.public_key()), os.urandom(RUN_BYTES))
        self._record: CommandRecord | None = None
        self._damage = ""
        try:
            self._record = CommandRecord(state_dir, identity.key)
        except DamagedRecord as damage:
            self._damage = damage.detail
            _log.warning("commands are refused: %s. %s", damage.detail, damage.hint)
        self._queue: deque[Command] = deque()
        self._arrived = asyncio.Event()
        self._answered = asyncio.Event()
        self._said_of_time: tuple[int, float] | None = None
        self._policy_seen: tuple[object, ...] | None = None
        self._unreported = 0

    # What the collector says

    def mandate(self, said: MandateSaid) -> None:
        """Which key signs commands, and the collector's time. One that is not in order is logged and changes nothing."""
        self._said_of_time = (said.at, self._clock.now().steady)
        if self._record is None:
            return
        try:
            believed = map(public_from_bytes, self._collector.pin.believed)
            verify_mandate(said.statement, said.signature, *believed)
            keys = self._record.state.keys
            following = succeeded(keys, Mandate.decode(said.statement), said.statement, said.succession)
            if following is not keys:
                self._record.mandated(following)
        except (Refusal, CommandRefused, BadKey) as refusal:
            _log.warning("a key for commands was refused (%s): %s", refusal.code, refusal.detail)
        except OSError as error:
            _log.warning("the key for commands cannot be kept: %s", error)

    def command(self, command: Command) -> None:
        if len(command.envelope) > MAX_ENVELOPE_BYTES:
            self._refuse(command, TooLong())
        elif len(self._queue) >= MAX_QUEUED:
            self._refuse(command, Busy())
        else:
            self._queue.append(command)
            self._arrived.set()

    def taken(self, taken: Taken) -> None:
        if self._record is not None:
            self._record.taken(taken.sequence)

    # What is sent

    def since(self, sequence: int) -> Iterator[tuple[int, bytes]]:
        if self._record is not None:
            yield from self._record.since(sequence)

    async def answered(self) -> None:
        await self._answered.wait()
        self._answered.clear()

    # What is done

    async def run(self) -> None:
        """For ever, one command at a time."""
        self.own_up()
        while True:
            self.tell_policy()
            await self.work_off()
            await self._wait()

    async def work_off(self) -> None:
        """Do all that waits."""
        while self._queue:
            command = self._queue.popleft()
            if self._record is not None:
                await self._do(self._record, command)

    async def _wait(self) -> None:
        if self._queue:
            return
        self._arrived.clear()
        await happens_within(_LOOK_AT_POLICY, self._arrived)

    async def _do(self, record: CommandRecord, command: Command) -> None:
        if not record.has_room:
            self._leave_out("too many reports wait for the collector")
            return
        started = self._wall_ms()
        about = digest_of(command.envelope)
        envelope: Envelope | None = None
        try:
            envelope = self._admit(record, command)
            self._remember(record, envelope, about, started)
            task = self._permitted(envelope)
        except CommandRefused as refusal:
            _log.warning("refused a command (%s): %s", refusal.code, refusal.detail)
            self._report(envelope, about, started, _End("refused", refusal.code, refusal.detail))
            return
        _log.info("%s, number %d, asked by %r", envelope.action, envelope.sequence, envelope.actor)
        self._report(envelope, about, started, await _end_of(task))

    def _admit(self, record: CommandRecord, command: Command) -> Envelope:
        """Raises a CommandRefused; nothing of a command is read before its signature was checked."""
        state = record.state
        envelope = authentic(command.envelope, command.signature, state.keys)
        check_audience(envelope, self.own)
        check_time(envelope, self._wall_ms(), self._ahead())
        check_sequence(envelope, state.sequence)
        return envelope

    def _remember(self, record: CommandRecord, envelope: Envelope, about: bytes, now: int) -> None:
        try:
            record.begin(envelope, about, now)
        except OSError as error:
            raise CannotRemember(str(error)) from error

    def _permitted(self, envelope: Envelope) -> _Task:
        """By the policy as it is at this moment. Raises a CommandRefused."""
        policy = policies.load(self._policy_path, self._trust)
        self._check_pinned(policy)
        if envelope.action not in policy.allowed:
            raise NotInPolicy(policy.refused.detail if policy.refused else "")
        from pudim_agent.actions import actions
        from pudim_agent.typed import record

        kind, faults = actions[envelope.action], list[tuple[str, str]]()
        args = record(kind.Args, envelope.args, faults)
        if args is None:
            raise BadArgs("; ".join(f"{key}: {said}" for key, said in faults)[:_LONGEST_DETAIL])
        if envelope.policy is not None and envelope.policy != policy.digest:
            raise OtherPolicy
        if policy.frozen:
            raise Frozen
        task = _Task(kind(self._around), args, policy.allowed[envelope.action])
        task.action.permit(task.args, task.allowed)
        return task

    def _check_pinned(self, policy: Policy) -> None:
        current = self._record.state.keys.current if self._record else None
        if policy.command_key is not None and (
            current is None or public_bytes(current) != policy.command_key
        ):
            raise KeyNotPinned

    def _ahead(self) -> int | None:
        """How far the collector's clock is before this one (ms), as it said lately; late words make it seem behind."""
        if self._said_of_time is None:
            return None
        said, steady = self._said_of_time
        now = self._clock.now()
        passed = now.steady - steady
        return said + int(passed * 1000) - now.wall_ms if 0 <= passed <= TIME_GOOD_FOR else None

    # What is told of it

    def _refuse(self, command: Command, refusal: CommandRefused) -> None:
        """Without reading it."""
        _log.warning("refused a command (%s)", refusal.code)
        about = digest_of(command.envelope)
        self._report(None, about, self._wall_ms(), _End("refused", refusal.code, refusal.detail))

    def _report(self, envelope: Envelope | None, about: bytes, started: int, end: _End) -> None:
        record = self._record
        if record is None or not record.has_room:
            self._leave_out("it cannot be kept")
            return
        output, truncated = _bounded(end.output)
        report = Report(
            self.own.agent_id,
            self.own.epoch,
            1,
            NOTHING_BEFORE,
            envelope.command_id if envelope else None,
            about,
            end.outcome,
            end.code,
            _harmless(end.detail)[:_LONGEST_DETAIL],
            output,
            truncated,
            started,
            self._wall_ms(),
            self._unreported,
        )
        try:
            record.add(report)
        except OSError as error:
            self._leave_out(str(error))
            return
        self._unreported = 0
        self._answered.set()

    def _leave_out(self, why: str) -> None:
        self._unreported += 1
        _log.warning("what became of a command is not reported: %s", why)

    def own_up(self) -> None:
        """A command that this agent was ended in has its report too."""
        begun = self._record.state.begun if self._record else None
        if self._record is None or begun is None:
            return
        report = Report(
            self.own.agent_id,
            self.own.epoch,
            1,
            NOTHING_BEFORE,
            UUID(bytes=begun.command_id),
            begun.about,
            "failed",
            "interrupted",
            "The agent ended while it was done; what had an effect until then is not known.",
            "",
            False,
            begun.at,
            self._wall_ms(),
        )
        try:
            self._record.add(report)
        except OSError as error:
            self._leave_out(str(error))
        self._answered.set()

    def tell_policy(self) -> None:
        """When the file may have changed since it was told."""
        seen = policies.identity_of(self._policy_path)
        if seen == self._policy_seen:
            return
        self._policy_seen = seen
        policy = policies.load(self._policy_path, self._trust)
        if policy.refused is not None:
            _log.warning("the policy does not count: %s %s", policy.refused.detail, policy.refused.hint)
        told = policy.told() | {"run": self.own.run.hex()}
        if self._damage:
            told |= {"actions": [], "refused": DamagedRecord.code, "reason": self._damage}
        self._notices.tell("policy", self._wall_ms(), told)

    def _wall_ms(self) -> int:
        return self._clock.now().wall_ms


async def _end_of(task: _Task) -> _End:
    """Do it, within its time."""
    from pudim_agent.actions import ActionFailed

    try:
        async with within(task.action.seconds):
            return _End("done", output=await task.action.run(task.args, task.allowed))
    except ActionFailed as failed:
        return _End("failed", failed.code, failed.detail, failed.output)
    except PudimError as error:
        return _End("failed", error.code, f"{error.detail} {error.hint}".strip())
    except asyncio.TimeoutError:
        return _End("failed", "too_slow", f"It was stopped after {task.action.seconds:g} s.")
    except Exception as error:  # noqa: BLE001 - whatever it is, the command is answered for
        return _End("failed", "failed", f"{type(error).__name__}: {error}")


def _bounded(output: str) -> tuple[str, bool]:
    """The end of what was said, harmless and within a report's size; and whether something is missing."""
    content = _harmless(output).encode(errors="replace")
    if len(content) <= MAX_OUTPUT:
        return content.decode(), False
    return content[-MAX_OUTPUT:].decode(errors="ignore"), True


def _harmless(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
