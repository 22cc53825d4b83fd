"""All three ways through a whole agent: frames of their own at the collector, and who brings what."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from struct import unpack_from
from typing import Any

from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.identity import Identity
from pudim_agent.loop import Agent
from pudim_agent.samplers.scrape import ScrapeConfig, ScrapeTarget
from pudim_agent.samplers.statsd import Statsd, StatsdConfig
from pudim_agent.samplers.textfile import TextfileConfig
from tests.agent.custom.test_scrape import Exporter
from tests.agent.fake_collector import FakeCollector


def newest(collector: FakeCollector) -> dict[str, float]:
    """The last value of each custom series that arrived, by metric."""
    found = {}
    for batch in collector.batches:
        for block in batch.blocks:
            source = collector.sources[block.source]
            if source.name == "custom":
                width = len(source.layout.series)
                values = unpack_from(f"<{width}d", block.values, len(block.values) - 8 * width)
                found.update(
                    {one.metric: value for one, value in zip(source.layout.series, values, strict=True)}
                )
    return found


async def test_they_arrive_and_are_told(
    collector: FakeCollector, enrolled: AgentConfig, identity: Identity, tmp_path: Path
) -> None:
    (tmp_path / "jobs.prom").write_text("job_ok 1\n")
    (tmp_path / "broken.prom").write_text("job ok\n")
    async with Exporter().running() as exporter:
        custom = {
            "textfile": TextfileConfig(directory=tmp_path),
            "statsd": StatsdConfig(enabled=True, port=0),
            "scrape": ScrapeConfig(targets=(ScrapeTarget("x", exporter.url, interval_seconds=0.1),)),
        }
        config = replace(enrolled, samplers={**enrolled.samplers, **custom})
        agent = Agent(config, identity, SystemClock())
        running = asyncio.ensure_future(agent.run())
        try:
            statsd: Any = agent._samplers["statsd"]
            assert isinstance(statsd, Statsd)
            await asyncio.wait_for(statsd.listening.wait(), 10)
            host, _, port = statsd.addresses[0].rpartition(":")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
                sending.sendto(b"shop.queue:5|g", (host, int(port)))
            await collector.until(lambda: {"job_ok", "shop.queue", "a"} <= newest(collector).keys(), 20)
            await collector.until(lambda: any(one.kind == "custom" for one in collector.notices), 20)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    values = newest(collector)
    assert (values["job_ok"], values["shop.queue"], values["a"]) == (1.0, 5.0, 1.0)
    (told, *_) = [one.document["sources"] for one in collector.notices if one.kind == "custom"]
    assert {(one["kind"], one["name"]) for one in told} == {
        ("textfile", "broken.prom"), ("textfile", "jobs.prom"), ("statsd", "statsd"), ("scrape", "x"),
    }  # fmt: skip
    assert told[0]["name"] == "broken.prom"
    assert told[0]["error"].startswith("line 1: ")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((host, int(port)))  # closed when the agent ended
