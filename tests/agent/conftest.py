"""A collector that speaks the real wire, and an agent's state enrolled there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from pudim_agent.config import AgentConfig, parse
from pudim_agent.enrolment import keep
from pudim_agent.identity import Identity, fresh_key
from tests.agent.fake_collector import FakeCollector


@pytest.fixture
async def collector() -> AsyncIterator[FakeCollector]:
    found = FakeCollector()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def identity(collector: FakeCollector) -> Identity:
    """Known to the collector."""
    found = Identity(uuid4(), fresh_key())
    collector.agents[found.agent_id] = found.key.public_key()
    return found


@pytest.fixture
def config(collector: FakeCollector, tmp_path: Path) -> AgentConfig:
    lines = [
        f'url = "{collector.url}"',
        f'collector_key = "{collector.public_key}"',
        f'state_dir = "{tmp_path / "state"}"',
        "interval_ms = 100",
    ]
    return parse("\n".join(lines))


@pytest.fixture
def enrolled(config: AgentConfig, identity: Identity) -> AgentConfig:
    """A configuration whose identity and file are in its state directory."""
    keep(config, identity)
    return config
