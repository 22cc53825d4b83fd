"""What the agent writes down of its link is true, seldom written, and readable after its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from pudim_agent import status
from pudim_agent.clock import Now, SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.identity import load
from pudim_agent.loop import Agent
from tests.agent.fake_collector import FakeCollector


@dataclass
class Link:
    connected: bool = False
    acknowledged_at: int | None = None


@dataclass
class Waiting:
    lost: int = 0
    batches: int = 0


@dataclass
class Hands:
    seconds: float = 0.0

    def now(self) -> Now:
        return Now(1_000_000 + int(self.seconds * 1000), self.seconds, self.seconds)


def written(path: Path) -> status.Said:
    found = status.read(path)
    assert found is not None
    return found


@pytest.mark.parametrize(("interval_ms", "streams"), [(10_000, False), (3_600_000, True)])
def test_a_connection_alone_counts_only_for_one_that_samples_seldom(
    tmp_path: Path, interval_ms: int, streams: bool
) -> None:
    link = Link(connected=True)
    one = status.Status(tmp_path, link, Waiting(), clock=Hands(), interval_ms=interval_ms)
    one.look()
    assert (written(tmp_path).connected, written(tmp_path).streams) == (True, streams)
    link.acknowledged_at = 5
    one.look()
    assert (written(tmp_path).streams, written(tmp_path).acknowledged_at) == (True, 5)


def test_it_is_written_when_something_changes_and_once_a_minute(tmp_path: Path) -> None:
    link, hands, waiting = Link(), Hands(), Waiting()
    one = status.Status(tmp_path, link, waiting, clock=hands, interval_ms=10_000)
    one.look()
    waiting.batches, waiting.lost = 7, 2
    hands.seconds = 59.0
    one.look()
    assert written(tmp_path).waiting == 0
    hands.seconds = 60.0
    one.look()
    assert (written(tmp_path).waiting, written(tmp_path).lost) == (7, 2)
    hands.seconds, link.connected = 61.0, True
    one.look()
    assert written(tmp_path).connected_at == 1_061_000
    link.connected = False
    one.look()
    assert (written(tmp_path).connected, written(tmp_path).connected_at) == (False, None)


def test_a_disk_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    one = status.Status(tmp_path / "gone", Link(), Waiting(), clock=Hands(), interval_ms=10_000)
    one.look()
    assert status.read(tmp_path / "gone") is None


@pytest.mark.parametrize("content", [b"", b"pid 1\n", b"\xff\xfe" * 9000, b"pid x\nrelease y\n"])
def test_a_file_that_is_none_of_ours_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / status.FILE).write_bytes(content)
    assert status.read(tmp_path) is None


async def test_a_running_agent_says_when_it_streams(collector: FakeCollector, enrolled: AgentConfig) -> None:
    collector.acknowledging = False
    agent = Agent(enrolled, load(enrolled.state_dir), SystemClock())
    running = asyncio.ensure_future(agent.run())
    try:
        await collector.until(lambda: len(collector.batches) >= 1, 10)
        await collector.until(lambda: written(enrolled.state_dir).connected, 10)
        assert not written(enrolled.state_dir).streams
        collector.acknowledging = True
        await collector.until(lambda: written(enrolled.state_dir).streams, 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
