"""What is told of pools: each by its name while it is open, also how long one had to wait."""

import asyncio

from pudim_collector.infra.database import database
from pudim_collector.infra.telemetry import registry


def figure(name: str, pool: str = "pudim") -> float | None:
    return registry.get_sample_value(f"pudim_database_pool_{name}", {"pool": pool})


async def test_an_open_pool_is_counted(fresh_database: str) -> None:
    asked = figure("requests_total") or 0
    async with database.connection() as connection:
        await connection.execute("SELECT 1")
        size, available = figure("size"), figure("available")
        assert size is not None
        assert available is not None
        assert size >= 1
        assert available < size
    assert figure("limit") == 5
    assert figure("requests_total") == asked + 1


async def test_who_waits_is_counted(fresh_database: str) -> None:
    async def user(gate: asyncio.Event) -> None:
        async with database.connection():
            await gate.wait()

    gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(7):
            group.create_task(user(gate))
        while figure("waiting") != 2:
            await asyncio.sleep(0.01)
        gate.set()
    assert figure("waiting") == 0
    assert (figure("wait_seconds_total") or 0) > 0
    assert (figure("queued_total") or 0) >= 2
    assert figure("errors_total") == 0


async def test_a_closed_pool_is_gone(empty_database: str) -> None:
    await database.open(empty_database, application_name="pudim test")
    assert figure("size", "pudim test") is not None
    await database.close()
    assert figure("size", "pudim test") is None
