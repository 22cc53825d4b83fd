"""Simulated servers in a real store: what they measured is there in every tier, and goes again without a trace."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString, NamedTuple
from uuid import UUID

import numpy as np
import pytest

from pudim.wire import keys
from pudim.wire.layouts import Layout
from pudim_collector.app.demo import command
from pudim_collector.app.demo.command import DemoServersExist, demo_servers, remove_demo_servers
from pudim_collector.app.demo.loader import Loaded, Loader, Wish
from pudim_collector.app.demo.machines import fleet
from pudim_collector.app.demo.signals import DAY, TICK, Column, Times
from pudim_collector.app.demo.simulation import Simulation
from pudim_collector.app.demo.story import HOUR, MINUTE, story_of
from pudim_collector.app.features import MIGRATIONS
from pudim_collector.app.settings import Settings
from pudim_collector.features.accounts.queries import the_team
from pudim_collector.features.notices.schemas import Kind
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers import queries
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import ManualClock, SystemClock
from pudim_collector.series.backends import FRAME_BLOCKS, FRAMES
from pudim_collector.series.blocks import Block, Rollup, unpack_frame_block, unpack_rollup_block
from pudim_collector.series.statements import fetch

KEY = keys.private_from_bytes(b"c" * 32)
END = datetime(2026, 5, 4, 12, 7, tzinfo=UTC)
OPEN = int(datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp() * 1000)
"""The hour that is not over at the end: its frames are rows still."""
SEED = 11
_BLOCKS = {
    "frame_blocks": "SELECT rows, times, offsets, body FROM frame_blocks WHERE source_id = $1 ORDER BY start",
    "minute_blocks": "SELECT rows, times, offsets, body FROM minute_blocks WHERE source_id = $1 ORDER BY start",
    "hour_blocks": "SELECT rows, times, offsets, body FROM hour_blocks WHERE source_id = $1 ORDER BY start",
}


_COUNTS: tuple[LiteralString, ...] = (
    "SELECT count(*) FROM frames",
    "SELECT count(*) FROM frame_blocks",
    "SELECT count(*) FROM minute_blocks",
    "SELECT count(*) FROM hour_blocks",
    "SELECT count(*) FROM sources",
    "SELECT count(*) FROM ledger",
    "SELECT count(*) FROM unrolled",
    "SELECT count(*) FROM notices",
)


class Host(NamedTuple):
    """All frames of a server's source `host`, as they were made."""

    times: Times
    values: Column
    layout: Layout


def made(days: int) -> Host:
    until = int(END.timestamp() * 1000)
    since = until - days * DAY
    one = Simulation(fleet(1)[0], story_of(SEED, 0, since, until), SEED, since, until)
    streams = [one.day(day)[0] for day in range(since // DAY, (until - 1) // DAY + 1)]
    return Host(
        np.concatenate([stream.times for stream in streams]),
        np.concatenate([stream.values for stream in streams]),
        streams[0].source.layout,
    )


def aggregated(host: Host, width: int) -> tuple[Times, Rollup]:
    """Buckets of the generator's own values, the slow and plain way."""
    beginnings = np.unique(host.times - host.times % width)
    rows = []
    for beginning in beginnings:
        values = host.values[(host.times >= beginning) & (host.times < beginning + width)]
        known = ~np.isnan(values)
        count = known.sum(axis=0).astype(float)
        low = np.where(known, values, np.inf).min(axis=0)
        high = np.where(known, values, -np.inf).max(axis=0)
        total = np.where(known, values, 0.0).sum(axis=0)
        nothing = count == 0
        rows.append([count, *(np.where(nothing, np.nan, part) for part in (low, high, total))])
    return beginnings, Rollup(*np.array(rows).transpose(1, 0, 2))


@pytest.fixture
async def migrated(fresh_database: str) -> str:
    await migrate(database, MIGRATIONS, clock=SystemClock())
    return fresh_database


async def loaded(days: int, servers: int = 1) -> Loaded:
    return await Loader(database, KEY, Wish(servers, days, SEED), END).load(lambda _: None)


async def host_source(server: UUID) -> int:
    async with database.connection() as connection:
        query = "SELECT source_id FROM sources WHERE server_id = $1 AND name = 'host'"
        ((source_id,),) = await fetch(connection, query, [server])
    return int(source_id)


async def blocks(table: str, source_id: int) -> list[Block]:
    async with database.connection() as connection:
        return [Block(*row) for row in await fetch(connection, _BLOCKS[table], [source_id])]


async def raw(source_id: int) -> tuple[Times, Column]:
    """Out of blocks, then rows."""
    unpacked = [unpack_frame_block(block) for block in await blocks("frame_blocks", source_id)]
    query = "SELECT (extract(epoch FROM time) * 1000)::bigint, values FROM frames WHERE source_id = $1 ORDER BY time"
    async with database.connection() as connection:
        rows = await fetch(connection, query, [source_id])
    assert rows[0][0] == OPEN
    unpacked.append((np.array([row[0] for row in rows]), np.array([row[1] for row in rows])))
    return np.concatenate([times for times, _ in unpacked]), np.concatenate([one for _, one in unpacked])


async def rollups(table: str, source_id: int) -> tuple[Times, Rollup]:
    unpacked = [unpack_rollup_block(block) for block in await blocks(table, source_id)]
    return np.concatenate([times for times, _ in unpacked]), Rollup.stacked([one for _, one in unpacked])


def assert_same(found: tuple[Times, Rollup], wanted: tuple[Times, Rollup]) -> None:
    assert np.array_equal(found[0], wanted[0])
    assert np.array_equal(found[1].count, wanted[1].count)
    assert np.array_equal(found[1].low, wanted[1].low, equal_nan=True)
    assert np.array_equal(found[1].high, wanted[1].high, equal_nan=True)
    assert np.allclose(found[1].total, wanted[1].total, rtol=1e-12, atol=1e-9, equal_nan=True)


async def test_every_tier_holds_what_was_measured(migrated: str) -> None:
    host, found = made(3), await loaded(3)
    (server,) = found.servers
    source_id = await host_source(server)
    assert np.isnan(host.values).any(), "there are gaps in it to get wrong"
    assert np.diff(host.times).max() > 10 * HOUR, "and an outage"
    times, values = await raw(source_id)
    assert np.array_equal(times, host.times)
    assert np.array_equal(values, host.values, equal_nan=True)
    assert_same(await rollups("minute_blocks", source_id), aggregated(host, MINUTE))
    over = host.times < OPEN
    closed = Host(host.times[over], host.values[over], host.layout)
    assert_same(await rollups("hour_blocks", source_id), aggregated(closed, HOUR))


async def test_old_raw_frames_are_gone_and_coarser_tiers_stay(migrated: str) -> None:
    days = 10
    (server,) = (await loaded(days)).servers
    source_id = await host_source(server)
    oldest = int((END - timedelta(days=days)).timestamp() * 1000)
    times, _ = await raw(source_id)
    minutes, _ = await rollups("minute_blocks", source_id)
    hours, _ = await rollups("hour_blocks", source_id)
    assert times[-1] == int(END.timestamp() * 1000) - TICK
    assert minutes[0] == oldest
    assert hours[0] == oldest - oldest % HOUR
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM dirt") == [(0,)]
        query = "SELECT raw_since, (SELECT count(*) FROM unrolled WHERE hour < $1) FROM store"
        ((raw_since, undone),) = await fetch(connection, query, [OPEN // HOUR])
    assert undone == 0
    week_ago = END - timedelta(days=7)
    assert week_ago - max(FRAMES.width, FRAME_BLOCKS.width) <= raw_since <= week_ago, (
        "whole pieces are dropped"
    )
    assert times[0] == int(raw_since.timestamp() * 1000)


async def test_they_are_enrolled_and_their_boots_are_in_the_ledger(migrated: str) -> None:
    found = await loaded(2, servers=3)
    records = {record.id: record for record in await queries.every_server()}
    assert [records[server].name for server in found.servers] == ["demo-web-1", "demo-db-1", "demo-web-2"]
    for server in found.servers:
        record = records[server]
        assert record.enrolled_at == END - timedelta(days=2)
        assert record.revoked_at is None
        assert record.facts["host.name"] == record.name
        assert record.agent_version
    async with database.connection() as connection:
        query = (
            "SELECT server_id, sum(last_seq), sum(lost), min(first_ms), max(last_ms), max(interval_ms), count(*)"
            " FROM ledger GROUP BY server_id"
        )
        ledger = {row[0]: row[1:] for row in await fetch(connection, query)}
    times = made(2).times
    assert ledger[found.servers[0]] == (len(times), 0, times[0], times[-1], TICK, 1)
    assert set(ledger) == set(found.servers)
    keys_seen = {records[server].public_key for server in found.servers}
    assert len(keys_seen) == 3


async def test_their_agents_said_what_their_hosts_are_like(migrated: str) -> None:
    found = await loaded(1, servers=5)
    notices = HostNotices(Announcements(database, []), ManualClock(END))
    said = {server: await notices.all(Scope(await the_team()), server) for server in found.servers}
    web, db, _, worker, cache = found.servers
    assert set(said[web]) == set(Kind) - {Kind.CHECKS, Kind.COLLECTOR_KEY}
    assert Kind.CONTAINERS not in said[cache], "it has no runtime"
    assert said[db][Kind.UNITS].document.units[0].active == "failed"
    assert [one.health for one in said[worker][Kind.CONTAINERS].document.containers] == [
        "healthy",
        "unhealthy",
        None,
    ]
    assert said[web][Kind.FACTS].document["host.name"] == "demo-web-1"
    for one in said.values():
        assert {notice.received_at for notice in one.values()} == {END}
        assert all(process.cpu > 0 for process in one[Kind.PROCESSES].document.cpu)


async def test_each_boot_has_its_own_batches(migrated: str) -> None:
    """The newest five days have an outage in them, after which the host boots."""
    (server,) = (await loaded(5)).servers
    times = made(5).times
    (start,) = np.flatnonzero(np.diff(times) > HOUR) + 1
    async with database.connection() as connection:
        query = "SELECT last_seq, first_ms, last_ms FROM ledger WHERE server_id = $1 ORDER BY first_ms"
        found = await fetch(connection, query, [server])
    assert found == [(start, times[0], times[start - 1]), (len(times) - start, times[start], times[-1])]


async def test_a_longer_installation_takes_them_too(migrated: str) -> None:
    """Its raw frames of those days are given up, so frames of them are refused from others."""
    async with database.connection() as connection:
        await connection.execute("INSERT INTO store (backend) VALUES ('partitions') ON CONFLICT DO NOTHING")
    await loaded(1)
    await remove_demo_servers()
    async with database.connection() as connection:
        await connection.execute("UPDATE store SET raw_since = $1", [END - timedelta(days=1)])
    (server,) = (await loaded(4)).servers
    minutes, _ = await rollups("minute_blocks", await host_source(server))
    assert minutes[0] == int((END - timedelta(days=4)).timestamp() * 1000)


async def test_nothing_of_them_is_left_and_nothing_else_goes(migrated: str) -> None:
    await queries.insert_server(UUID(int=1), "demo-real", b"k" * 32, {"host.name": "demo-real"}, END)
    await queries.insert_server(UUID(int=2), "web-1", b"l" * 32, {"pudim.demo": "true"}, END)
    found = await loaded(1, servers=2)
    assert set(await demo_servers()) == set(found.servers)
    assert await remove_demo_servers() == 2
    assert {record.id for record in await queries.every_server()} == {UUID(int=1), UUID(int=2)}
    async with database.connection() as connection:
        for query in _COUNTS:
            assert await fetch(connection, query) == [(0,)], query
    assert await remove_demo_servers() == 0


async def test_a_second_time_is_refused(migrated: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    await command.load_demo_servers(settings, Wish(1, 1, SEED), lambda _: None)
    with pytest.raises(DemoServersExist, match="simulated servers already"):
        await command.load_demo_servers(settings, Wish(1, 1, SEED), lambda _: None)
    assert len(await demo_servers()) == 1
