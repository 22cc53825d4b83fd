"""An agent that was away learns the collector's new key in the greeting; an older agent and a thief do not."""

from __future__ import annotations

import pytest

from pudim.succession import COLLECTOR_DOMAIN, LINK_BYTES, Pin, Successor
from pudim.wire import keys
from pudim.wire.handshake import HELLO, WELCOME, AgentHandshake, CollectorHandshake
from pudim.wire.refusals import BadSignature, BadSuccession, Refusal
from tests.shared.test_succession import CHAIN, FIRST, KEYS, LIFE, NOW, STRANGER, heard, link
from tests.shared.wire.golden_files import AGENT_ID, AGENT_KEY


def agent(pin: Pin, now: int = NOW) -> AgentHandshake:
    return AgentHandshake(AGENT_ID, AGENT_KEY, pin, now=now)


def meet(agent: AgentHandshake, key: object, links: list[bytes] | None = None) -> Pin:
    """The whole exchange; what the agent believes afterwards."""
    collector = CollectorHandshake(agent.hello(), key, links=links or [])  # type: ignore[arg-type]
    proof, session = agent.prove(collector.welcome)
    assert collector.finish(proof, AGENT_KEY.public_key()) == session
    return agent.pin


def test_without_a_change_nothing_is_appended_to_the_welcome() -> None:
    one = agent(FIRST)
    assert len(one.hello()) == HELLO.size + 1 + 32
    assert len(CollectorHandshake(one.hello(), KEYS[0], links=CHAIN).welcome) == WELCOME.size
    assert meet(one, KEYS[0], CHAIN) == FIRST


def test_a_successor_that_was_announced_is_believed_when_it_is_shown() -> None:
    waiting = heard(FIRST, CHAIN[0])
    assert meet(agent(waiting), KEYS[0]) == waiting, "until then the key before is"
    after = meet(agent(waiting), KEYS[1], CHAIN[:1])
    assert after == Pin(keys.public_bytes(KEYS[1]), 1)
    with pytest.raises(BadSignature):
        meet(agent(after), KEYS[0])


@pytest.mark.parametrize("missed", range(1, len(CHAIN) + 1))
def test_who_missed_changes_follows_the_chain(missed: int) -> None:
    after = meet(agent(FIRST), KEYS[missed], CHAIN[:missed])
    assert after == Pin(keys.public_bytes(KEYS[missed]), missed)


def test_an_agent_that_knows_no_successors_is_refused_nothing_new() -> None:
    """Its hello ends where it always did; it is shown no chain, and believes its one key."""
    older = AgentHandshake(AGENT_ID, AGENT_KEY, KEYS[0].public_key())
    assert len(older.hello()) == HELLO.size
    assert len(CollectorHandshake(older.hello(), KEYS[1], links=CHAIN[:1]).welcome) == WELCOME.size
    with pytest.raises(BadSignature):
        meet(older, KEYS[1], CHAIN[:1])


def test_a_chain_that_the_pinned_key_did_not_sign_is_refused() -> None:
    forged = link(KEYS[0], STRANGER, signer=STRANGER)
    with pytest.raises(BadSuccession, match="succession_forged"):
        meet(agent(FIRST), STRANGER, [forged])
    with pytest.raises(BadSuccession, match="succession_expired"):
        meet(agent(FIRST, NOW + LIFE), KEYS[1], CHAIN[:1])


def test_a_chain_is_no_proof_without_its_last_key() -> None:
    """Everybody may know the links: they are shown to whoever says hello."""
    one = agent(FIRST)
    recorded = CollectorHandshake(one.hello(), KEYS[1], links=CHAIN[:1]).welcome
    stolen = CollectorHandshake(one.hello(), STRANGER, links=[]).welcome + recorded[WELCOME.size :]
    with pytest.raises(BadSignature):
        one.prove(stolen)
    with pytest.raises(BadSignature):
        agent(FIRST).prove(recorded)


@pytest.mark.parametrize("at", range(0, WELCOME.size + 1 + LINK_BYTES, 7))
def test_a_grown_welcome_changed_on_its_way_is_noticed(at: int) -> None:
    one = agent(FIRST)
    welcome = CollectorHandshake(one.hello(), KEYS[1], links=CHAIN[:1]).welcome
    with pytest.raises(Refusal):
        one.prove(welcome[:at] + bytes([welcome[at] ^ 1]) + welcome[at + 1 :])
    with pytest.raises(Refusal):
        one.prove(welcome[:at])
    assert one.pin == FIRST


def test_which_keys_an_agent_believes_cannot_be_changed_on_the_way() -> None:
    one = agent(FIRST)
    hello = one.hello()
    changed = hello[: HELLO.size + 1] + keys.public_bytes(KEYS[1])
    with pytest.raises(BadSignature):
        one.prove(CollectorHandshake(changed, KEYS[0], links=CHAIN).welcome)


def test_what_a_newer_agent_appends_behind_its_keys_is_passed_over() -> None:
    one = agent(FIRST)
    welcome = CollectorHandshake(one.hello() + b"more", KEYS[1], links=CHAIN[:1]).welcome
    assert len(welcome) == WELCOME.size + 1 + LINK_BYTES
    for cut in (one.hello()[:-1], one.hello()[: HELLO.size] + b"\xff"):
        assert len(CollectorHandshake(cut, KEYS[1], links=CHAIN[:1]).welcome) == WELCOME.size


def test_a_key_under_which_anyone_can_sign_is_never_followed() -> None:
    """Whoever held the key before signed nonsense; that opens no session with everybody."""
    said = Successor(1, keys.public_bytes(KEYS[0]), bytes(32), NOW, NOW + LIFE).encode()
    waiting = heard(FIRST, said + KEYS[0].sign(COLLECTOR_DOMAIN + said))
    welcome = CollectorHandshake(agent(waiting).hello(), STRANGER).welcome
    with pytest.raises(BadSignature):
        agent(waiting).prove(welcome[:-64] + bytes(64))
