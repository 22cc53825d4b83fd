"""Ends what takes too long: Python 3.10 has no asyncio.timeout, and before 3.12 wait_for may swallow a cancellation."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class within:  # noqa: N801 - reads as the statement it is, like asyncio.timeout
    """`async with within(seconds):` raises asyncio.TimeoutError in place of what is not done by then; None is no end."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._alarm: asyncio.TimerHandle | None = None
        self._expired = False

    async def __aenter__(self) -> None:
        task: Any = asyncio.current_task()
        self._task = task
        if self._seconds is not None:
            self._alarm = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        """The task waits somewhere inside the block now, so that is where it is cancelled."""
        self._expired = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._expired:
            return
        # From 3.11 on a task counts who cancelled it: somebody else's cancellation goes on.
        others = self._task.uncancel() if hasattr(self._task, "uncancel") else 0
        if kind is asyncio.CancelledError and not others:
            raise asyncio.TimeoutError from error


async def happens_within(seconds: float | None, event: asyncio.Event) -> bool:
    """Whether `event` is set by then, which ends the wait."""
    try:
        async with within(seconds):
            await event.wait()
    except asyncio.TimeoutError:
        return event.is_set()
    return True
