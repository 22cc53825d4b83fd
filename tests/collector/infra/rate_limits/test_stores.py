"""The same contract for every store, against real servers: many that ask at once get what there is, and no more."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pudim_collector.infra.database import PsycopgEngine, database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.rate_limits.leases import Leases, LimitsUnavailable
from pudim_collector.infra.rate_limits.rules import Limit, Taken
from pudim_collector.infra.rate_limits.stores import (
    MIGRATIONS,
    LimitStore,
    LocalStore,
    PostgresStore,
    RedisStore,
)
from pudim_collector.kernel.clock import ManualClock, SystemClock

SLOW = Limit("slow", 40, 40_000)
"""So slow that nothing drips while a test runs."""
EXACT = Limit("exact", 40, 40_000, exact=True)


@asynccontextmanager
async def redis_server(folder: Path, port: int = 0) -> AsyncIterator[int]:
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        while True:
            assert process.returncode is None
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def migrated(fresh_database: str) -> str:
    await migrate(database, [MIGRATIONS], clock=SystemClock())
    return fresh_database


@pytest.fixture(params=["local", "postgres", "redis"])
async def stores(
    request: pytest.FixtureRequest, migrated: str, tmp_path: Path
) -> AsyncIterator[list[LimitStore]]:
    """The same buckets as three processes meet them; this process' own only once."""
    if request.param == "local":
        yield [LocalStore(ManualClock(SystemClock().now()))]
    elif request.param == "postgres":
        others = [PsycopgEngine() for _ in range(3)]
        for one in others:
            await one.open(migrated, max_size=4)
        yield [PostgresStore(one) for one in others]
        for one in others:
            await one.close()
    else:
        if not shutil.which("redis-server"):
            pytest.skip("redis-server is not installed")
        async with redis_server(tmp_path) as port:
            clients = [RedisStore(f"redis://127.0.0.1:{port}/0") for _ in range(3)]
            yield list(clients)
            for client in clients:
                await client.close()


async def test_many_at_once_get_the_burst_and_no_more(stores: list[LimitStore]) -> None:
    asked = [stores[number % len(stores)].take("key", SLOW, 1) for number in range(150)]
    taken = await asyncio.gather(*asked)
    assert sum(one.allowed for one in taken) == SLOW.quota
    assert sorted(one.left for one in taken if one.allowed) == list(range(SLOW.quota))
    assert all(0 < one.wait <= SLOW.interval for one in taken if not one.allowed)
    assert (await stores[0].take("another", SLOW, 1)).allowed


async def test_what_costs_more_takes_more(stores: list[LimitStore]) -> None:
    taken = await asyncio.gather(*(stores[0].take("key", SLOW, 7) for _ in range(9)))
    assert sum(one.allowed for one in taken) == 5
    assert (await stores[0].take("key", SLOW, 6)).allowed is False
    assert (await stores[0].take("key", SLOW, 5)).allowed


async def test_processes_that_lease_pass_no_more_than_the_burst(stores: list[LimitStore]) -> None:
    processes = [Leases(one, SystemClock()) for one in stores]
    asked = [processes[number % len(processes)].take("key", SLOW, 1) for number in range(200)]
    passed = sum(one.allowed for one in await asyncio.gather(*asked))
    assert SLOW.quota - len(processes) * SLOW.lease <= passed <= SLOW.quota


async def test_what_is_used_comes_back_by_the_stores_clock(migrated: str) -> None:
    """A process whose clock stands still, and one whose clock runs: the same bucket."""
    quick = Limit("quick", 5, 1)
    store = PostgresStore(database)
    assert [(await store.take("key", quick, 1)).allowed for _ in range(5)] == [True] * 5
    refused = await store.take("key", quick, 5)
    assert not refused.allowed
    await asyncio.sleep(refused.wait + 0.01)
    assert (await store.take("key", quick, 5)).allowed


async def test_empty_buckets_are_forgotten(migrated: str) -> None:
    store = PostgresStore(database)
    await store.take("old", Limit("tiny", 1000, 1), 1)
    await store.take("new", SLOW, 1)
    await asyncio.sleep(0.05)
    await store.forget_empty()
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT key FROM rate_limits")).fetchall()
    assert [tuple(row) for row in rows] == [("new",)]


class Counting(LocalStore):
    """Counts how often a store is asked."""

    asked = 0

    async def take(self, key: str, limit: Limit, cost: int) -> Taken:
        self.asked += 1
        return await super().take(key, limit, cost)


async def test_far_from_the_limit_the_store_is_asked_once_a_lease() -> None:
    clock = ManualClock(SystemClock().now())
    store = Counting(clock)
    leases, limit = Leases(store, clock), Limit("wide", 1000, 60)
    for _ in range(500):
        assert (await leases.take("key", limit, 1)).allowed
    assert store.asked == 500 / limit.lease == 10


async def test_who_was_refused_does_not_reach_the_store_until_he_may_come_again() -> None:
    clock = ManualClock(SystemClock().now())
    store = Counting(clock)
    leases = Leases(store, clock)
    while (taken := await leases.take("key", EXACT, 1)).allowed:
        pass
    before = store.asked
    for _ in range(50):
        assert not (await leases.take("key", EXACT, 1)).allowed
    assert store.asked == before
    clock.advance(taken.wait)
    assert (await leases.take("key", EXACT, 1)).allowed


async def test_what_was_left_goes_down_to_nothing() -> None:
    clock = ManualClock(SystemClock().now())
    leases, limit = Leases(LocalStore(clock), clock), Limit("some", 100, 100)
    left = [(await leases.take("key", limit, 1)).left for _ in range(100)]
    assert left == list(range(99, -1, -1))


async def test_without_the_store_sign_in_is_closed_and_reading_is_limited_here(tmp_path: Path) -> None:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    clock = ManualClock(SystemClock().now())
    async with redis_server(tmp_path) as port:
        store = RedisStore(f"redis://127.0.0.1:{port}/0")
        leases = Leases(store, clock)
        assert (await leases.take("key", EXACT, 1)).allowed
    with pytest.raises(LimitsUnavailable):
        await leases.take("key", EXACT, 1)
    passed = [(await leases.take("reader", SLOW, 1)).allowed for _ in range(100)]
    assert sum(passed) == SLOW.quota
    async with redis_server(tmp_path, port):
        clock.advance(60)
        assert (await leases.take("key", EXACT, 1)).allowed
    await store.close()
