"""Brings commands to the agents that are connected to this process, and their reports to the commands feature."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire import commands as wire
from pudim.wire.commands import MAX_LIFE_MS, Envelope, key_id, sign_envelope, sign_mandate
from pudim.wire.messages import Command, Mandate, Notice, Result, Taken
from pudim_collector.app.command_keys import CommandKeys
from pudim_collector.features.commands.service import ASKED, HostCommands, Recipient
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.ingest.agents import Agent
from pudim_collector.ingest.endpoint import AgentStream

_PATIENCE = 30.0
log = logging.getLogger(__name__)


class LocalSigner:
    """Implements pudim_collector.features.commands.service.Signer with both keys in this process.

    Who takes this process over can sign. The port asks for typed things only, so that a process of its own, with a user of
    its own, can take its place.
    """

    def __init__(self, keys: CommandKeys, collector: Ed25519PrivateKey) -> None:
        self._key = keys.key
        self._name = key_id(keys.key.public_key())
        self._said = [
            (link.statement(), sign_mandate(link.statement(), collector), link.signature())
            for link in keys.links
        ]

    def mandates(self, now: datetime) -> list[Mandate]:
        return [Mandate(*said, int(now.timestamp() * 1000)) for said in self._said]

    def sign(self, envelope: Envelope) -> Command:
        if not 0 < envelope.expires - envelope.issued <= MAX_LIFE_MS:
            raise ValueError("a command may not live so long")
        body = replace(envelope, key_id=self._name).encode()
        return Command(body, sign_envelope(body, self._key))


class Commanding:
    """`run` is its loop; agents are known from when they said which run of theirs they are."""

    def __init__(self, commands: HostCommands, announcements: Announcements) -> None:
        self._commands, self._announcements = commands, announcements
        self._there: dict[UUID, Recipient] = {}
        self._ready: set[UUID] = set()
        self._arrived = asyncio.Event()

    def noticed(self, agent: Agent, notice: Notice) -> None:
        """An agent said what its host allows, and which run of it says so."""
        run = _run_of(notice.document)
        if run is not None:
            self._there[agent.server_id] = Recipient(agent.server_id, agent.agent_id, agent.public_key, run)
            self._ready.add(agent.server_id)
            self._arrived.set()

    def mandate(self) -> bytes:
        return self._commands.mandate()

    def mandates(self) -> list[bytes]:
        return self._commands.mandates()

    async def answered(self, agent: Agent, result: Result) -> Taken:
        return await self._commands.answered(agent.server_id, agent.agent_id, agent.public_key, result)

    async def run(self, stream: AgentStream) -> None:
        """Each part ends the other when it fails, so that both start again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._deliver_asked(stream))
            tasks.create_task(self._deliver_ready(stream))

    async def _deliver_asked(self, stream: AgentStream) -> None:
        with self._announcements.subscribe(ASKED) as asked:
            await self._deliver(stream, await self._commands.waiting())
            while True:
                heard = await asked.heard(_PATIENCE)
                everything = EVERYTHING in heard
                await self._deliver(
                    stream, await self._commands.waiting() if everything else map(UUID, heard)
                )

    async def _deliver_ready(self, stream: AgentStream) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            ready, self._ready = self._ready, set()
            waiting = set(await self._commands.waiting())
            await self._deliver(stream, ready & waiting)

    async def _deliver(self, stream: AgentStream, servers: Iterable[UUID]) -> None:
        """To those that are connected here. A command is signed only for an agent that can take it now."""
        for server_id in servers:
            recipient = self._there.get(server_id)
            if recipient is None or not stream.tell(server_id, self.mandate()):
                continue
            for message in await self._commands.signed_for(recipient):
                if not stream.tell(server_id, message):
                    log.warning("the agent of server %s left before its command", server_id)


def _run_of(document: dict[str, Any]) -> bytes | None:
    try:
        run = bytes.fromhex(str(document.get("run")))
    except ValueError:
        return None
    return run if len(run) == wire.RUN_BYTES else None
