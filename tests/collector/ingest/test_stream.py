"""The agents' stream, over a real websocket into a real database: what is right is stored once."""

import asyncio
from uuid import uuid4

import websockets

from pudim.wire.layouts import Layout, Series, Source
from pudim.wire.messages import Ack, Configure, Notice, Refuse, Result, Taken
from pudim_collector.infra.database import database
from pudim_collector.series.statements import fetch
from tests.collector.ingest.agent import START, frame
from tests.collector.ingest.conftest import Link


async def test_what_is_acknowledged_is_stored(link: Link) -> None:
    async with link.enrol() as agent:
        for seq in range(1, 6):
            await agent.batch(seq)
        await agent.acked(5)
    assert await link.frames() == [(START + 10_000 * seq, [float(seq), 1.0]) for seq in range(1, 6)]
    assert link.agents.openings[0].facts == {"host.name": "x"}


async def test_a_batch_sent_again_is_acknowledged_and_stored_once(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.batch(2)
        await agent.acked(2)
        await agent.batch(1)
        await agent.batch(2)
        assert await agent.heard() == Ack(agent.boot_id, 2)
    async with agent:
        await agent.batch(2)
        await agent.acked(2)
        await agent.batch(3)
        await agent.acked(3)
    assert [time for time, _ in await link.frames()] == [START + 10_000 * seq for seq in (1, 2, 3)]


async def test_a_connection_cut_between_commit_and_acknowledgement(link: Link) -> None:
    """The agent never hears of the commit, sends everything again, and it is there once."""
    agent = link.enrol()
    await agent.connect()
    await agent.open()
    for seq in range(1, 4):
        await agent.batch(seq)
    agent.socket.transport.abort()
    while len(await link.frames()) < 3:
        await asyncio.sleep(0.01)
    async with agent:
        for seq in range(1, 5):
            await agent.batch(seq)
        await agent.acked(4)
    assert len(await link.frames()) == 4


async def test_batches_of_an_earlier_boot_are_still_taken(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        earlier, agent.boot_id = agent.boot_id, b"n" * 16
        await agent.batch(1, [frame(10)])
        await agent.acked(1)
        agent.boot_id = earlier
        await agent.batch(2)
        await agent.acked(2)
    assert len(await link.frames()) == 3


async def test_declared_losses_are_accepted_and_counted(link: Link) -> None:
    async with link.enrol() as agent:
        await agent.batch(1)
        await agent.batch(5, skipped=3)
        await agent.acked(5)
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT last_seq, lost FROM ledger") == [(5, 3)]


async def test_a_batch_that_sums_up_what_is_stored_is_not_taken(link: Link) -> None:
    """Its agent does not know yet how far its batches were stored, and learns it so."""
    async with link.enrol() as agent:
        await agent.batch(1)
        await agent.batch(2)
        await agent.acked(2)
        await agent.batch(5, skipped=4)
        refused = await agent.heard()
        assert isinstance(refused, Refuse)
        assert (refused.code, refused.seq, refused.expected) == ("sequence_gap", 5, 3)
        await agent.batch(5, skipped=2)
        await agent.acked(5)
    assert len(await link.frames()) == 3


async def test_many_frames_of_many_sources_in_one_batch(link: Link) -> None:
    other = Source(
        "process", (("process.executable.name", "x'; DROP TABLE frames; --"),), Layout((Series("rss", "By"),))
    )
    async with link.enrol() as agent:
        await agent.declare(other)
        blocks = [frame(n) for n in range(60)] + [frame(n, 7.0, source=other) for n in range(60)]
        await agent.batch(1, blocks)
        await agent.acked(1)
    assert len(await link.frames()) == 120


async def test_a_newer_connection_takes_over(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        older = agent.socket
        await agent.connect()
        await agent.open()
        await agent.batch(1)
        await agent.batch(2)
        await agent.acked(2)
        async with asyncio.timeout(5):
            await older.wait_closed()
        assert older.close_reason == "superseded"
    assert len(await link.frames()) == 2


async def test_a_watched_server_is_asked_for_every_second(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        link.stream.configure(agent.agent_id, 1000)
        assert await agent.heard() == Configure(1000)
    async with agent:
        assert await agent.heard() == Configure(1000)
        link.stream.configure(agent.agent_id, 0)
        assert await agent.heard() == Configure(0)


async def test_a_database_that_fails_acknowledges_nothing(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        async with database.connection() as connection:
            await connection.execute("ALTER TABLE frames RENAME TO elsewhere")
        await agent.batch(2)
        said = await agent.heard()
        assert isinstance(said, Refuse)
        assert (said.code, said.retry, said.seq) == ("store_unavailable", True, None)
        assert await agent.closed() == (4503, "store_unavailable")
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE elsewhere RENAME TO frames")
    async with agent:
        await agent.batch(2)
        await agent.acked(2)
    assert len(await link.frames()) == 2


async def test_more_than_a_window_flows(link: Link) -> None:
    async with link.enrol() as agent:
        for seq in range(1, 301):
            await agent.batch(seq, [frame(seq)])
        await agent.acked(300)
    assert len(await link.frames()) == 300


async def test_many_agents_at_once(link: Link) -> None:
    agents = [link.enrol() for _ in range(20)]

    async def report(number: int) -> None:
        async with agents[number] as agent:
            for seq in range(1, 11):
                await agent.batch(seq)
            await agent.acked(10)

    await asyncio.gather(*map(report, range(20)))
    assert len(await link.frames()) == 200


async def test_no_other_peer_is_answered(link: Link) -> None:
    async with websockets.connect(f"ws://127.0.0.1:{link.port}/agent/v1/stream") as socket:
        await socket.send("hello")
        async with asyncio.timeout(5):
            await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4400, "malformed")


async def test_notices_and_results_reach_the_port_and_orders_the_agent(link: Link) -> None:
    agent = link.enrol()
    link.agents.waiting.append(Taken(7).encode())
    notice = Notice("containers", 5, {"names": ("web",)})
    async with agent:
        assert await agent.heard() == Taken(7)
        await agent.say(notice.encode())
        await agent.say(Result(b"body", b"s" * 64).encode())
        assert await agent.heard() == Taken(1)
        assert link.stream.tell(agent.agent_id, Taken(8).encode())
        assert await agent.heard() == Taken(8)
    assert link.agents.notices == [notice]
    assert link.agents.results == [Result(b"body", b"s" * 64)]
    assert not link.stream.tell(uuid4(), b"")
