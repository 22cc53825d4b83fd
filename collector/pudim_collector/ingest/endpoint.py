"""The websocket at `/agent/v1/stream`, as raw ASGI: no framework's layers stand on the hot path."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar.types import Receive, Scope, Send

from pudim.wire.channel import Channel
from pudim.wire.refusals import Malformed, Oversize, Refusal, StoreUnavailable, Superseded
from pudim_collector.infra.database.errors import DatabaseError
from pudim_collector.ingest import counters
from pudim_collector.ingest.agents import Agent, Agents
from pudim_collector.ingest.boots import LATE_MS
from pudim_collector.ingest.session import Session, Socket, greet
from pudim_collector.ingest.writer import Writer
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.store import Store

log = logging.getLogger(__name__)

SEND_SECONDS = 30.0
"""A peer that takes nothing for so long is gone, though its connection may stand for hours."""
_TOO_BIG = 1009
"""How the websocket layer itself ends a connection whose message is far over the limit."""
_STORE_FAILED = (psycopg.Error, DatabaseError)


class AsgiSocket:
    """A Socket over ASGI's receive and send."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send

    async def accept(self) -> None:
        await self._receive()
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})

    async def receive(self) -> bytes:
        event: Any = await self._receive()
        if event["type"] == "websocket.receive":
            message: bytes | None = event.get("bytes")
            if message is None:
                raise Malformed("a text message")
            return message
        if event.get("code") == _TOO_BIG:
            raise Oversize
        raise ConnectionResetError

    async def send(self, message: bytes) -> None:
        await self._hand_over({"type": "websocket.send", "bytes": message, "text": None})

    async def close(self, refusal: Refusal) -> None:
        await self._hand_over(
            {"type": "websocket.close", "code": 4000 + refusal.status, "reason": refusal.code}
        )

    async def _hand_over(self, event: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(event)
        except RuntimeError as error:  # uvicorn has closed the connection by itself
            raise ConnectionResetError from error


class AgentStream:
    """The ASGI application that agents connect to."""

    def __init__(
        self,
        key: Ed25519PrivateKey,
        agents: Agents,
        *,
        store: Store,
        writer: Writer,
        clock: Clock,
        late_after: int = LATE_MS,
        links: Sequence[bytes] = (),
    ) -> None:
        """`links` are how `key` came to be the collector's, for agents that know an earlier one."""
        self._key, self._agents, self._late_after = key, agents, late_after
        self._links = links
        self._store, self._writer, self._clock = store, writer, clock
        self._sessions: dict[UUID, Session] = {}
        self._intervals: dict[UUID, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = AsgiSocket(receive, send)
        await socket.accept()
        refusal = await self._serve(socket)
        if refusal is not None:
            counters.refusals.labels(refusal.code).inc()
            if not isinstance(refusal, StoreUnavailable):  # of which the writer tells, once for all agents
                log.warning("refused %s: %s", scope.get("client"), refusal.code)
            await _farewell(socket, refusal)

    def configure(self, server_id: UUID, interval: int) -> None:
        """Have this server sampled every `interval` ms from now on, also after a reconnect; 0 ends that."""
        if interval:
            self._intervals[server_id] = interval
        else:
            self._intervals.pop(server_id, None)
        session = self._sessions.get(server_id)
        if session is not None:
            session.configure(interval)

    def tell(self, server_id: UUID, message: bytes) -> bool:
        """Send a message to this server's agent; whether it is connected to this process."""
        session = self._sessions.get(server_id)
        if session is not None:
            session.tell(message)
        return session is not None

    def tell_all(self, message: bytes) -> None:
        """Send a message to every agent that is connected to this process."""
        for session in self._sessions.values():
            session.tell(message)

    def revoke(self, server_id: UUID, refusal: Refusal) -> None:
        session = self._sessions.get(server_id)
        if session is not None:
            session.fail(refusal)

    async def _serve(self, socket: Socket) -> Refusal | None:
        """One connection from greeting to end; the refusal if it was refused."""
        try:
            agent, channel = await greet(socket, self._key, self._agents, self._links)
            return await self._converse(socket, agent, channel)
        except Refusal as refusal:
            return refusal
        except _STORE_FAILED as error:
            return self._writer.doubt(error)
        except OSError:  # the peer is gone, or did not speak in time
            return None

    async def _converse(self, socket: Socket, agent: Agent, channel: Channel) -> Refusal:
        session = Session(
            socket,
            channel,
            agent,
            agents=self._agents,
            store=self._store,
            writer=self._writer,
            clock=self._clock,
            late_after=self._late_after,
        )
        try:
            refusal = await self._run(session)
        finally:
            self._leave(session)
        with contextlib.suppress(OSError):  # it is a refusal all the same
            await session.refuse(refusal)
        return refusal

    async def _run(self, session: Session) -> Refusal:
        """The refusal that ended the session; raises OSError when the peer just left."""
        try:
            await session.open()
            await self._take_over(session)
            return await session.run()
        except Refusal as refusal:
            return refusal
        except _STORE_FAILED as error:
            return self._writer.doubt(error)

    async def _take_over(self, session: Session) -> None:
        """The newest connection of an agent is the one that counts: an older one is half dead.

        What the older one brought is settled first, also when it is gone already: this one would read the ledger
        too early and take the same batches again.
        """
        older = self._sessions.get(session.server_id)
        self._sessions[session.server_id] = session
        counters.sessions.set(len(self._sessions))
        if older is not None:
            older.fail(Superseded())
        await self._writer.settle()
        interval = self._intervals.get(session.server_id)
        if interval:
            session.configure(interval)

    def _leave(self, session: Session) -> None:
        if self._sessions.get(session.server_id) is session:
            del self._sessions[session.server_id]
            counters.sessions.set(len(self._sessions))


async def _farewell(socket: Socket, refusal: Refusal) -> None:
    with contextlib.suppress(OSError):  # the peer is gone already
        await socket.close(refusal)
