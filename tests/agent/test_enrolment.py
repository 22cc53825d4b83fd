"""Becoming known: what is sent, what is believed, what is kept."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from pudim.wire.keys import BadKey, generate, public_bytes, to_text
from pudim.wire.refusals import BadSignature, EnrolmentTokenUsed, Refusal
from pudim_agent.config import AgentConfig, load
from pudim_agent.enrolment import CollectorUnreachable, enrol
from pudim_agent.identity import NotEnrolled
from pudim_agent.identity import load as load_identity
from tests.agent.fake_collector import FakeCollector


async def test_a_host_becomes_known(collector: FakeCollector, config: AgentConfig) -> None:
    collector.tokens = {"once"}
    identity = await enrol(config, "once", "web-1")
    assert identity.agent_id in collector.agents
    kept = config.state_dir / "agent.toml"
    assert load(kept) == config
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert load_identity(config.state_dir).agent_id == identity.agent_id
    assert "once" not in kept.read_text()


async def test_a_token_that_was_used_is_refused_by_name(
    collector: FakeCollector, config: AgentConfig
) -> None:
    with pytest.raises(EnrolmentTokenUsed):
        await enrol(config, "used")
    with pytest.raises(NotEnrolled):
        load_identity(config.state_dir)


async def test_another_collector_is_not_believed(collector: FakeCollector, config: AgentConfig) -> None:
    collector.tokens = {"once"}
    mine = to_text(public_bytes(generate()))
    with pytest.raises(Refusal):  # it cannot verify the proof, or its answer is not the pinned one's
        await enrol(replace(config, collector_key=mine), "once")
    assert not config.state_dir.exists()


async def test_a_forged_answer_is_not_believed(collector: FakeCollector, config: AgentConfig) -> None:
    collector.tokens = {"once"}
    collector.signing = generate()
    with pytest.raises(BadSignature):
        await enrol(config, "once")
    assert not config.state_dir.exists()


async def test_no_collector_there(config: AgentConfig) -> None:
    with pytest.raises(CollectorUnreachable):
        await enrol(replace(config, url="http://127.0.0.1:9"), "once")


async def test_a_key_that_is_none(config: AgentConfig) -> None:
    with pytest.raises(BadKey):
        await enrol(replace(config, collector_key="x"), "once")
