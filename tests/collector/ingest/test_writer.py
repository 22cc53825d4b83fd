"""Commits that fail, hang or overlap: whatever becomes of them, a boot's batches are stored in order, each once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg

from pudim.wire.messages import Ack, Refuse
from pudim.wire.refusals import Refusal
from pudim_collector.infra.database import database
from pudim_collector.ingest.boots import BootProgress
from pudim_collector.ingest.writer import Accepted, Delivery, Writer
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.statements import fetch
from tests.collector.ingest.agent import START, LedAgent
from tests.collector.ingest.conftest import Link

PATIENCE = 10.0


class Stall:
    """Holds the table of frames, so that a commit begins and does not end."""

    def __init__(self, holder: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._holder = holder

    async def met(self) -> None:
        """Wait until a commit stands before the held table."""
        while not await self._waiting():
            await asyncio.sleep(0.01)

    async def cancel(self) -> None:
        for pid in await self._waiting():
            await self._holder.execute("SELECT pg_cancel_backend(%s)", [pid])

    async def release(self) -> None:
        await self._holder.commit()

    async def _waiting(self) -> list[object]:
        cursor = await self._holder.execute(
            "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = current_database() AND NOT granted"
        )
        return [row[0] for row in await cursor.fetchall()]


@asynccontextmanager
async def stalled(conninfo: str) -> AsyncIterator[Stall]:
    async with await psycopg.AsyncConnection.connect(conninfo) as holder, asyncio.timeout(PATIENCE):
        await holder.execute("LOCK TABLE frames")
        yield Stall(holder)


async def taken(link: Link, batches: int) -> None:
    """Wait until so many batches wait for their commit, each of one frame of two values."""
    async with asyncio.timeout(PATIENCE):
        while link.writer.pending_bytes < 16 * batches:
            await asyncio.sleep(0.005)


def ticks(*numbers: int) -> list[int]:
    return [START + 10_000 * number for number in numbers]


async def stored_times(link: Link) -> list[int]:
    return [time for time, _ in await link.frames()]


async def last_word(agent: LedAgent) -> Refuse:
    while isinstance(said := await agent.heard(), Ack):
        pass
    assert isinstance(said, Refuse)
    return said


async def test_what_came_during_a_commit_that_fails_is_not_stored_without_it(
    link: Link, fresh_database: str
) -> None:
    """Else the ledger would move past the batches that failed, and they would be acknowledged when sent again."""
    agent = link.enrol()
    async with agent, stalled(fresh_database) as stall:
        await agent.batch(1)
        await stall.met()
        await agent.batch(2)
        await agent.batch(3)
        await taken(link, 3)
        await stall.cancel()
        await stall.release()
        assert (await last_word(agent)).code == "store_unavailable"
        await link.writer.settle()
    async with agent:
        for seq in (1, 2, 3):
            await agent.batch(seq)
        await agent.acked(3)
    assert await stored_times(link) == ticks(1, 2, 3)


async def test_an_agent_that_comes_back_while_its_batches_wait(link: Link, fresh_database: str) -> None:
    """Its batches would stand twice in one commit: as it sent them before and as it sends them again."""
    agent = link.enrol()
    async with stalled(fresh_database) as stall:
        await agent.connect()
        await agent.open()
        await agent.batch(1)
        await stall.met()
        await agent.batch(2)
        await taken(link, 2)
        agent.socket.transport.abort()
        await asyncio.sleep(0.05)
        await agent.connect()
        await agent.open()
        await agent.batch(1)
        await agent.batch(2)
        await asyncio.sleep(0.1)
        await stall.release()
        await agent.acked(2)
        await agent.socket.close()
    assert await stored_times(link) == ticks(1, 2)


@dataclass
class Waiting:
    """A receiver that keeps what it is told."""

    server_id: UUID = field(default_factory=uuid4)
    heard: list[int] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def stored(self, boot: BootProgress) -> None:
        self.heard.append(boot.stored)

    def fail(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)


async def opened(link: Link, receiver: Waiting) -> BootProgress:
    boot_id = receiver.server_id.bytes
    return BootProgress.start(boot_id, await link.store.open_boot(receiver.server_id, boot_id))


def batch(receiver: Waiting, boot: BootProgress, seq: int, *, values: int = 1) -> Accepted:
    time = START + 10_000 * seq
    frames = [SourceFrames(1, 1, time.to_bytes(8, "little"), bytes(8 * values))]
    return Accepted(receiver, boot, seq - 1, seq, 0, frames, 8, time, time)


async def test_a_commit_that_fails_in_an_unforeseen_way_is_not_passed_over(link: Link) -> None:
    receiver = Waiting()
    boot = await opened(link, receiver)
    link.writer.add(batch(receiver, boot, 1, values=2))  # which admission never lets through
    async with asyncio.timeout(PATIENCE):
        await link.writer.settle()
        assert [refusal.code for refusal in receiver.refusals] == ["store_unavailable"]
        link.writer.add(batch(receiver, boot, 2))
        await link.writer.settle()
    assert receiver.heard == []
    assert await link.frames() == []
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT last_seq FROM ledger") == [(0,)]


async def test_what_the_database_refuses_of_one_holds_up_nobody_else(link: Link) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "ALTER TABLE frames ADD CONSTRAINT short CHECK (array_length(values, 1) < 2)"
        )
    receivers = [Waiting() for _ in range(5)]
    for number, receiver in enumerate(receivers):
        boot = await opened(link, receiver)
        time = (START + 10_000).to_bytes(8, "little")
        width = 2 if number == 3 else 1
        frames = [SourceFrames(number + 1, width, time, bytes(8 * width))]
        link.writer.add(Accepted(receiver, boot, 0, 1, 0, frames, 8, START, START))
    async with asyncio.timeout(PATIENCE):
        await link.writer.settle()
    assert [receiver.heard for receiver in receivers] == [[1], [1], [1], [], [1]]
    assert [len(receiver.refusals) for receiver in receivers] == [0, 0, 0, 1, 0]
    assert len(await link.frames()) == 4


async def test_two_connections_that_hold_one_boot_do_not_store_it_twice(link: Link) -> None:
    receivers = [Waiting(), Waiting()]
    boots = [await opened(link, receivers[0]) for _ in receivers]
    for receiver, boot in zip(receivers, boots, strict=True):
        link.writer.add(batch(receiver, boot, 1))
    async with asyncio.timeout(PATIENCE):
        await link.writer.settle()
    assert len(await link.frames()) <= 1
    assert [refusal.code for refusal in receivers[1].refusals] == ["superseded"]


async def test_settling_does_not_wait_for_what_comes_later(link: Link) -> None:
    """A collector is never idle, so waiting for that would hold up who takes over for ever."""
    receiver = Waiting()
    boot = await opened(link, receiver)

    async def go_on() -> None:
        for seq in range(1, 100_000):
            link.writer.add(batch(receiver, boot, seq))
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        busy = tasks.create_task(go_on())
        while not receiver.heard:
            await asyncio.sleep(0)
        async with asyncio.timeout(2):
            await link.writer.settle()
        busy.cancel()


async def test_a_writer_that_is_stopped_says_so(link: Link) -> None:
    receiver, writer = Waiting(), Writer(link.store)
    run = asyncio.ensure_future(writer.run())
    writer.add(batch(receiver, await opened(link, receiver), 1))
    await asyncio.sleep(0)
    run.cancel()
    await asyncio.wait([run])
    async with asyncio.timeout(PATIENCE):
        await writer.settle()
    assert writer.pending_bytes == 0
    assert [refusal.code for refusal in receiver.refusals] == ["store_unavailable"]


def delivery(*, width: int = 1) -> Delivery:
    time = (START + 10_000).to_bytes(8, "little")
    frames = [SourceFrames(7, width, time, bytes(8 * width))]
    return Delivery(frozenset([uuid4()]), frames, 8, asyncio.get_running_loop().create_future())


async def test_what_no_ledger_counts_is_stored_with_the_rest_and_told(link: Link) -> None:
    receiver, brought = Waiting(), delivery()
    link.writer.add(batch(receiver, await opened(link, receiver), 1))
    link.writer.add(brought)
    async with asyncio.timeout(PATIENCE):
        assert await brought.done is None
        await link.writer.settle()
    assert receiver.heard == [1]
    assert len(await link.frames()) == 2


async def test_a_delivery_that_the_database_refuses_holds_up_nobody_else(link: Link) -> None:
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE frames ADD CONSTRAINT short CHECK (values[1] = 0)")
    receiver, bad, good = Waiting(), delivery(), delivery()
    boot = await opened(link, receiver)
    bad = bad._replace(frames=[bad.frames[0]._replace(values=b"\1" * 8)])
    for one in (batch(receiver, boot, 1), bad, good):
        link.writer.add(one)
    async with asyncio.timeout(PATIENCE):
        refusal = await bad.done
        assert refusal is not None
        assert refusal.code == "store_unavailable"
        assert await good.done is None
        await link.writer.settle()
    assert (receiver.heard, receiver.refusals) == ([1], [])
    assert len(await link.frames()) == 2


async def test_a_delivery_hears_that_the_writer_was_stopped_and_who_left_hears_nothing(link: Link) -> None:
    writer, left, waits = Writer(link.store), delivery(), delivery()
    left.done.cancel()
    running = asyncio.ensure_future(writer.run())
    writer.add(left)
    writer.add(waits)
    await asyncio.sleep(0)
    running.cancel()
    refusal = await waits.done
    assert refusal is not None
    assert refusal.retry
    await asyncio.wait([running])


async def test_a_delivery_is_stored_though_a_boot_beside_it_was_moved_by_another(link: Link) -> None:
    receiver, brought = Waiting(), delivery()
    boot = await opened(link, receiver)
    async with database.connection() as connection:
        await connection.execute("UPDATE ledger SET last_seq = 5")
    link.writer.add(batch(receiver, boot, 1))
    link.writer.add(brought)
    async with asyncio.timeout(PATIENCE):
        assert await brought.done is None
    assert [refusal.code for refusal in receiver.refusals] == ["superseded"]
