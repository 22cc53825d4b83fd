"""What takes too long for a tick (a sensor's bus, a program) is asked beside it; the tick reads the last answer."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Generic, TypeVar

from pudim.wire.layouts import Series
from pudim_agent.deltas import NAN
from pudim_agent.samplers import Reading

_log = logging.getLogger(__name__)
T = TypeVar("T")
STALE = 3.0
"""After so many periods without a new answer the old one says nothing about now."""


class Slow(Generic[T]):
    """One source. Never asked again before it has answered, so what hangs costs one thread or process, not many."""

    def __init__(self, name: str, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._name, self._ask, self._seconds = name, ask, seconds
        self._answer: T | None = None
        self._fresh = False
        self._at = 0.0
        self._complained = ""

    async def run(self) -> None:
        """Ask again and again."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._seconds)

    async def refresh(self) -> None:
        """Ask once. What fails leaves the answer before to grow old, and is logged when its reason changes."""
        try:
            self._answer = await self._ask()
            self._fresh, self._complained = True, ""
        except (OSError, ValueError, asyncio.TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}"
            if reason != self._complained:
                self._complained = reason
                _log.warning("%s: %s (said once)", self._name, reason)

    def latest(self, now: float) -> T | None:
        """The last answer, None when there is none or it is too old. Its age counts from the tick that saw it."""
        if self._fresh:
            self._fresh, self._at = False, now
        return self._answer if now - self._at <= STALE * self._seconds else None


class SlowFigures(Slow[Mapping[Series, float]]):
    """A slow source of values by series. What it had once and has no more, or not in time, is NaN."""

    _shown: tuple[Series, ...] = ()

    def reading(self, now: float) -> Reading:
        figures = self.latest(now) or {}
        if new := [one for one in figures if one not in self._shown]:
            self._shown = (*self._shown, *new)
        return Reading(self._shown, [figures.get(one, NAN) for one in self._shown])


async def in_thread(ask: Callable[[], T]) -> T:
    """The answer of what may block, from a thread that ends with it.

    No pool, whose threads would stay; a daemon, so that a dead device does not hold up the agent's exit.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(found: list[T], error: Exception | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found[0])

    def work() -> None:
        found: list[T] = []
        error = None
        try:
            found.append(ask())
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is raised where the answer is awaited
            error = raised
        with suppress(RuntimeError):  # the agent ended meanwhile
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=work, name="slow", daemon=True).start()
    return await answer
