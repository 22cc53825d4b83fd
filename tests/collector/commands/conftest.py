"""A whole collector, and an agent led by hand that says what its host allows and signs what it reports."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest

from pudim.wire.commands import (
    NOTHING_BEFORE,
    Envelope,
    Report,
    digest_of,
    epoch_of,
    sign_report,
    verify_envelope,
    verify_mandate,
)
from pudim.wire.commands import Mandate as Statement
from pudim.wire.messages import Command, Mandate, Notice, Result, Taken
from tests.collector.app.site import COLLECTOR_KEY, Site, clock, runtime, site
from tests.collector.ingest.agent import LedAgent, now_ms

__all__ = ["clock", "runtime", "site"]
POLICY = {"actions": ["refresh", "tail_log"], "frozen": False, "digest": "", "refused": None, "bounds": {}}


@dataclass
class Host:
    """An agent whose connection, words and signatures are all up to the test."""

    site: Site
    led: LedAgent
    run: bytes = field(default_factory=lambda: os.urandom(16))
    sequence: int = 0
    head: bytes = NOTHING_BEFORE

    @property
    def path(self) -> str:
        return f"/api/v2/servers/{self.led.agent_id}/commands"

    async def tell(self, **changed: Any) -> None:
        document = POLICY | {"run": self.run.hex()} | changed
        await self.led.say(Notice("policy", now_ms(), document).encode())

    async def ask(self, action: str = "refresh", status: int = 201, **args: Any) -> dict[str, Any]:
        async with self.site.client() as owner:
            answer = await owner.post(self.path, json={"action": action, "args": args})
        assert answer.status_code == status, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def known(self, command: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.site.get(f"{self.path}/{command['id']}")
        return found

    async def hears(self) -> Envelope:
        """The next command, which must be signed by the key that the pinned collector named just before."""
        key = None
        while True:
            said = await self.led.heard()
            if isinstance(said, Mandate):
                verify_mandate(said.statement, said.signature, COLLECTOR_KEY.public_key())
                key = Statement.decode(said.statement).key
                assert abs(said.at - int(self.site.clock.now().timestamp() * 1000)) < 1000
            if isinstance(said, Command):
                assert key is not None
                verify_envelope(said.envelope, said.signature, key)
                return Envelope.decode(said.envelope)

    def report(self, envelope: Envelope | None = None, **changed: Any) -> Report:
        made = Report(
            self.led.agent_id,
            epoch_of(self.led.key.public_key()),
            self.sequence + 1,
            self.head,
            envelope.command_id if envelope else None,
            digest_of(envelope.encode()) if envelope else bytes(32),
            "done",
            "",
            "",
            "",
            False,
            now_ms(),
            now_ms(),
        )
        return replace(made, **changed)

    async def reports(self, report: Report, key: Any = None) -> int:
        """Send it signed, and wait until the collector says that it is stored; up to which number."""
        body = report.encode()
        self.sequence, self.head = report.sequence, digest_of(body)
        await self.led.say(Result(body, sign_report(body, key or self.led.key)).encode())
        while not isinstance(said := await self.led.heard(), Taken):
            pass
        return said.sequence


@pytest.fixture
async def host(site: Site) -> AsyncIterator[Host]:
    """Connected; what it allows is told."""
    led = await site.enrol()
    async with led:
        found = Host(site, led)
        await found.tell()
        yield found


STRANGER = UUID(int=7)
