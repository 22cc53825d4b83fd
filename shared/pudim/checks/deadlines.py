"""Ends what takes too long: Python 3.10 has no asyncio.timeout, and wait_for may swallow a cancellation before 3.12."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any


class within:  # noqa: N801 - reads as the statement it is, like asyncio.timeout
    """`async with within(seconds):` raises asyncio.TimeoutError in place of what is not done by then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    async def __aenter__(self) -> None:
        task: Any = asyncio.current_task()
        self._task = task
        self._alarm = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        """The task waits somewhere inside the block now, so that is where it is cancelled."""
        self._expired = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        if not self._expired:
            return
        # From 3.11 on a task counts who cancelled it: somebody else's cancellation goes on.
        others = self._task.uncancel() if hasattr(self._task, "uncancel") else 0
        if kind is asyncio.CancelledError and not others:
            raise asyncio.TimeoutError from error
