"""An agent that says exactly what a test tells it to, right or wrong."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import websockets
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pudim.wire import messages
from pudim.wire.batches import Block, block, encode_batch, encode_blocks
from pudim.wire.channel import Channel
from pudim.wire.codec import unpack
from pudim.wire.handshake import AgentHandshake
from pudim.wire.layouts import Layout, Series, Source, encode_declaration
from pudim.wire.messages import Ack, FromCollector, Opening

HOST = Source("host", (), Layout((Series("cpu", "1"), Series("memory", "By"))))
PATIENCE = 10.0


def now_ms() -> int:
    return int(time.time() * 1000)


@dataclass
class LedAgent:
    """`async with agent:` connects, proves its key and opens the session; the rest is up to the test."""

    port: int
    agent_id: UUID
    key: Ed25519PrivateKey
    collector: Ed25519PublicKey
    boot_id: bytes = field(default_factory=lambda: os.urandom(16))
    clock_offset: int = 0

    async def connect(self) -> Channel:
        self.socket = await websockets.connect(f"ws://127.0.0.1:{self.port}/agent/v1/stream", max_size=None)
        handshake = AgentHandshake(self.agent_id, self.key, self.collector)
        await self.socket.send(handshake.hello())
        welcome = await self.raw()
        proof, session_keys = handshake.prove(welcome)
        await self.socket.send(proof)
        self.channel = Channel.of_agent(session_keys)
        return self.channel

    async def open(self) -> None:
        await self.say(
            Opening(now_ms() + self.clock_offset, "0.1.0", self.boot_id, 10_000, {"host.name": "x"}).encode()
        )
        await self.declare(HOST)

    async def declare(self, *sources: Source) -> None:
        await self.say(messages.encode_declare(*encode_declaration(sources)))

    async def say(self, body: bytes) -> None:
        await self.socket.send(self.channel.seal(body))

    async def batch(self, seq: int, blocks: Sequence[Block] | None = None, *, skipped: int = 0) -> None:
        await self.say(self.encoded(seq, blocks, skipped=skipped))

    def encoded(self, seq: int, blocks: Sequence[Block] | None = None, *, skipped: int = 0) -> bytes:
        return encode_batch(self.boot_id, seq, skipped, now_ms(), encode_blocks(blocks or [frame(seq)]))

    async def raw(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.recv()
        assert isinstance(message, bytes)
        return message

    async def heard(self) -> FromCollector | None:
        return messages.decode_from_collector(unpack(self.channel.open(await self.raw())))

    async def acked(self, seq: int) -> None:
        """Wait until this boot is acknowledged up to `seq`."""
        while True:
            said = await self.heard()
            assert isinstance(said, Ack), said
            if (said.boot_id, said.seq) == (self.boot_id, seq):
                return

    async def closed(self) -> tuple[int, str]:
        """Wait for the end of the connection: its code and reason."""
        async with asyncio.timeout(PATIENCE):
            await self.socket.wait_closed()
        return self.socket.close_code or 0, self.socket.close_reason or ""

    async def __aenter__(self) -> Self:
        await self.connect()
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.socket.close()


START = now_ms() // 10_000 * 10_000 - 3_600_000


def frame(number: int, *values: Any, source: Source = HOST) -> Block:
    """The frame of tick `number`, an hour ago."""
    return block(source.hash, [START + 10_000 * number], [values or (float(number), 1.0)])
