"""What is wrong is refused by name, counted, logged without its payload, and stores nothing."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import msgpack
import pytest
import websockets

from pudim.wire import keys, messages
from pudim.wire.batches import Block, block
from pudim.wire.codec import MAX_MESSAGE_BYTES, pack, unpack
from pudim.wire.handshake import HELLO
from pudim.wire.layouts import Layout, Series, Source
from pudim.wire.messages import Refuse
from pudim_collector.infra.telemetry import registry
from pudim_collector.ingest import session
from tests.collector.ingest.agent import HOST, START, LedAgent, frame, now_ms
from tests.collector.ingest.conftest import Link

SECRET = b"payload-of-the-test"


def counted(code: str) -> float:
    return registry.get_sample_value("pudim_ingest_refusals_total", {"code": code}) or 0.0


@contextmanager
def refused_once(code: str, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    before = counted(code)
    with caplog.at_level(logging.WARNING):
        yield
    assert counted(code) == before + 1
    assert code in caplog.text
    assert SECRET.decode() not in caplog.text


async def ended(agent: LedAgent) -> Refuse:
    """The sealed refusal that ends a session; the close says the same."""
    said = await agent.heard()
    assert isinstance(said, Refuse)
    assert said.seq is None
    assert (await agent.closed())[1] == said.code
    return said


async def hung_up(agent: LedAgent) -> str:
    """The reason of a close before there were keys."""
    with pytest.raises(websockets.ConnectionClosed):
        await agent.connect()
    return (await agent.closed())[1]


async def test_an_unknown_agent(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    agent = link.enrol()
    link.agents.agents.clear()
    with refused_once("unknown_agent", caplog):
        assert await hung_up(agent) == "unknown_agent"


async def test_a_revoked_agent(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    with refused_once("revoked_agent", caplog):
        assert await hung_up(link.enrol(revoked=True)) == "revoked_agent"


async def test_an_agent_with_another_key(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    agent = link.enrol()
    agent.key = keys.generate()
    with refused_once("bad_signature", caplog):
        await agent.connect()
        assert (await agent.closed())[1] == "bad_signature"


async def test_an_unknown_version(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{link.port}/agent/v1/stream") as socket:
        with refused_once("unknown_version", caplog):
            await socket.send(HELLO.pack(b"PUDM", 200, 201, bytes(16), bytes(32), bytes(32)))
            async with asyncio.timeout(5):
                await socket.wait_closed()
    assert socket.close_reason == "unknown_version"


async def test_a_message_of_an_unknown_version(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        sealed = agent.channel.seal(agent.encoded(1))
        with refused_once("unknown_version", caplog):
            await agent.socket.send(b"\x09" + sealed[1:])
            assert (await ended(agent)).code == "unknown_version"
    assert await link.frames() == []


async def test_a_forged_message(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        sealed = bytearray(agent.channel.seal(agent.encoded(1)))
        sealed[-1] ^= 1
        with refused_once("bad_signature", caplog):
            await agent.socket.send(bytes(sealed))
            assert (await ended(agent)).code == "bad_signature"
    assert await link.frames() == []


async def test_a_replayed_message(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        sealed = agent.channel.seal(agent.encoded(1))
        await agent.socket.send(sealed)
        await agent.acked(1)
        with refused_once("replayed", caplog):
            await agent.socket.send(sealed)
            assert (await ended(agent)).code == "replayed"
    assert len(await link.frames()) == 1


async def test_a_message_of_another_session(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    agent = link.enrol()
    async with agent:
        recorded = agent.channel.seal(agent.encoded(1))
    async with agent:
        with refused_once("bad_signature", caplog):
            await agent.socket.send(recorded)
            assert (await ended(agent)).code == "bad_signature"
    assert await link.frames() == []


async def test_a_withheld_message(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        agent.channel.seal(agent.encoded(1))
        with refused_once("counter_gap", caplog):
            await agent.batch(2)
            assert (await ended(agent)).code == "counter_gap"
    assert await link.frames() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (SECRET, "malformed"),
        (pack({1: SECRET}), "malformed"),
        (pack([]), "malformed"),
        (pack([99, SECRET]), "malformed"),
        (pack([messages.BATCH, SECRET]), "malformed"),
        (pack([messages.BATCH, b"b" * 16, 1, 0, 0, []]), "malformed"),
        (pack([messages.BATCH, b"b" * 16, 0, 0, 0, [[b"s" * 16, bytes(8), bytes(8)]]]), "malformed"),
        (pack([messages.BATCH, b"b" * 16, 2**63, 0, 0, [[b"s" * 16, bytes(8), bytes(8)]]]), "malformed"),
        (pack([messages.DECLARE, [], [["name", {}, b"x" * 16]]]), "malformed"),
        (pack([messages.DECLARE, [[["metric\0", "1", {}]]], []]), "malformed"),
        (pack([messages.DECLARE, [[["metric", "1", {"a": "b" * 10_000}]]], []]), "malformed"),
        (pack([messages.BATCH, [[[[[[[[[[[[SECRET]]]]]]]]]]]]]), "too_deep"),
        (b"\x91" * 4000 + b"\xc0", "too_deep"),
        (b"\xdd\xff\xff\xff\xff", "malformed"),
        (msgpack.packb([messages.BATCH, msgpack.ExtType(5, SECRET)]), "malformed"),
    ],
)
async def test_what_is_no_message(
    link: Link, caplog: pytest.LogCaptureFixture, body: bytes, code: str
) -> None:
    async with link.enrol() as agent:
        with refused_once(code, caplog):
            await agent.say(body)
            assert (await ended(agent)).code == code
    assert await link.frames() == []


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 5 << 20])
async def test_an_oversize_message(link: Link, caplog: pytest.LogCaptureFixture, size: int) -> None:
    agent = link.enrol()
    await agent.connect()
    await agent.open()
    with refused_once("oversize", caplog):
        await agent.socket.send(bytes(size))
        code, _ = await agent.closed()
        assert code in {4413, 1009}
        await asyncio.sleep(0.05)
    assert await link.frames() == []


@pytest.mark.parametrize("offset", [-3_600_000, 3_600_000])
async def test_a_skewed_clock(link: Link, caplog: pytest.LogCaptureFixture, offset: int) -> None:
    agent = link.enrol()
    agent.clock_offset = offset
    with refused_once("clock_skew", caplog):
        await agent.connect()
        await agent.open()
        said = await ended(agent)
    assert (said.code, said.retry) == ("clock_skew", True)
    assert "3600 s" in said.detail


async def refused_batch(agent: LedAgent) -> Refuse:
    said = await agent.heard()
    assert isinstance(said, Refuse)
    assert said.seq is not None
    return said


async def test_a_sequence_gap(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    async with link.enrol() as agent:
        await agent.batch(1)
        await agent.acked(1)
        with refused_once("sequence_gap", caplog):
            await agent.batch(3)
            said = await refused_batch(agent)
        assert (said.code, said.retry, said.seq, said.expected) == ("sequence_gap", True, 3, 2)
        await agent.batch(2)
        await agent.batch(3)
        await agent.acked(3)
    assert len(await link.frames()) == 3


NOT_DECLARED = Source("elsewhere", (), Layout((Series("x", "1"),)))


@pytest.mark.parametrize(
    ("blocks", "code"),
    [
        ([block(HOST.hash, [START], [(1.0,)])], "bad_frame"),
        ([block(HOST.hash, [START], [(1.0, 2.0, 3.0)])], "bad_frame"),
        ([Block(HOST.hash, b"", b"")], "bad_frame"),
        ([Block(HOST.hash, bytes(7), bytes(14))], "bad_frame"),
        ([block(HOST.hash, [START, START], [(1.0, 1.0), (2.0, 2.0)])], "bad_frame"),
        ([block(HOST.hash, [START + 10, START], [(1.0, 1.0), (2.0, 2.0)])], "bad_frame"),
        ([block(HOST.hash, [START - 30 * 86_400_000], [(1.0, 1.0)])], "frame_time"),
        ([block(HOST.hash, [-(2**63)], [(1.0, 1.0)])], "frame_time"),
        ([block(HOST.hash, [2**63 - 1], [(1.0, 1.0)])], "frame_time"),
        ([frame(1, 1.0, source=NOT_DECLARED)], "undeclared_source"),
        ([frame(1), frame(2, 1.0, source=NOT_DECLARED)], "undeclared_source"),
    ],
)
async def test_a_batch_that_can_never_be_stored(
    link: Link, caplog: pytest.LogCaptureFixture, blocks: list[Block], code: str
) -> None:
    await refused_for_good(link, caplog, blocks, code)


async def test_a_batch_from_the_future(link: Link, caplog: pytest.LogCaptureFixture) -> None:
    ahead = block(HOST.hash, [now_ms() + 600_000], [(1.0, 1.0)])
    await refused_for_good(link, caplog, [ahead], "frame_time")


async def refused_for_good(
    link: Link, caplog: pytest.LogCaptureFixture, blocks: list[Block], code: str
) -> None:
    async with link.enrol() as agent:
        with refused_once(code, caplog):
            await agent.batch(1, blocks)
            said = await refused_batch(agent)
        assert (said.code, said.retry, said.seq) == (code, False, 1)
        assert await link.frames() == []
        await agent.batch(2, skipped=1)
        await agent.acked(2)
    assert len(await link.frames()) == 1


async def test_too_many_sources(
    link: Link, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_SOURCES", 3)
    async with link.enrol() as agent:
        with refused_once("too_many_sources", caplog):
            await agent.declare(*(Source(f"s{n}", (), HOST.layout) for n in range(4)))
            assert (await ended(agent)).code == "too_many_sources"


async def test_a_refusal_is_authentic(link: Link) -> None:
    """It is sealed with the session's key, so nobody on the way can make an agent drop a batch."""
    async with link.enrol() as agent:
        await agent.batch(1, [block(HOST.hash, [START], [(1.0,)])])
        said = unpack(agent.channel.open(await agent.raw()))
        assert said[0] == messages.REFUSE
