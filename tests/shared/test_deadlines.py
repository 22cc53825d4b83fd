"""What takes too long is ended where it waits, and somebody else's cancellation is never taken for it."""

import asyncio

import pytest

from pudim.deadlines import happens_within, within


async def test_what_is_done_in_time_goes_on() -> None:
    async with within(30):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_not_is_ended() -> None:
    with pytest.raises(asyncio.TimeoutError):
        async with within(0.01):
            await asyncio.sleep(30)
    await asyncio.sleep(0.02)


async def test_without_an_end_there_is_none() -> None:
    async with within(None):
        await asyncio.sleep(0.01)


async def test_an_event_ends_the_wait_for_it() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    assert await happens_within(30, event)
    assert await happens_within(None, event)
    event.clear()
    assert not await happens_within(0.01, event)


async def test_the_inner_of_two_ends_only_itself() -> None:
    async with within(30):
        with pytest.raises(asyncio.TimeoutError):
            async with within(0.01):
                await asyncio.sleep(30)
        await asyncio.sleep(0)


async def test_an_error_of_the_block_stays_what_it_is() -> None:
    with pytest.raises(KeyError):
        async with within(30):
            raise KeyError


async def test_a_cancellation_from_outside_goes_on() -> None:
    async def long() -> None:
        async with within(30):
            await asyncio.sleep(30)

    task = asyncio.ensure_future(long())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_comes_with_the_end_is_not_lost() -> None:
    done = asyncio.Event()

    async def work() -> None:
        while True:
            async with within(30):
                await done.wait()
            done.clear()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    done.set()
    await asyncio.sleep(0)
    done.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
