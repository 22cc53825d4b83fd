"""Enrolled peers that mean harm or are broken: they cost a bounded share of memory and are counted."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from pudim.wire import keys, messages
from pudim.wire.channel import Channel
from pudim.wire.handshake import SessionKeys
from pudim.wire.layouts import Layout, Series, Source, encode_declaration
from pudim.wire.refusals import Refusal
from pudim_collector.infra.database import database
from pudim_collector.ingest import endpoint, session
from pudim_collector.ingest.agents import Agent
from pudim_collector.ingest.endpoint import AsgiSocket
from pudim_collector.ingest.session import Session
from pudim_collector.kernel.clock import SystemClock
from tests.collector.ingest.agent import HOST, START, LedAgent, frame
from tests.collector.ingest.conftest import Link
from tests.collector.ingest.test_refusals import counted, ended, refused_once


class Deaf:
    """A connection in memory whose peer says much and reads nothing."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> bytes:
        return await self.said.get()

    async def send(self, _: bytes) -> None:
        await asyncio.Event().wait()

    async def close(self, _: Refusal) -> None:
        raise AssertionError("nobody listens")


def deaf_session(link: Link) -> tuple[Session, Deaf, LedAgent]:
    shared = SessionKeys(1, b"c" * 32, b"a" * 32)
    agent_id, key = uuid4(), keys.generate()
    agent = LedAgent(0, agent_id, key, key.public_key())
    agent.channel = Channel.of_agent(shared)
    socket = Deaf()
    known = Agent(agent_id, agent_id, key.public_key(), revoked=False)
    served = Session(
        socket,
        Channel.of_collector(shared),
        known,
        agents=link.agents,
        store=link.store,
        writer=link.writer,
        clock=SystemClock(),
    )
    return served, socket, agent


async def test_answers_do_not_pile_up_for_a_peer_that_does_not_read(link: Link) -> None:
    served, socket, agent = deaf_session(link)
    for _ in range(2 * session.MAX_UNSENT):
        socket.said.put_nowait(agent.channel.seal(agent.encoded(5)))  # each one a sequence gap
    async with asyncio.timeout(5):
        with pytest.raises(Refusal) as refused:
            await served.run()
    assert refused.value.code == "busy"
    assert refused.value.retry


async def test_an_ended_session_takes_no_more(link: Link) -> None:
    """Its peer may keep it from ending for a while by not reading."""
    served, socket, agent = deaf_session(link)
    running = asyncio.ensure_future(served.run())
    served.configure(1000)
    socket.said.put_nowait(agent.channel.seal(messages.encode_declare(*encode_declaration([HOST]))))
    socket.said.put_nowait(agent.channel.seal(agent.encoded(1)))
    while not await link.frames():
        await asyncio.sleep(0.01)
    served.fail(Refusal())
    socket.said.put_nowait(agent.channel.seal(agent.encoded(2)))
    await asyncio.sleep(0.05)
    await link.writer.settle()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert [time for time, _ in await link.frames()] == [START + 10_000]


async def never(_: Any) -> None:
    await asyncio.Event().wait()


async def already_closed(_: Any) -> None:
    raise RuntimeError("Unexpected ASGI message 'websocket.send', after sending 'websocket.close'.")


@pytest.mark.parametrize("send", [never, already_closed])
async def test_a_peer_that_takes_nothing_is_gone(
    send: Callable[[Any], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "SEND_SECONDS", 0.01)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    socket = AsgiSocket(receive, send)
    for said in (socket.send(b"x"), socket.close(Refusal())):
        async with asyncio.timeout(5):
            with pytest.raises(OSError):  # noqa: PT011 - what the session takes for the peer's end
                await said


async def test_who_hangs_up_after_a_forgery_is_counted(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        before = counted("bad_signature")
        with caplog.at_level(logging.WARNING):
            await agent.socket.send(agent.channel.seal(b"x")[:-1] + b"y")
            agent.socket.transport.abort()
            async with asyncio.timeout(5):
                while counted("bad_signature") == before:
                    await asyncio.sleep(0.01)


async def test_declarations_end_before_memory_does(
    link: Link, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_DECLARED_SERIES", 10)
    async with link.enrol() as agent:
        await agent.declare(*(Source("s", (), Layout((Series(f"m{n}", "1"),) * 2)) for n in range(4)))
        with refused_once("too_many_sources", caplog):
            await agent.declare(Source("s", (), Layout((Series("m", "1"),))))
            assert (await ended(agent)).code == "too_many_sources"


async def test_a_database_without_a_free_connection(link: Link, fresh_database: str) -> None:
    """The pool has errors of its own, which are not psycopg's."""
    async with link.enrol() as agent:
        await agent.batch(1)
        await agent.acked(1)
        await database.close()
        try:
            agent.boot_id = b"n" * 16
            await agent.batch(1, [frame(2)])
            assert (await ended(agent)).code == "store_unavailable"
        finally:
            await database.open(fresh_database, max_size=5)
    assert len(await link.frames()) == 1
