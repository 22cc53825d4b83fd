"""A supervised loop is restarted when it fails, seen while it does, and ended when told."""

import asyncio
import contextlib
import contextvars
import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.supervised import Backoff, LoopState, Supervisor
from pudim_collector.kernel.clock import ManualClock

AT_ONCE = Backoff(first=0.0, most=0.0)


def supervisor(backoff: Backoff = AT_ONCE) -> Supervisor:
    return Supervisor(ManualClock(datetime(2026, 1, 1, tzinfo=UTC)), backoff)


async def test_a_failing_loop_is_restarted_and_its_failure_kept(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0
    recovered = asyncio.Event()

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise OSError("no route")
        recovered.set()
        await asyncio.sleep(60)

    async with supervisor() as watch:
        with caplog.at_level(logging.CRITICAL, "pudim_collector.infra.supervised"):
            watch.start("link", loop)
            await asyncio.wait_for(recovered.wait(), 5)
        report = watch.reports["link"]
        assert (report.state, report.failures, report.last_error) == (
            LoopState.RUNNING,
            2,
            "OSError: no route",
        )
        assert watch.healthy
    assert watch.reports["link"].state is LoopState.STOPPED


async def test_a_loop_that_waits_to_restart_is_not_healthy() -> None:
    async def loop() -> None:
        raise OSError

    async with supervisor(Backoff(first=60.0)) as watch:
        watch.start("link", loop)
        await asyncio.sleep(0.01)
        assert not watch.healthy


async def test_a_loop_that_returns_is_finished() -> None:
    async with supervisor() as watch:
        watch.start("once", finish)
        await asyncio.sleep(0.01)
        assert watch.reports["once"].state is LoopState.FINISHED


async def finish() -> None:
    return


async def test_loops_end_in_reverse_order_and_a_name_is_used_once() -> None:
    ended: list[str] = []

    async def run(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    watch = supervisor()
    watch.start("store", lambda: run("store"))
    watch.start("hub", lambda: run("hub"))
    with pytest.raises(ValueError, match="runs already"):
        watch.start("hub", finish)
    await asyncio.sleep(0)
    await watch.close()
    assert ended == ["hub", "store"]


async def test_a_loop_inherits_no_context() -> None:
    marker: contextvars.ContextVar[str] = contextvars.ContextVar("marker", default="clean")
    marker.set("inherited")
    seen: list[str] = []

    async def loop() -> None:
        seen.append(marker.get())

    async with supervisor() as watch:
        watch.start("loop", loop)
        await asyncio.sleep(0.01)
    assert seen == ["clean"]


async def test_a_loop_that_meets_a_foreign_cancellation_goes_on() -> None:
    """Else it would be dead and be called running."""
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise asyncio.CancelledError
        await asyncio.sleep(60)

    async with supervisor() as watch:
        watch.start("loop", loop)
        await asyncio.sleep(0.01)
        assert (runs, watch.reports["loop"].failures) == (2, 1)


async def test_a_loop_that_fails_as_it_ends_is_not_started_again(caplog: pytest.LogCaptureFixture) -> None:
    """A driver may answer a cancellation with an error of its own."""
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("the connection is gone too")

    watch = supervisor()
    watch.start("loop", loop)
    await asyncio.sleep(0)
    with caplog.at_level(logging.CRITICAL, "pudim_collector.infra.supervised"):
        await asyncio.wait_for(watch.close(), 5)
    assert runs == 1


async def test_a_loop_that_takes_its_cancellation_for_a_failure_is_told_again() -> None:
    async def loop() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
                continue
            await asyncio.sleep(60)

    watch = supervisor()
    watch.end_patience = 0.01
    watch.start("loop", loop)
    await asyncio.sleep(0)
    await asyncio.wait_for(watch.close(), 5)
    assert watch.reports["loop"].state is LoopState.STOPPED


@given(st.integers(1, 10_000))
def test_the_delay_grows_within_bounds(failures: int) -> None:
    backoff = Backoff(first=0.5, most=30.0)
    delay = backoff.delay(failures)
    assert 0.25 <= delay <= 30.0
    assert failures < 7 or delay >= 15.0
