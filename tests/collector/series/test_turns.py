"""The upkeep's turn: one at a time, and free again however its holder ends."""

import asyncio

import pytest

from pudim_collector.infra.database import database
from pudim_collector.series.turns import upkeep_turn


async def test_one_has_it_at_a_time(fresh_database: str) -> None:
    inside: list[str] = []

    async def take(name: str) -> None:
        async with upkeep_turn(database):
            inside.append(name)
            assert len(inside) == 1
            await asyncio.sleep(0.02)
            inside.remove(name)

    await asyncio.gather(*(take(name) for name in "abcd"))


async def test_it_is_free_again_after_a_failure_and_a_cancellation(fresh_database: str) -> None:
    with pytest.raises(ZeroDivisionError):
        async with upkeep_turn(database):
            raise ZeroDivisionError
    async with upkeep_turn(database):
        waiting = asyncio.create_task(_taken())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await asyncio.wait_for(_taken(), 10)


async def _taken() -> None:
    async with upkeep_turn(database):
        return
