"""What one process says all hear, once; who falls behind or was deaf is told that everything may have changed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from pudim_collector.infra.announcements import EVERYTHING, Announcements, Subscription
from pudim_collector.infra.database import database
from pudim_collector.infra.supervised import Backoff, Supervisor
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.statements import fetch

NEWS, OTHER = "pudim_test_news", "pudim_test_other"
LISTENING = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pudim announcements' AND datname = current_database()"


async def pids() -> list[int]:
    async with database.connection() as connection:
        return [row[0] for row in await fetch(connection, LISTENING)]


async def listening(ears: Announcements) -> None:
    """Until both channels are listened to, with nothing left to hear."""
    with ears.subscribe(NEWS) as news, ears.subscribe(OTHER) as other:
        assert await news.heard(5) == {EVERYTHING}
        assert await other.heard(5) == {EVERYTHING}


@pytest.fixture
async def loops(fresh_database: str, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Supervisor]:
    caplog.set_level(logging.CRITICAL)
    async with Supervisor(SystemClock(), Backoff(first=0.01, most=0.05)) as supervisor:
        yield supervisor


@pytest.fixture
async def ears(loops: Supervisor) -> Announcements:
    ears = Announcements(database, [NEWS, OTHER])
    loops.start("announcements", ears.run)
    await listening(ears)
    return ears


async def test_a_payload_is_heard_once_however_often_it_was_said() -> None:
    subscription = Subscription()
    for payload in ("a", "b", "a", "a"):
        subscription.announce(payload)
    assert await subscription.heard(1) == {"a", "b"}
    assert await subscription.heard(0.01) == frozenset()


async def test_silence_ends_with_what_comes() -> None:
    subscription = Subscription()
    waiting = asyncio.ensure_future(subscription.heard(5))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    subscription.announce("a")
    assert await waiting == {"a"}


async def test_who_falls_behind_is_told_everything_and_kept_small() -> None:
    subscription = Subscription()
    for number in range(256):
        subscription.announce(str(number))
    assert EVERYTHING not in await subscription.heard(1)
    for number in range(100_000):
        subscription.announce(str(number))
    heard = await subscription.heard(1)
    assert EVERYTHING in heard
    assert len(heard) <= 256
    subscription.announce("after")
    assert await subscription.heard(1) == {"after"}


async def test_every_process_hears_and_each_channel_its_own(ears: Announcements, loops: Supervisor) -> None:
    second = Announcements(database, [NEWS, OTHER])
    loops.start("second", second.run)
    await listening(second)
    with ears.subscribe(NEWS) as mine, second.subscribe(NEWS) as theirs, ears.subscribe(OTHER) as other:
        await ears.announce(NEWS, "a")
        assert await mine.heard(5) == {"a"}
        assert await theirs.heard(5) == {"a"}
        assert await other.heard(0.05) == frozenset()


async def test_what_is_said_in_a_transaction_is_heard_when_it_commits(ears: Announcements) -> None:
    with ears.subscribe(NEWS) as news:
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction():
                await ears.announce(NEWS, "undone")
                raise ZeroDivisionError
        async with database.transaction():
            await ears.announce(NEWS, "done")
            assert await news.heard(0.1) == frozenset()
        assert await news.heard(5) == {"done"}


async def test_a_lost_connection_is_made_again_and_everything_is_told(
    ears: Announcements, loops: Supervisor
) -> None:
    (pid,) = await pids()
    with ears.subscribe(NEWS) as news, ears.subscribe(OTHER) as other:
        async with database.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend($1)", [pid])
        assert await news.heard(10) == {EVERYTHING}
        assert await other.heard(10) == {EVERYTHING}
        await ears.announce(NEWS, "again")
        assert await news.heard(5) == {"again"}
    assert loops.reports["announcements"].failures == 1
    assert pid not in await pids()


async def test_a_subscription_ends_with_its_block_also_by_an_error(ears: Announcements) -> None:
    with pytest.raises(ZeroDivisionError), ears.subscribe(NEWS):
        raise ZeroDivisionError
    assert ears._channels == {NEWS: set(), OTHER: set()}


async def test_a_channel_that_nobody_declared_is_a_fault(ears: Announcements) -> None:
    with pytest.raises(KeyError), ears.subscribe("pudim_test_unknown"):
        pass


async def test_a_stopped_ear_leaves_no_connection(ears: Announcements, loops: Supervisor) -> None:
    await loops.stop("announcements")
    async with asyncio.timeout(5):
        while await pids():
            await asyncio.sleep(0.01)
