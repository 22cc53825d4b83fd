"""A session's messages arrive unchanged, once, in order and from the other end, or are refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.channel import HEADER_BYTES, Channel
from pudim.wire.handshake import AgentHandshake, CollectorHandshake, SessionKeys
from pudim.wire.refusals import BadSignature, CounterGap, Malformed, Refusal, Replayed, UnknownVersion
from tests.shared.wire.golden_files import AGENT_ID, AGENT_KEY, COLLECTOR_KEY, SESSION


def ends() -> tuple[Channel, Channel]:
    return Channel.of_agent(SESSION), Channel.of_collector(SESSION)


def another_session() -> SessionKeys:
    agent = AgentHandshake(AGENT_ID, AGENT_KEY, COLLECTOR_KEY.public_key())
    return agent.prove(CollectorHandshake(agent.hello(), COLLECTOR_KEY).welcome)[1]


def test_a_repeated_message_is_replayed() -> None:
    agent, collector = ends()
    first, second = agent.seal(b"one"), agent.seal(b"two")
    assert collector.open(first) == b"one"
    for again in (first, first):
        with pytest.raises(Replayed):
            collector.open(again)
    assert collector.open(second) == b"two", "a refused message changes nothing"
    with pytest.raises(Replayed):
        collector.open(first)


def test_a_dropped_or_reordered_message_is_a_gap() -> None:
    agent, collector = ends()
    first, second, third = (agent.seal(body) for body in (b"one", b"two", b"three"))
    for early in (second, third):
        with pytest.raises(CounterGap):
            collector.open(early)
    assert [collector.open(one) for one in (first, second, third)] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("body", [b"", b"x", b"a longer body of a message"])
def test_a_change_of_any_bit_is_noticed(body: bytes) -> None:
    agent, collector = ends()
    sealed = agent.seal(body)
    for at in range(len(sealed)):
        for bit in range(8):
            forged = sealed[:at] + bytes([sealed[at] ^ (1 << bit)]) + sealed[at + 1 :]
            with pytest.raises(UnknownVersion if at == 0 else BadSignature):
                collector.open(forged)
    assert collector.open(sealed) == body


@pytest.mark.parametrize(
    "change", [lambda raw: raw[:-1], lambda raw: raw + b"\0", lambda raw: raw[:-3] + raw[-2:]]
)
def test_a_shortened_or_lengthened_message_is_noticed(change: object) -> None:
    agent, collector = ends()
    assert callable(change)
    with pytest.raises(BadSignature):
        collector.open(change(agent.seal(b"a body")))


@pytest.mark.parametrize("length", range(HEADER_BYTES))
def test_less_than_a_header_is_malformed(length: int) -> None:
    agent, collector = ends()
    with pytest.raises(Malformed):
        collector.open(agent.seal(b"")[:length])


def test_a_message_of_another_session_is_forged() -> None:
    other = Channel.of_agent(another_session())
    with pytest.raises(BadSignature):
        ends()[1].open(other.seal(b"one"))


def test_a_message_sent_back_is_forged() -> None:
    agent, collector = ends()
    with pytest.raises(BadSignature):
        agent.open(agent.seal(b"from the agent"))
    with pytest.raises(BadSignature):
        collector.open(collector.seal(b"from the collector"))


def test_another_version_does_not_pass_with_the_same_keys() -> None:
    newer = Channel(2, SESSION.to_collector, SESSION.to_agent)
    with pytest.raises(UnknownVersion):
        ends()[1].open(newer.seal(b"one"))


@given(st.lists(st.sampled_from(["next", "repeat", "skip", "forge"]), max_size=30))
def test_whatever_a_stranger_does_only_the_next_message_gets_through(steps: list[str]) -> None:
    agent, collector = ends()
    sent = [agent.seal(b"%d" % number) for number in range(len(steps) + 2)]
    received = 0
    for step in steps:
        if step == "next":
            assert collector.open(sent[received]) == b"%d" % received
            received += 1
            continue
        wrong = {
            "repeat": sent[received - 1] if received else b"",
            "skip": sent[received + 1],
            "forge": sent[received][:-1] + b"?",
        }[step]
        with pytest.raises(Refusal):
            collector.open(wrong)


@given(st.binary(max_size=120) | st.binary(max_size=120).map(b"\x01".__add__))
def test_random_bytes_are_refused_by_name(message: bytes) -> None:
    with pytest.raises((BadSignature, Malformed, UnknownVersion)):
        ends()[1].open(message)
