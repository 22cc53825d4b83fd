"""A part that breaks comes back; one that has nothing to do stays ended; the agent runs its samplers' work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import ClassVar

import pytest

from pudim_agent.backoff import Backoff
from pudim_agent.loop import background
from pudim_agent.samplers import Reading, Running, SamplerConfig, Tick
from pudim_agent.supervision import supervised


class Quiet:
    Config: ClassVar = SamplerConfig

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        return ()


class Breaking(Quiet):
    """Fails twice, then ends by itself."""

    def __init__(self) -> None:
        self.starts = 0

    async def run(self) -> None:
        self.starts += 1
        if self.starts < 3:
            raise OSError("address already in use")


class Listening(Quiet):
    """Goes on until it is cancelled."""

    def __init__(self) -> None:
        self.listening = asyncio.Event()
        self.closed = False

    async def run(self) -> None:
        self.listening.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_what_breaks_is_started_again_until_it_ends_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    part = Breaking()
    with caplog.at_level(logging.ERROR):
        await supervised("breaking", part.run, Backoff(0.001, 0.002))
    assert part.starts == 3
    assert caplog.text.count("breaking stopped and is started again") == 2


async def test_only_samplers_with_work_of_their_own_have_it_run() -> None:
    listening = Listening()
    assert isinstance(listening, Running)
    assert not isinstance(Quiet(), Running)
    parts = [asyncio.ensure_future(one) for one in background({"quiet": Quiet(), "listening": listening})]
    assert len(parts) == 1
    await listening.listening.wait()
    parts[0].cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    assert listening.closed
