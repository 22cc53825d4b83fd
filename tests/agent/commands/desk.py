"""An agent's end of commands with real files below it, and a collector's end that may sign anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from pudim.wire import keys
from pudim.wire.codec import unpack
from pudim.wire.commands import (
    NOTHING_BEFORE,
    Envelope,
    Mandate,
    Report,
    digest_of,
    epoch_of,
    key_id,
    sign_envelope,
    sign_mandate,
    sign_succession,
    verify_report,
)
from pudim.wire.messages import Command, Notice, Result, Taken
from pudim.wire.messages import Mandate as MandateSaid
from pudim_agent.actions import Surroundings
from pudim_agent.clock import Now
from pudim_agent.commanding import Commands
from pudim_agent.identity import Identity
from pudim_agent.notices import Notices
from pudim_agent.pinned import Pinned
from pudim_agent.policy import Trust

START_MS = 1_764_000_000_000
REFRESH = "[actions.refresh]\n"


class HandClock:
    """Moved by hand; `set_back` is what an administrator, or an attacker on the network's time, can do to the wall."""

    def __init__(self) -> None:
        self.wall_ms, self.steady = START_MS, 1000.0

    def now(self) -> Now:
        return Now(self.wall_ms, self.steady, self.steady)

    def pass_seconds(self, seconds: float) -> None:
        self.wall_ms += int(seconds * 1000)
        self.steady += seconds


@dataclass
class Desk:
    """`ask` signs and hands over one command and gives its report; every part may be other than it should be."""

    folder: Path
    clock: HandClock = field(default_factory=HandClock)
    identity: Identity = field(default_factory=lambda: Identity(uuid4(), keys.generate()))
    collector: Any = field(default_factory=keys.generate)
    signer: Any = field(default_factory=keys.generate)
    sequence: int = 0
    serial: int = 1
    hurried: int = 0
    heads: list[bytes] = field(default_factory=lambda: [NOTHING_BEFORE])
    taking: bool = True

    def __post_init__(self) -> None:
        self.etc = self.folder / "etc"
        self.etc.mkdir(mode=0o755)
        self.folder.chmod(0o755)
        self.write_policy(REFRESH)
        self.systemctl = self.folder / "systemctl"
        self.start()

    def write_policy(self, text: str) -> None:
        path = self.etc / "policy.toml"
        path.write_text(text)
        path.chmod(0o644)

    def start(self) -> None:
        """A new run of the agent on the same state."""
        self.notices = Notices()
        self.commands = Commands(
            self.folder / "state",
            self.identity,
            Pinned(
                self.folder / "state",
                keys.to_text(keys.public_bytes(self.collector)),
                notices=Notices(),
                clock=self.clock,
            ),
            notices=self.notices,
            clock=self.clock,
            around=Surroundings(self.notices, self._hurry, str(self.systemctl)),
            policy=self.etc / "policy.toml",
            trust=Trust(os.getuid(), str(self.folder)),
        )
        self._sent = 0

    def _hurry(self) -> None:
        self.hurried += 1

    # The collector's end

    def mandate(self, at: int | None = None, **changed: Any) -> None:
        """The collector's word on the key, and on its time."""
        statement = Mandate(self.serial, self.signer.public_key()).encode()
        said = MandateSaid(
            statement, sign_mandate(statement, self.collector), b"", self.clock.wall_ms if at is None else at
        )
        self.commands.mandate(replace(said, **changed))

    def rotate(self, *, sign: Any = None) -> Any:
        """A new key for commands, with the word of the one before, or of `sign`; the old key."""
        old, self.signer, self.serial = self.signer, keys.generate(), self.serial + 1
        statement = Mandate(self.serial, self.signer.public_key()).encode()
        self.mandate(succession=sign_succession(statement, sign or old))
        return old

    def envelope(
        self, action: str = "refresh", args: dict[str, Any] | None = None, **changed: Any
    ) -> Envelope:
        self.sequence += 1
        made = Envelope(
            key_id=key_id(self.signer.public_key()),
            command_id=uuid4(),
            agent_id=self.identity.agent_id,
            epoch=epoch_of(self.identity.key.public_key()),
            run=self.run,
            sequence=self.sequence,
            issued=self.clock.wall_ms,
            expires=self.clock.wall_ms + 60_000,
            action=action,
            args=args or {},
            actor="ada@example.org",
        )
        return replace(made, **changed)

    def signed(self, envelope: Envelope, key: Any = None) -> Command:
        body = envelope.encode()
        return Command(body, sign_envelope(body, key or self.signer))

    @property
    def run(self) -> bytes:
        return self.commands.own.run

    async def hand_over(self, *commands: Command) -> list[Report]:
        """Let the agent work until it has done all of them; its reports, checked for signature and chain."""
        for one in commands:
            self.commands.command(one)
        async with asyncio.timeout(60):
            await self.commands.work_off()
        self.commands.tell_policy()
        return self.reports()

    async def ask(
        self, action: str = "refresh", args: dict[str, Any] | None = None, **changed: Any
    ) -> Report:
        """The report on one command of a collector that says its key and its time before, as it should."""
        self.mandate()
        (report,) = await self.hand_over(self.signed(self.envelope(action, args, **changed)))
        return report

    def reports(self) -> list[Report]:
        """The new ones."""
        found = []
        for sequence, message in list(self.commands.since(self._sent)):
            self._sent = sequence
            report = self.verified(Result.decode(unpack(message)))
            assert report.sequence == sequence
            found.append(report)
        if found and self.taking:
            self.commands.taken(Taken(self._sent))
        return found

    def verified(self, result: Result) -> Report:
        verify_report(result.body, result.signature, self.identity.key.public_key())
        report = Report.decode(result.body)
        assert report.previous == self.heads[-1], "the chain holds"
        self.heads.append(digest_of(result.body))
        assert (report.agent_id, report.epoch) == (
            self.identity.agent_id,
            epoch_of(self.identity.key.public_key()),
        )
        return report

    def told(self) -> Iterator[Notice]:
        for _, message in self.notices.since(0):
            yield Notice.decode(unpack(message))

    def policy_told(self) -> dict[str, Any]:
        (found,) = [one.document for one in self.told() if one.kind == "policy"]
        return found

    @property
    def state(self) -> Path:
        return self.folder / "state" / "commands" / "state"


def outcome(report: Report) -> tuple[str, str]:
    return report.outcome, report.code


STRANGER = UUID(int=7)
