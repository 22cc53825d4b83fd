"""Many simulated agents in one process: real handshakes, messages sealed before the clock starts, acks awaited.

Run by `tests.bench.ingest` as a process of its own; speaks the websocket's frames itself, so that it costs
little beside the collector that it measures.
"""

import argparse
import asyncio
import json
import os
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import UUID

import numpy as np
import uvloop

from pudim.wire import keys, messages
from pudim.wire.batches import Block, encode_batch, encode_blocks
from pudim.wire.channel import HEADER_BYTES, Channel
from pudim.wire.codec import unpack
from pudim.wire.handshake import AgentHandshake
from pudim.wire.layouts import Layout, Series, Source, encode_declaration

WIDTH = 120
INTERVAL_MS = 10_000
_UPGRADE = (
    b"GET /agent/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SOURCE = Source("host", (), Layout(tuple(Series(f"bench.metric.{n}", "1") for n in range(WIDTH))))


def realistic(frames: int, seed: int, start: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """A third near-constant, a third percentages walking by 0.1, a third integer rates.

    What a seed's series stay at or walk from is the same in every round; a round has its steps from its `start`.
    """
    third = WIDTH // 3
    lasting, rng = np.random.default_rng(seed), np.random.default_rng([seed, start])
    constant = np.repeat(np.round(lasting.uniform(0, 1e9, (1, third))), frames, axis=0)
    walking = lasting.uniform(0, 100, (1, third)) + np.cumsum(
        rng.choice([-0.1, 0.0, 0.1], (frames, third)), axis=0
    )
    rates = rng.poisson(200, (frames, WIDTH - 2 * third)).astype(float)
    return np.concatenate([constant, np.round(walking, 1), rates], axis=1).astype("<f8")


def websocket_frame(payload: bytes) -> bytes:
    """A binary message of a client, masked with zeros: legal, and free."""
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x82, 0x80 | size)
    elif size < 65_536:
        head = struct.pack(">BBH", 0x82, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x82, 0x80 | 127, size)
    return head + bytes(4) + payload


@dataclass
class Plan:
    """What each agent sends: `batches` of `frames`, at most `window` unacknowledged; paced if `pause` seconds.

    `start` is the time of the first frame in Unix seconds; without it the last one is of now.
    """

    batches: int
    frames: int
    window: int
    pause: float
    start: int | None = None
    interval_ms: int = INTERVAL_MS

    def times(self, now_ms: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Milliseconds on the grid."""
        ticks, interval = self.batches * self.frames, self.interval_ms
        first = now_ms // interval - ticks if self.start is None else self.start * 1000 // interval
        return (first + np.arange(ticks, dtype="<i8")) * interval


@dataclass
class SimulatedAgent(asyncio.Protocol):
    agent_id: UUID
    key: bytes
    collector: bytes
    plan: Plan
    seed: int
    ready: asyncio.Future[None]
    done: asyncio.Future[None]
    latencies: list[float] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass
        self.buffer, self.stage = bytearray(), "upgrade"
        self.sent = self.acked = 0
        self.times = [0.0] * self.plan.batches
        self.transport.write(_UPGRADE)

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(ConnectionError("the collector hung up"))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.stage == "upgrade" and (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            del self.buffer[: end + 4]
            self.stage = "welcome"
            collector = keys.public_from_bytes(self.collector)
            self.handshake = AgentHandshake(self.agent_id, keys.private_from_bytes(self.key), collector)
            self.transport.write(websocket_frame(self.handshake.hello()))
        while (message := self._next()) is not None:
            self._heard(message)

    def _next(self) -> bytes | None:
        if self.stage == "upgrade" or len(self.buffer) < 4:
            return None
        size, head = self.buffer[1], 2
        if size == 126:
            size, head = struct.unpack_from(">H", self.buffer, 2)[0], 4
        if len(self.buffer) < head + size:
            return None
        opcode, payload = self.buffer[0] & 15, bytes(self.buffer[head : head + size])
        del self.buffer[: head + size]
        if opcode == 8:
            raise ConnectionError(f"refused: {payload[2:]!r}")
        if opcode == 9:  # a ping that nobody answers ends the connection
            self.transport.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
        return payload if opcode == 2 else self._next()

    def _heard(self, message: bytes) -> None:
        if self.stage == "welcome":
            proof, session = self.handshake.prove(message)
            self.stage = "open"
            self._open(proof, Channel.of_agent(session))
            return
        said = messages.decode_from_collector(unpack(message[HEADER_BYTES:]))
        if isinstance(said, messages.Refuse):
            raise ConnectionError(said.code)
        if not isinstance(said, messages.Ack):
            return
        now = time.perf_counter()
        self.latencies += [now - self.times[n] for n in range(self.acked, said.seq)]
        self.acked = said.seq
        if self.acked == self.plan.batches:
            self.done.set_result(None)
        elif not self.plan.pause:
            self.pump()

    def _open(self, proof: bytes, channel: Channel) -> None:
        now, boot, plan = int(time.time() * 1000), os.urandom(16), self.plan
        opening = messages.Opening(now, "bench", boot, plan.interval_ms, {"host.name": f"bench-{self.seed}"})
        declaration = messages.encode_declare(*encode_declaration([SOURCE]))
        for part in (proof, channel.seal(opening.encode()), channel.seal(declaration)):
            self.transport.write(websocket_frame(part))
        times = plan.times(now)
        values = realistic(len(times), self.seed, plan.start or 0).tobytes()
        size = plan.frames * WIDTH * 8
        self.messages = []
        for n in range(plan.batches):
            part = times[n * plan.frames : (n + 1) * plan.frames].tobytes()
            blocks = encode_blocks([Block(SOURCE.hash, part, values[n * size : (n + 1) * size])])
            self.messages.append(websocket_frame(channel.seal(encode_batch(boot, n + 1, 0, now, blocks))))
        self.ready.set_result(None)

    def pump(self) -> None:
        until = min(self.plan.batches, self.acked + self.plan.window)
        if until > self.sent:
            now = time.perf_counter()
            self.times[self.sent : until] = [now] * (until - self.sent)
            self.transport.write(b"".join(self.messages[self.sent : until]))
            self.sent = until

    async def pace(self) -> None:
        """One batch each `pause` seconds, beginning at a random moment, as a real fleet does."""
        await asyncio.sleep(np.random.default_rng(self.seed).uniform(0, self.plan.pause))
        for _ in range(self.plan.batches):
            self.times[self.sent] = time.perf_counter()
            self.transport.write(self.messages[self.sent])
            self.sent += 1
            await asyncio.sleep(self.plan.pause)


def _give_up(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """A benchmark with a failed agent says nothing: end at once, loudly."""
    print(context, file=sys.stderr, flush=True)
    os._exit(1)


async def run(port: int, agents: list[dict[str, str]], plan: Plan) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_give_up)
    connected = []
    for seed, agent in enumerate(agents):
        _, simulated = await loop.create_connection(
            lambda seed=seed, agent=agent: SimulatedAgent(
                UUID(agent["id"]),
                bytes.fromhex(agent["key"]),
                bytes.fromhex(agent["collector"]),
                plan,
                seed,
                loop.create_future(),
                loop.create_future(),
            ),
            "127.0.0.1",
            port,
        )
        await simulated.ready
        connected.append(simulated)
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    before, started = os.times(), time.perf_counter()
    if plan.pause:
        await asyncio.gather(*(agent.pace() for agent in connected))
    else:
        for agent in connected:
            agent.pump()
    await asyncio.gather(*(agent.done for agent in connected))
    elapsed, after = time.perf_counter() - started, os.times()
    milliseconds = np.concatenate([agent.latencies for agent in connected]) * 1000
    for agent in connected:
        agent.transport.close()
    return {
        "seconds": elapsed,
        "samples": len(agents) * plan.batches * plan.frames * WIDTH,
        "messages": len(agents) * plan.batches,
        "ack_p50_ms": float(np.percentile(milliseconds, 50)),
        "ack_p99_ms": float(np.percentile(milliseconds, 99)),
        "generator_cpu_s": after.user + after.system - before.user - before.system,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--agents", required=True, help="JSON file of the enrolled agents")
    parser.add_argument("--batches", type=int, required=True)
    parser.add_argument("--frames", type=int, required=True)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--start", type=int, help="time of the first frame in Unix seconds")
    parser.add_argument("--interval-ms", type=int, default=INTERVAL_MS)
    chosen = parser.parse_args()
    agents = json.loads(Path(chosen.agents).read_text())
    plan = Plan(chosen.batches, chosen.frames, chosen.window, chosen.pause, chosen.start, chosen.interval_ms)
    print(json.dumps(uvloop.run(run(chosen.port, agents, plan))))


if __name__ == "__main__":
    main()
