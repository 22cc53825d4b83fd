"""A stranger between agent and collector gets a named refusal, and never a session."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire import handshake
from pudim.wire.handshake import HELLO, MAX_HELLO_BYTES, PROOF, WELCOME, AgentHandshake, CollectorHandshake
from pudim.wire.refusals import BadSignature, Malformed, Refusal, UnknownVersion
from tests.shared.wire.golden_files import (
    AGENT_ID,
    AGENT_KEY,
    COLLECTOR_KEY,
    STRANGER,
    agent_end,
    collector_end,
)

AGENT = AGENT_KEY.public_key()
COLLECTOR = COLLECTOR_KEY.public_key()

# Points of order 1, 2, 4 and 8 of Curve25519 and its twist, with non-canonical forms: the shared secret would be zero.
LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def flipped(message: bytes, at: int) -> bytes:
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


def meet(agent: AgentHandshake, hello: bytes) -> None:
    """The whole exchange, with `hello` as it arrived at the collector."""
    collector = collector_end(hello)
    proof, _ = agent.prove(collector.welcome)
    collector.finish(proof, AGENT)


def test_a_collector_with_another_key_is_not_believed() -> None:
    agent = agent_end()
    with pytest.raises(BadSignature):
        agent.prove(CollectorHandshake(agent.hello(), STRANGER).welcome)


def test_an_agent_with_another_key_is_not_believed() -> None:
    agent = AgentHandshake(AGENT_ID, STRANGER, COLLECTOR)
    collector = CollectorHandshake(agent.hello(), COLLECTOR_KEY)
    proof, _ = agent.prove(collector.welcome)
    with pytest.raises(BadSignature):
        collector.finish(proof, AGENT)


@pytest.mark.parametrize("at", range(HELLO.size))
def test_a_hello_changed_on_its_way_is_noticed(at: int) -> None:
    agent = agent_end()
    with pytest.raises((BadSignature, Malformed, UnknownVersion)):
        meet(agent, flipped(agent.hello(), at))


@pytest.mark.parametrize("at", range(WELCOME.size))
def test_a_welcome_changed_on_its_way_is_noticed(at: int) -> None:
    agent = agent_end()
    with pytest.raises((BadSignature, Malformed, UnknownVersion)):
        agent.prove(flipped(collector_end(agent.hello()).welcome, at))


@pytest.mark.parametrize("at", range(PROOF.size))
def test_a_proof_changed_on_its_way_is_noticed(at: int) -> None:
    agent = agent_end()
    collector = collector_end(agent.hello())
    proof, _ = agent.prove(collector.welcome)
    with pytest.raises((BadSignature, Malformed, UnknownVersion)):
        collector.finish(flipped(proof, at), AGENT)


def test_a_recorded_welcome_does_not_answer_a_new_hello() -> None:
    recorded = CollectorHandshake(
        AgentHandshake(AGENT_ID, AGENT_KEY, COLLECTOR).hello(), COLLECTOR_KEY
    ).welcome
    with pytest.raises(BadSignature):
        AgentHandshake(AGENT_ID, AGENT_KEY, COLLECTOR).prove(recorded)


def test_a_recorded_hello_and_proof_open_no_second_session() -> None:
    agent = AgentHandshake(AGENT_ID, AGENT_KEY, COLLECTOR)
    first = CollectorHandshake(agent.hello(), COLLECTOR_KEY)
    proof, _ = agent.prove(first.welcome)
    assert first.finish(proof, AGENT)
    with pytest.raises(BadSignature):
        CollectorHandshake(agent.hello(), COLLECTOR_KEY).finish(proof, AGENT)


def test_a_session_of_one_agent_is_not_anothers() -> None:
    """Both agents are honest; a stranger in between swaps the name in the hello."""
    agent = agent_end()
    swapped = agent.hello()[:6] + b"\x99" * 16 + agent.hello()[22:]
    with pytest.raises(BadSignature):
        meet(agent, swapped)


@pytest.mark.parametrize("low", LOW_ORDER, ids=lambda low: low.hex()[:8])
def test_a_low_order_share_of_the_agent_is_refused(low: bytes) -> None:
    """The agent's own program is the attacker here: it signs whatever it likes."""
    hello = agent_end().hello()[:-32] + low
    collector = collector_end(hello)
    opening = PROOF.pack(b"PUDM", 1, 0, b"")[:-64]
    proof = opening + AGENT_KEY.sign(b"pudim agent-link agent\0" + hello + collector.welcome + opening)
    with pytest.raises(BadSignature):
        collector.finish(proof, AGENT)


@pytest.mark.parametrize("low", LOW_ORDER, ids=lambda low: low.hex()[:8])
def test_a_low_order_share_of_the_collector_is_refused(low: bytes) -> None:
    agent = agent_end()
    unsigned = collector_end(agent.hello()).welcome[:38] + low
    signature = COLLECTOR_KEY.sign(b"pudim agent-link collector\0" + agent.hello() + unsigned)
    with pytest.raises(BadSignature):
        agent.prove(unsigned + signature)


def test_an_ends_own_messages_sent_back_are_refused() -> None:
    agent = agent_end()
    collector = collector_end(agent.hello())
    proof, _ = agent.prove(collector.welcome)
    for reflected in (agent.hello(), proof):
        with pytest.raises(Refusal):
            agent.prove(reflected)
    for reflected in (agent.hello(), collector.welcome):
        with pytest.raises(Refusal):
            collector.finish(reflected, AGENT)
    with pytest.raises(Malformed):
        collector_end(collector.welcome[:5])


def test_a_signature_of_one_end_never_passes_for_the_others() -> None:
    """One key for both ends, so that only the domain prefix stands between the two signatures."""
    agent = AgentHandshake(AGENT_ID, COLLECTOR_KEY, COLLECTOR)
    collector = CollectorHandshake(agent.hello(), COLLECTOR_KEY)
    opening = PROOF.pack(b"PUDM", 1, 0, b"")[:-64]
    with pytest.raises(BadSignature):
        collector.finish(opening + collector.welcome[-64:], COLLECTOR)


@pytest.mark.parametrize(("lowest", "highest"), [(2, 9), (0, 0), (9, 2), (255, 255)])
def test_no_common_version_is_named(lowest: int, highest: int) -> None:
    hello = agent_end().hello()
    with pytest.raises(UnknownVersion):
        collector_end(hello[:4] + bytes([lowest, highest]) + hello[6:])


def test_a_pair_that_speaks_more_cannot_be_talked_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "VERSIONS", (1, 2, 3))
    agent = agent_end()
    assert collector_end(agent.hello()).version == 3
    lowered = agent.hello()[:5] + b"\x01" + agent.hello()[6:]
    assert collector_end(lowered).version == 1
    with pytest.raises(BadSignature):
        meet(agent, lowered)


def test_a_newer_agent_and_an_older_collector_meet_on_the_older_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(handshake, "VERSIONS", (1, 2, 3))
        agent = agent_end()
    meet(agent, agent.hello())


def test_a_hello_may_grow_and_stays_signed() -> None:
    agent = agent_end()
    grown = agent.hello() + b"a larger key share"
    assert collector_end(grown).agent_id == AGENT_ID
    with pytest.raises(BadSignature):
        meet(agent, grown)
    with pytest.raises(Malformed):
        collector_end(agent.hello() + bytes(MAX_HELLO_BYTES))


def test_the_proof_must_name_the_chosen_version() -> None:
    agent = agent_end()
    collector = collector_end(agent.hello())
    proof, _ = agent.prove(collector.welcome)
    with pytest.raises(UnknownVersion):
        collector.finish(proof[:4] + b"\x02" + proof[5:], AGENT)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(b"PUDM".__add__))
def test_random_bytes_are_refused_by_name(message: bytes) -> None:
    agent = agent_end()
    collector = collector_end(agent.hello())
    attempts: list[Any] = [agent.prove, lambda raw: collector.finish(raw, AGENT)]
    for attempt in attempts:
        with pytest.raises(Refusal):
            attempt(message)
    try:
        collector_end(message)
    except Refusal as refusal:
        assert isinstance(refusal, (Malformed, UnknownVersion))  # noqa: PT017
