"""A collector that has the right key and is broken or lies: nothing that was not sent is lost by its words, and its
floods leave nothing behind in the agent.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import WSMsgType, web

from pudim.wire import messages
from pudim.wire.batches import Batch, decode_batch
from pudim.wire.channel import Channel
from pudim.wire.codec import unpack
from pudim.wire.messages import Ack, Checks, Command, Configure, Mandate, Refuse, SlowDown, Taken
from pudim.wire.refusals import BY_CODE
from pudim_agent import session
from pudim_agent.config import AgentConfig, parse
from pudim_agent.identity import Identity, fresh_key
from pudim_agent.schedule import Schedule
from tests.agent.fake_collector import FakeCollector
from tests.agent.test_stream import Link, NotedOrders, seqs

Say = Callable[[bytes], Awaitable[None]]


@dataclass
class Liar(FakeCollector):
    """Answers each batch by `lie` as long as there is one, and as it should afterwards."""

    lie: Callable[[Batch, Say, web.WebSocketResponse], Awaitable[None]] | None = None
    heard: list[int] = field(default_factory=list)

    async def _converse(self, socket: web.WebSocketResponse, channel: Channel) -> None:
        if self.lie is None:
            await super()._converse(socket, channel)
            return

        async def say(body: bytes) -> None:
            await socket.send_bytes(channel.seal(body))

        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                break
            said = unpack(channel.open(message.data))
            if said[0] == messages.BATCH and self.lie is not None:
                batch = decode_batch(said)
                self.heard.append(batch.seq)
                await self.lie(batch, say, socket)

    async def tell_the_truth(self) -> None:
        self.lie = None
        await self.disconnect()


class Forgetful(NotedOrders):
    """Counts orders and keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def set_interval(self, interval_ms: int | None) -> None:
        self.count += 1

    def set_checks(self, checks: Checks) -> None:
        self.count += 1

    def command(self, command: Command) -> None:
        self.count += 1

    def taken(self, taken: Taken) -> None:
        self.count += 1

    def mandate(self, mandate: Mandate) -> None:
        self.count += 1


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    found = Liar()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def link(liar: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    monkeypatch.setattr(session, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(session, "_LONGEST_DELAY", 0.05)
    identity = Identity(uuid4(), fresh_key())
    liar.agents[identity.agent_id] = identity.key.public_key()
    config: AgentConfig = parse(
        f'url = "{liar.url}"\ncollector_key = "{liar.public_key}"\nstate_dir = "{tmp_path / "state"}"\n'
    )
    return Link(config, identity)


async def then_all_arrive(liar: Liar, link: Link, count: int) -> None:
    """Once it behaves: each batch, once and in order, and none was given up."""
    await liar.tell_the_truth()
    await liar.until(lambda: link.spool.batches == 0, 20)
    assert seqs(liar) == list(range(1, count + 1))
    assert link.spool.lost == 0


async def test_what_was_never_sent_cannot_be_acknowledged(liar: Liar, link: Link) -> None:
    async def lie(batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
        for boot in (batch.boot_id, b"x" * 16):
            await say(Refuse("sequence_gap", "", True, boot, batch.seq + 1000, 2**62).encode())
            await say(Refuse("bad_frame", "", False, boot, batch.seq + 1000).encode())
        await say(Ack(b"x" * 16, 2**62).encode())
        await say(Ack(batch.boot_id, 0).encode())

    liar.lie = lie
    async with link.running():
        link.sample(200)
        await liar.until(lambda: len(set(liar.heard)) == 64)  # the window: no more was ever sent
        assert link.spool.batches >= 200 - 64
        await liar.tell_the_truth()
        await liar.until(lambda: link.spool.batches == 0, 20)
    assert seqs(liar) == list(range(seqs(liar)[0], 201))
    assert seqs(liar)[0] <= 65
    assert link.spool.lost == 0


async def test_acknowledgements_backwards_and_of_other_boots_take_nothing(liar: Liar, link: Link) -> None:
    async def lie(batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
        await say(Ack(b"x" * 16, batch.seq).encode())
        await say(Ack(batch.boot_id, 0).encode())

    liar.lie = lie
    async with link.running():
        link.sample(200)
        await liar.until(lambda: len(set(liar.heard)) == 64)
        assert link.spool.batches == 200
        await then_all_arrive(liar, link, 200)


@pytest.mark.parametrize("code", sorted(BY_CODE))
async def test_each_refusal_that_may_be_taken_back_costs_nothing(liar: Liar, link: Link, code: str) -> None:
    """Of a batch, and then of a session; also by codes that a batch is not refused by."""

    async def lie(batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
        about = (batch.boot_id, batch.seq, 1) if len(liar.heard) % 7 else (None, None, None)
        await say(Refuse(code, "", True, *about).encode())

    liar.lie = lie
    async with link.running():
        link.sample(20)
        await liar.until(lambda: len(liar.heard) > 60)
        assert link.spool.batches == 20
        await then_all_arrive(liar, link, 20)


async def _cut_frame(_batch: Batch, _say: Say, socket: web.WebSocketResponse) -> None:
    transport = socket._writer.transport  # type: ignore[union-attr]
    transport.write(b"\x82\x7e\x10\x00abc")
    transport.close()


async def _giant(_batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
    await say(bytes(1 << 22))


async def _nonsense(_batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
    await say(b"\xc1")


async def _unsigned(_batch: Batch, _say: Say, socket: web.WebSocketResponse) -> None:
    await socket.send_bytes(bytes(100))


async def _text(_batch: Batch, _say: Say, socket: web.WebSocketResponse) -> None:
    await socket.send_str("hello")


@pytest.mark.parametrize("lie", [_cut_frame, _giant, _nonsense, _unsigned, _text])
async def test_what_cannot_be_read_ends_the_connection_and_says_nothing_of_batches(
    liar: Liar, link: Link, lie: Callable[[Batch, Say, web.WebSocketResponse], Awaitable[None]]
) -> None:
    liar.lie = lie
    async with link.running():
        link.sample(20)
        await liar.until(lambda: liar.heard.count(1) > 5)
        assert link.spool.batches == 20
        await then_all_arrive(liar, link, 20)


async def test_a_gap_that_is_never_closed_ends_the_session_and_loses_nothing(liar: Liar, link: Link) -> None:
    async def lie(batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
        await say(Refuse("sequence_gap", "", True, batch.boot_id, batch.seq, 1).encode())
        await say(Ack(batch.boot_id, 0).encode())  # which is no progress

    liar.lie = lie
    async with link.running():
        link.sample(10)
        await liar.until(lambda: len(liar.sockets) > 2, 20)
        await then_all_arrive(liar, link, 10)


def _flood(batch: Batch) -> list[bytes]:
    checks = Checks(1, tuple({"id": str(number), "kind": "http"} for number in range(1000)))
    return [
        *[Configure(interval).encode() for interval in (100, 3_600_000) * 20],
        SlowDown(86_400_000).encode(),
        checks.encode(),
        *[Command(bytes(1000), bytes(64)).encode()] * 20,
        *[Taken(number).encode() for number in range(20)],
        *[Ack(batch.boot_id, 0).encode()] * 20,
        *[Refuse("busy", "x" * 1000, True, batch.boot_id, 2**61).encode()] * 20,
    ]


async def test_floods_leave_nothing_behind(liar: Liar, link: Link) -> None:
    """Orders in storms, in rounds of the same size: a later round adds no memory, no timers and no tasks."""
    link.orders = link.stream._orders = Forgetful()
    says: list[Say] = []
    boots: list[Batch] = []

    async def lie(batch: Batch, say: Say, _socket: web.WebSocketResponse) -> None:
        if not says:
            says.append(say)
            boots.append(batch)

    liar.lie = lie
    orders = link.orders
    assert isinstance(orders, Forgetful)
    loop = asyncio.get_running_loop()
    async with link.running():
        link.sample(100)
        await liar.until(lambda: bool(says))
        flood = _flood(boots[0])

        def heard(count: int) -> bool:
            return orders.count >= count

        async def rounds(count: int) -> tuple[int, int, int]:
            for _ in range(count):
                wanted = orders.count + 81
                for message in flood:
                    await says[0](message)
                await liar.until(functools.partial(heard, wanted))
            gc.collect()
            timers = len(loop._scheduled)  # type: ignore[attr-defined]
            return tracemalloc.get_traced_memory()[0], timers, len(asyncio.all_tasks())

        tracemalloc.start()
        try:
            await rounds(5)
            before = await rounds(1)
            after = await rounds(30)
        finally:
            tracemalloc.stop()
        assert after[0] - before[0] < 256 << 10, "bytes"
        assert after[1] - before[1] < 20, "timers"
        assert after[2] == before[2], "tasks"
        assert link.spool.batches == 100
        await then_all_arrive(liar, link, 100)


async def test_an_interval_that_changes_all_the_time_keeps_ticks_in_order() -> None:
    from pudim_agent.clock import SystemClock

    schedule = Schedule(100, SystemClock())
    times: list[int] = []

    async def storm() -> None:
        for number in range(2_000):
            schedule.set_interval((100, 3_600_000, None)[number % 3])
            await asyncio.sleep(0)
        schedule.set_interval(100)

    async def listen() -> None:
        async for tick in schedule.ticks():
            times.append(tick.time_ms)
            assert not tick.new_epoch
            if len(times) == 3:
                return

    storming = asyncio.ensure_future(storm())
    await asyncio.wait_for(listen(), 10)
    await storming
    assert times == sorted(set(times))
    assert schedule.grid.missed == 0
