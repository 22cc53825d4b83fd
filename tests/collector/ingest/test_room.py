"""A database that takes nothing: agents hear why and keep what they have, and nothing is lost or stored twice."""

import asyncio
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import websockets
from psycopg.sql import SQL, Identifier

from pudim.wire.batches import Block, block
from pudim.wire.messages import Ack, Refuse
from pudim_collector.infra.database import SessionSettings, database
from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.lane import Lane
from pudim_collector.infra.database.watchdog import Watchdog
from pudim_collector.infra.supervised import Backoff, Supervisor
from pudim_collector.ingest import counters
from pudim_collector.ingest.storing import Cause
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.backends import FRAMES, Piece
from pudim_collector.series.statements import fetch
from tests.collector.ingest.agent import HOST, START, LedAgent
from tests.collector.ingest.conftest import Link
from tests.collector.ingest.test_writer import last_word, stalled, stored_times, ticks
from tests.small_disk import NOT_HERE, SmallDisk, small_disk

pytestmark = pytest.mark.processes
PATIENCE = 60.0
DISK_BYTES = 192 << 20
MANY = 3_000
"""Of one batch: more than the pages that a table has free."""


@pytest.fixture(scope="module")
def disk() -> Iterator[SmallDisk | None]:
    with small_disk(DISK_BYTES) as disk:
        yield disk


@pytest.fixture
def full_disk(disk: SmallDisk | None) -> Iterator[SmallDisk]:
    """One that may be filled."""
    if disk is None:
        pytest.skip(NOT_HERE)
    yield disk
    disk.free()


@pytest.fixture(scope="module")
def server(disk: SmallDisk | None) -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="pudim-test-") as elsewhere:
        folder = disk.folder if disk else Path(elsewhere)
        with EmbeddedPostgres(folder / "postgres", fsync=False) as server:
            yield server


@pytest.fixture(scope="module")
def postgres(server: EmbeddedPostgres) -> str:
    """A server that these tests may end."""
    return server.conninfo


@pytest.fixture
async def watchdog(server: EmbeddedPostgres) -> AsyncIterator[Watchdog]:
    watchdog = Watchdog(server, Backoff(first=0.1, most=0.5))
    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("database server", watchdog.run)
        yield watchdog


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What goes wrong here is meant to."""
    loggers = [logging.getLogger(name) for name in ("psycopg.pool", "pudim_collector.infra.supervised")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


def many(number: int) -> list[Block]:
    """Frames of a second each."""
    first = START + number * MANY * 1_000 - 3 * 86_400_000
    times = [first + 1_000 * n for n in range(MANY)]
    return [block(HOST.hash, times, [(float(n), float(number)) for n in range(MANY)])]


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


async def until_well(link: Link) -> None:
    async with asyncio.timeout(PATIENCE):
        while link.writer.storing.failing is not None:
            await asyncio.sleep(0.05)


async def persisting(agent: LedAgent, batches: dict[int, list[Block]]) -> list[Refuse]:
    """As an agent does: whatever it is told, what is not acknowledged is sent again. Gives what it was told."""
    heard: list[Refuse] = []
    async with asyncio.timeout(PATIENCE):
        while batches:
            with suppress(websockets.ConnectionClosed, OSError, TimeoutError):
                async with agent:
                    for seq, blocks in sorted(batches.items()):
                        await agent.batch(seq, blocks)
                    while batches:
                        match await agent.heard():
                            case Ack(_, acked):
                                for seq in [one for one in batches if one <= acked]:
                                    del batches[seq]
                            case Refuse() as refusal:
                                heard.append(refusal)
                                break
            await asyncio.sleep(0.05)
    return heard


def failures(cause: Cause) -> float:
    samples = [one for metric in counters.failed_commits.collect() for one in metric.samples]
    return sum(
        one.value for one in samples if one.labels.get("cause") == cause and one.name.endswith("_total")
    )


async def test_a_full_disk_is_named_and_nothing_is_acknowledged_until_there_is_space(
    link: Link, full_disk: SmallDisk, caplog: pytest.LogCaptureFixture
) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1, many(1))
        await agent.acked(1)
    full_disk.fill()
    counted = failures(Cause.DISK_FULL)
    for _ in range(5):
        async with agent:
            await agent.batch(2, many(2))
            refusal = await last_word(agent)
        assert (refusal.code, refusal.retry) == ("store_unavailable", True)
        assert refusal.detail == "the database's disk is full"
    assert link.writer.storing.failing == "the database's disk is full"
    assert failures(Cause.DISK_FULL) >= counted + 5
    assert len([line for line in caplog.messages if "frames are not stored" in line]) == 1
    full_disk.free()
    async with agent:
        await agent.batch(2, many(2))
        await agent.acked(2)
    assert link.writer.storing.failing is None
    times = await stored_times(link)
    assert len(times) == len(set(times)) == 2 * MANY


async def test_a_collector_that_nobody_reaches_finds_out_that_there_is_space_again(
    link: Link, full_disk: SmallDisk
) -> None:
    """Its balancer may send it no agent before it says that it is well."""
    link.writer._probe_seconds = 0.05
    full_disk.fill()
    agent = link.enrol()
    with suppress(websockets.ConnectionClosed):
        async with agent:
            await agent.batch(1, many(1))
            assert (await last_word(agent)).detail == "the database's disk is full"
    await asyncio.sleep(0.5)
    assert link.writer.storing.failing == "the database's disk is full"
    full_disk.free()
    await until_well(link)


async def test_a_server_that_panics_for_want_of_space_comes_back_with_what_was_acknowledged(
    link: Link, full_disk: SmallDisk, server: EmbeddedPostgres, watchdog: Watchdog, fresh_database: str
) -> None:
    agent = link.enrol()
    await persisting(agent, {1: many(1)})
    full_disk.fill()
    await write_ahead_until_it_fails(fresh_database)
    sending = asyncio.create_task(persisting(agent, {2: many(2), 3: many(3)}))
    async with asyncio.timeout(PATIENCE):
        while link.writer.storing.failing is None and watchdog.wrong() is None:
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    assert not sending.done()
    if watchdog.wrong() is not None:
        assert "no space is left" in str(watchdog.wrong())
    full_disk.free()
    await sending
    await until_well(link)
    assert watchdog.wrong() is None
    times = await stored_times(link)
    assert len(times) == len(set(times)) == 3 * MANY


async def write_ahead_until_it_fails(conninfo: str) -> None:
    """A log that cannot grow ends the server; a table that cannot only fails its statement."""
    with suppress(psycopg.OperationalError):
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            for _ in range(100):
                await connection.execute("SELECT pg_logical_emit_message(true, 'x', repeat('x', 1000000))")
            raise AssertionError("there was space for all that")


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGKILL, signal.SIGINT])
async def test_a_server_that_ends_in_the_middle_of_commits(
    link: Link, server: EmbeddedPostgres, watchdog: Watchdog, number: signal.Signals
) -> None:
    agents = [link.enrol() for _ in range(3)]
    sending = [asyncio.create_task(persisting(agent, {n: many(n) for n in range(1, 9)})) for agent in agents]
    async with asyncio.timeout(PATIENCE):
        while link.writer.pending_bytes == 0:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    os.kill(postmaster(server), number)
    refusals = [refusal for heard in await asyncio.gather(*sending) for refusal in heard]
    assert {refusal.code for refusal in refusals} <= {"store_unavailable"}
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT count(*), count(DISTINCT (source_id, time)) FROM frames")
        assert rows == [(3 * 8 * MANY, 3 * 8 * MANY)]
        assert await fetch(connection, "SELECT last_seq, lost FROM ledger") == [(8, 0)] * 3


async def writer_pids() -> list[int]:
    async with database.connection() as connection:
        rows = await fetch(
            connection,
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'pudim writer' AND datname = current_database()",
        )
    return [row[0] for row in rows]


async def test_the_writers_connection_is_made_again_before_a_commit_fails(link: Link) -> None:
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        (before,) = await writer_pids()
        async with database.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend($1)", [before])
        await agent.batch(2)
        await agent.acked(2)
    assert await writer_pids() != [before]
    assert await stored_times(link) == ticks(1, 2)


async def test_pages_that_hold_every_connection_hold_up_no_commit(link: Link) -> None:
    agent = link.enrol()
    async with AsyncExitStack() as pages, agent:
        await agent.batch(1)
        await agent.acked(1)
        for _ in range(database.statistics["pool_max"]):
            await pages.enter_async_context(database.connection())
        await agent.batch(2)
        await agent.acked(2)


async def take_all_connections(conninfo: str, others: AsyncExitStack) -> None:
    with suppress(psycopg.OperationalError):
        while True:
            other = await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
            await others.enter_async_context(other)


async def test_a_server_without_a_free_connection(link: Link, fresh_database: str) -> None:
    agent = link.enrol()
    async with agent, AsyncExitStack() as others:
        await agent.batch(1)
        await agent.acked(1)
        async with database.connection() as connection:
            for pid in await writer_pids():
                await connection.execute("SELECT pg_terminate_backend($1)", [pid])
            await take_all_connections(fresh_database, others)
        await agent.batch(2)
        refusal = await last_word(agent)
        assert refusal.detail == "the database has no free connection"
    assert await persisting(agent, {2: []}) == []
    assert await stored_times(link) == ticks(1, 2)


@asynccontextmanager
async def impatient(link: Link) -> AsyncIterator[None]:
    """Statements of the writer end after a moment."""
    await link.writer._lane.close()
    link.writer._lane = Lane(database, SessionSettings("pudim writer", timedelta(milliseconds=300)))
    yield
    await link.writer._lane.close()


async def test_a_table_that_somebody_locks(link: Link, fresh_database: str) -> None:
    agent = link.enrol()
    async with impatient(link):
        async with stalled(fresh_database) as stall:
            async with agent:
                await agent.batch(1)
                refusal = await last_word(agent)
                assert refusal.detail == "the database took too long, or something there is locked"
            await stall.release()
        await persisting(agent, {1: []})
    assert await stored_times(link) == ticks(1)


async def test_a_database_that_became_read_only(link: Link, fresh_database: str) -> None:
    agent = link.enrol()
    name = Identifier(str(psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"]))
    async with agent, database.connection() as connection:
        await agent.batch(1)
        await agent.acked(1)
        await connection.execute(SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        await link.writer._lane.close()
        await agent.batch(2)
        assert (await last_word(agent)).detail == "the database is read-only"
        await connection.execute(SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
    await persisting(agent, {2: []})
    assert await stored_times(link) == ticks(1, 2)


async def piece_of(link: Link, time_ms: float) -> Piece:
    """The partition of frames that holds a moment."""
    assert link.store.backend is not None
    async with database.connection() as connection:
        pieces = await link.store.backend.pieces(connection)
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    (found,) = [one for one in pieces if one.table is FRAMES and one.start <= moment < one.end]
    return found


@pytest.fixture
def partitioned(link: Link) -> Link:
    if link.store.backend is None or link.store.backend.name != "partitions":
        pytest.skip("only where pieces are made by us can one be missing")
    return link


async def test_a_partition_that_somebody_dropped_is_made_again(partitioned: Link) -> None:
    agent = partitioned.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        piece = await piece_of(partitioned, ticks(1)[0])
        async with database.connection() as connection:
            await connection.execute(SQL("DROP TABLE {}").format(Identifier(piece.name)))
        await agent.batch(2)
        await agent.acked(2)
    assert await stored_times(partitioned) == ticks(2)


async def test_no_room_for_frames_of_one_day_holds_up_nobody_else(partitioned: Link) -> None:
    """Where a person has put something else in the partition's place, which goes on until it is taken away."""
    shut_out, other = partitioned.enrol(), partitioned.enrol()
    piece = await piece_of(partitioned, ticks(1)[0] - 2 * 86_400_000)
    old = [block(HOST.hash, [int(piece.end.timestamp() * 1000) - 1_000], [(1.0, 2.0)])]
    in_the_way = SQL("CREATE TABLE in_the_way PARTITION OF frames FOR VALUES FROM ({}) TO ({})")
    async with database.connection() as connection:
        await connection.execute(SQL("DROP TABLE {}").format(Identifier(piece.name)))
        await connection.execute(in_the_way.format(piece.start, piece.start + timedelta(hours=1)))
    async with shut_out, other:
        await shut_out.batch(1, old)
        await other.batch(1)
        await other.acked(1)
        refusal = await last_word(shut_out)
        assert (refusal.detail, refusal.retry) == ("the database has no room for frames of that time", True)
    assert partitioned.writer.storing.failing is None
    async with database.connection() as connection:
        await connection.execute("DROP TABLE in_the_way")
    await persisting(shut_out, {1: old})
    assert len(await stored_times(partitioned)) == 2


async def test_room_is_made_beside_a_commit_that_goes_on(partitioned: Link, fresh_database: str) -> None:
    """It happens each hour: it must not wait for who writes, for then all others would wait behind it."""
    async with await psycopg.AsyncConnection.connect(fresh_database) as writing:
        await writing.execute("LOCK TABLE frames, frame_blocks IN ROW EXCLUSIVE MODE")
        async with asyncio.timeout(5):
            await partitioned.store.prepare(datetime.now(UTC))


async def test_a_deadlock_is_tried_again(link: Link, fresh_database: str) -> None:
    """Two who write to two boots in different orders; PostgreSQL ends the commit, which began later."""
    agent = link.enrol()
    async with agent:
        await agent.batch(1)
        await agent.acked(1)
        async with await psycopg.AsyncConnection.connect(fresh_database) as other:
            await other.execute("SET deadlock_timeout = '1h'")
            await other.execute("SELECT FROM ledger FOR UPDATE")
            await agent.batch(2)
            await met(other)
            await other.execute("LOCK TABLE frames IN SHARE MODE")
            await other.rollback()
        await agent.acked(2)
    assert await stored_times(link) == ticks(1, 2)
    samples = [one for metric in counters.commits.collect() for one in metric.samples]
    assert any(one.labels.get("outcome") == "deadlock" and one.value for one in samples)


async def met(other: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    """Wait until somebody waits for what this one holds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            cursor = await other.execute(
                "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.rowcount:
                return
            await asyncio.sleep(0.01)
