"""Background loops that are named, restarted when they fail, visible on the health page, and ended cleanly."""

import asyncio
import contextvars
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from pudim_collector.kernel.clock import Clock

_log = logging.getLogger(__name__)


class LoopState(StrEnum):
    RUNNING = "running"
    RESTARTING = "restarting"
    FINISHED = "finished"
    STOPPED = "stopped"


@dataclass
class LoopReport:
    name: str
    state: LoopState = LoopState.RUNNING
    failures: int = 0
    last_error: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Backoff:
    """Seconds between restarts: doubled per failure, halved at random, forgotten after a quiet spell."""

    first: float = 0.5
    most: float = 30.0
    quiet: float = 60.0

    def delay(self, failures_in_a_row: int) -> float:
        longest = min(self.most, self.first * 2.0 ** min(failures_in_a_row - 1, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret


@dataclass
class Supervisor:
    clock: Clock
    backoff: Backoff = field(default_factory=Backoff)
    end_patience: float = 15.0
    """Seconds until a loop that does not end is told again."""
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _reports: dict[str, LoopReport] = field(default_factory=dict)

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop()` under `name`, again whenever it raises; a loop that returns is finished.

        It runs in an empty context: a loop started inside a transaction must not inherit it.
        """
        if name in self._tasks:
            raise ValueError(f"a loop named {name!r} runs already")
        self._reports[name] = LoopReport(name, since=self.clock.now())
        context = contextvars.Context()
        self._tasks[name] = asyncio.get_running_loop().create_task(
            self._supervise(self._reports[name], loop), name=f"pudim:{name}", context=context
        )

    @property
    def reports(self) -> Mapping[str, LoopReport]:
        return self._reports

    @property
    def healthy(self) -> bool:
        return all(report.state is not LoopState.RESTARTING for report in self._reports.values())

    async def stop(self, name: str) -> None:
        task = self._tasks.pop(name)
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=self.end_patience)
        if not task.cancelled() and (error := task.exception()):
            _log.error("loop %s failed as it ended", name, exc_info=error)
        self._reports[name].state = LoopState.STOPPED

    async def close(self) -> None:
        """End all loops, the youngest first, so that what was built upon goes last."""
        for name in reversed(list(self._tasks)):
            await self.stop(name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _supervise(self, report: LoopReport, loop: Callable[[], Awaitable[None]]) -> None:
        in_a_row = 0
        while True:
            started = self.clock.monotonic()
            try:
                await loop()
            except (Exception, asyncio.CancelledError) as error:  # whatever it was, the health page shows it
                if _is_told_to_end():
                    raise
                quiet = self.clock.monotonic() - started > self.backoff.quiet
                in_a_row = 1 if quiet else in_a_row + 1
                await self._wait_to_restart(report, error, self.backoff.delay(in_a_row))
            else:
                report.state = LoopState.FINISHED
                return

    async def _wait_to_restart(self, report: LoopReport, error: BaseException, delay: float) -> None:
        report.state = LoopState.RESTARTING
        report.failures += 1
        report.last_error = f"{type(error).__name__}: {error}"
        report.since = self.clock.now()
        _log.error("loop %s failed, again in %.1f s", report.name, delay, exc_info=error)
        await asyncio.sleep(delay)
        report.state = LoopState.RUNNING
        report.since = self.clock.now()


def _is_told_to_end() -> bool:
    """Whether this task itself was cancelled; a loop may also meet the cancellation of something it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
