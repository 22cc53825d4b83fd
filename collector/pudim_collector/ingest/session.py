"""One agent's connection: the handshake, then each message verified, admitted and handed to the writer."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire import messages
from pudim.wire.batches import decode_batch
from pudim.wire.channel import Channel
from pudim.wire.codec import MAX_MESSAGE_BYTES, misshapen, unpack
from pudim.wire.handshake import CollectorHandshake
from pudim.wire.layouts import Layout, decode_layout, decode_source
from pudim.wire.refusals import (
    BatchRefusal,
    Busy,
    Malformed,
    Oversize,
    Refusal,
    RevokedAgent,
    TooManySources,
    UnknownAgent,
)
from pudim_collector.ingest import counters
from pudim_collector.ingest.admission import Declared, admitted_frames, check_clock, is_duplicate, lost_before
from pudim_collector.ingest.agents import Agent, Agents
from pudim_collector.ingest.boots import LATE_MS, BootProgress
from pudim_collector.ingest.writer import MAX_PENDING_BYTES, Accepted, Writer
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.store import Store

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
MAX_SOURCES = 5_000
MAX_DECLARED_SERIES = 50_000
"""Over all layouts of a session, which holds them in memory."""
MAX_BOOTS = 1_000
WINDOW = 64
"""Batches of one session that may wait for their commit before the session is read no further."""
MAX_UNSENT = 4 * WINDOW
"""Answers that may wait for a peer that does not read them."""
_SLOW_DOWN_MS = 1_000


class Socket(Protocol):
    """A message-wise connection. All raise OSError when the peer is gone, or takes nothing for long."""

    async def receive(self) -> bytes: ...

    async def send(self, message: bytes) -> None: ...

    async def close(self, refusal: Refusal) -> None: ...


async def greet(
    socket: Socket, key: Ed25519PrivateKey, agents: Agents, links: Sequence[bytes]
) -> tuple[Agent, Channel]:
    """The handshake. Raises a Refusal, or TimeoutError from a peer that does not speak."""
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        handshake = CollectorHandshake(await socket.receive(), key, links=links)
        agent = await agents.find(handshake.agent_id)
        if agent is None:
            raise UnknownAgent
        if agent.revoked:
            raise RevokedAgent
        await socket.send(handshake.welcome)
        keys = handshake.finish(await socket.receive(), agent.public_key)
    return agent, Channel.of_collector(keys)


class Session:
    """An authenticated agent on one connection."""

    def __init__(
        self,
        socket: Socket,
        channel: Channel,
        agent: Agent,
        *,
        agents: Agents,
        store: Store,
        writer: Writer,
        clock: Clock,
        late_after: int = LATE_MS,
    ) -> None:
        self.agent = agent
        self._agents = agents
        self._socket, self._channel = socket, channel
        self._store, self._writer, self._clock = store, writer, clock
        self._layouts: dict[bytes, Layout] = {}
        self._declared: dict[bytes, Declared] = {}
        self._boots: dict[bytes, BootProgress] = {}
        self._unstored = 0
        self._acks: dict[bytes, int] = {}
        self._outbox: deque[bytes] = deque()
        self._outgoing = asyncio.Event()
        self._read_on = asyncio.Event()
        self._read_on.set()
        self._ended: Refusal | None = None
        self._told_to_slow_down = False
        self._interval = 0
        self._late_after = late_after

    @property
    def server_id(self) -> UUID:
        return self.agent.server_id

    async def open(self) -> None:
        """Read the opening message. Raises a Refusal."""
        async with asyncio.timeout(HANDSHAKE_SECONDS):
            opening = messages.Opening.decode(await self._receive())
        check_clock(opening, self._now())
        self._interval = opening.interval
        await self._agents.opened(self.agent, opening)
        for order in await self._agents.orders(self.agent):
            self.tell(order)

    async def run(self) -> NoReturn:
        """Take messages until the peer is gone (ConnectionError) or is refused (Refusal)."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_outgoing())
                while True:
                    await self._take(await self._receive())
        except BaseExceptionGroup as group:
            raise _cause(group) from None

    def configure(self, interval: int) -> None:
        """Ask the agent to sample every `interval` milliseconds; 0 means its own setting."""
        self.tell(messages.Configure(interval).encode())

    def tell(self, message: bytes) -> None:
        """Send `message` after what waits already."""
        self._outbox.append(message)
        self._outgoing.set()

    def stored(self, boot: BootProgress) -> None:
        self._unstored = sum(one.accepted - one.stored for one in self._boots.values())
        if self._unstored < WINDOW:
            self._read_on.set()
        self._acks[boot.boot_id] = boot.stored
        self._outgoing.set()

    def fail(self, refusal: Refusal) -> None:
        """End the session from outside; what was accepted and not stored is not acknowledged."""
        self._ended = self._ended or refusal
        self._read_on.set()
        self._outgoing.set()

    async def refuse(self, refusal: Refusal) -> None:
        """Tell the agent why its session ends."""
        said = messages.Refuse(refusal.code, refusal.detail, refusal.retry).encode()
        await self._socket.send(self._channel.seal(said))

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    def _oldest(self) -> int:
        return int(self._store.oldest_taken(self._clock.now()).timestamp() * 1000)

    async def _receive(self) -> tuple[Any, ...]:
        message = await self._socket.receive()
        if len(message) > MAX_MESSAGE_BYTES:
            raise Oversize(f"{len(message)} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
        body = self._channel.open(message)
        counters.messages.inc()
        return unpack(body)

    async def _take(self, message: tuple[Any, ...]) -> None:
        if self._ended is not None:
            return  # what its last words overtake is sent again on the next connection
        if message[0] == messages.BATCH:
            await self._take_batch(message)
            if self._unstored >= WINDOW or self._writer.pending_bytes >= MAX_PENDING_BYTES:
                await self._wait_for_room()
        elif message[0] == messages.DECLARE:
            await self._take_declaration(message)
        elif message[0] == messages.NOTICE:
            self._agents.noticed(self.agent, messages.Notice.decode(message))
        elif message[0] == messages.RESULT:
            taken = await self._agents.answered(self.agent, messages.Result.decode(message))
            self.tell(taken.encode())
        else:
            # Kinds of a newer agent would need a newer version, so this is a fault.
            raise Malformed("not a message of an open session")
        if len(self._outbox) > MAX_UNSENT:
            raise Busy(f"{len(self._outbox)} answers wait to be read")

    async def _take_batch(self, message: tuple[Any, ...]) -> None:
        batch = decode_batch(message)
        boot = self._boots.get(batch.boot_id) or await self._open_boot(batch.boot_id)
        if is_duplicate(batch, boot.accepted):
            counters.duplicates.inc()
            if batch.seq <= boot.stored:
                self.stored(boot)
            return
        try:
            lost = lost_before(batch, boot.accepted)
            now = self._now()
            frames, first_ms, last_ms = admitted_frames(batch, self._declared, now, self._oldest())
        except BatchRefusal as refusal:
            self._refuse_batch(refusal, batch.boot_id, batch.seq, boot.accepted + 1)
            return
        size = sum(len(block.values) for block in batch.blocks)
        arrival = boot.note(batch.seq, lost, first_ms, last_ms, now)
        self._writer.add(
            Accepted(
                self, boot, boot.accepted, batch.seq, lost, frames, size, first_ms, last_ms, arrival=arrival
            )
        )
        boot.accepted = batch.seq
        self._unstored += 1

    def _refuse_batch(self, refusal: BatchRefusal, boot_id: bytes, seq: int, expected: int) -> None:
        counters.refusals.labels(refusal.code).inc()
        log.warning("refused batch %d of agent %s: %s", seq, self.agent.agent_id, refusal.code)
        said = messages.Refuse(refusal.code, refusal.detail, refusal.retry, boot_id, seq, expected)
        self.tell(said.encode())

    async def _wait_for_room(self) -> None:
        if self._writer.pending_bytes >= MAX_PENDING_BYTES and not self._told_to_slow_down:
            self._told_to_slow_down = True
            self.tell(messages.SlowDown(_SLOW_DOWN_MS).encode())
        await self._writer.room()
        self._told_to_slow_down = False
        if self._unstored >= WINDOW:
            self._read_on.clear()
            await self._read_on.wait()

    async def _open_boot(self, boot_id: bytes) -> BootProgress:
        if len(self._boots) >= MAX_BOOTS:
            raise TooManySources(f"more than {MAX_BOOTS} boots in one session")
        found = await self._store.open_boot(self.server_id, boot_id, self._interval)
        boot = BootProgress.start(boot_id, found, interval_ms=self._interval, late_after=self._late_after)
        self._boots[boot_id] = boot
        return boot

    async def _take_declaration(self, message: tuple[Any, ...]) -> None:
        match message:
            case (_, tuple(layouts), tuple(sources), *_):
                pass
            case _:
                raise misshapen(message, "a declaration is [3, layouts, sources]")
        for layout in map(decode_layout, layouts):
            self._layouts[layout.hash] = layout
        decoded = [decode_source(source, self._layouts) for source in sources]
        new = [source for source in decoded if source.hash not in self._declared]
        if len(self._declared) + len(new) > MAX_SOURCES:
            raise TooManySources(f"more than {MAX_SOURCES} sources")
        if sum(len(layout.series) for layout in self._layouts.values()) > MAX_DECLARED_SERIES:
            raise TooManySources(f"more than {MAX_DECLARED_SERIES} series")
        ids = await self._store.declare(self.server_id, new)
        for source, source_id in zip(new, ids, strict=True):
            self._declared[source.hash] = Declared(source_id, len(source.layout.series))

    async def _send_outgoing(self) -> None:
        while True:
            await self._outgoing.wait()
            self._outgoing.clear()
            # Acks before an end: what is stored is said, even when the session is over.
            while self._acks:
                await self._send(messages.Ack(*self._acks.popitem()).encode())
            while self._outbox:
                await self._send(self._outbox.popleft())
            if self._ended is not None:
                raise self._ended

    async def _send(self, body: bytes) -> None:
        await self._socket.send(self._channel.seal(body))


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Why a session ended: reading and sending may fail together, and then a refusal says more."""
    refusals, others = group.split(Refusal)
    first = (refusals or others or group).exceptions[0]
    return _cause(first) if isinstance(first, BaseExceptionGroup) else first
