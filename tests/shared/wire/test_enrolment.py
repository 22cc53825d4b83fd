"""An enrolment's signatures bind token, agent and collector: change one and neither side goes on."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pudim.wire import keys
from pudim.wire.enrolment import sign_answer, sign_request, verify_answer, verify_request
from pudim.wire.refusals import BadSignature
from tests.shared.wire.golden_files import AGENT_ID, AGENT_KEY, COLLECTOR_KEY, STRANGER

TOKEN = "a-single-use-token"
AGENT, COLLECTOR, OTHER = (key.public_key() for key in (AGENT_KEY, COLLECTOR_KEY, STRANGER))
PROOF = sign_request(TOKEN, AGENT_KEY, COLLECTOR)
ANSWER = sign_answer(TOKEN, AGENT, AGENT_ID, COLLECTOR_KEY)


def test_both_signatures_hold() -> None:
    verify_request(TOKEN, AGENT, COLLECTOR, PROOF)
    verify_answer(TOKEN, AGENT, AGENT_ID, COLLECTOR, ANSWER)


@pytest.mark.parametrize(
    ("token", "agent", "collector", "proof"),
    [
        ("another token", AGENT, COLLECTOR, PROOF),
        ("\ud800", AGENT, COLLECTOR, PROOF),
        (TOKEN, OTHER, COLLECTOR, PROOF),
        (TOKEN, AGENT, OTHER, PROOF),
        (TOKEN, COLLECTOR, AGENT, PROOF),
        (TOKEN, AGENT, COLLECTOR, ANSWER),
        (TOKEN, AGENT, COLLECTOR, b""),
        (TOKEN, AGENT, COLLECTOR, PROOF + b"\0"),
        (TOKEN, AGENT, COLLECTOR, sign_request(TOKEN, STRANGER, COLLECTOR)),
    ],
)
def test_a_request_that_differs_is_refused(
    token: str, agent: Ed25519PublicKey, collector: Ed25519PublicKey, proof: bytes
) -> None:
    with pytest.raises(BadSignature):
        verify_request(token, agent, collector, proof)


@pytest.mark.parametrize(
    ("token", "agent", "agent_id", "answer"),
    [
        ("another token", AGENT, AGENT_ID, ANSWER),
        (TOKEN, OTHER, AGENT_ID, ANSWER),
        (TOKEN, AGENT, uuid4(), ANSWER),
        (TOKEN, AGENT, AGENT_ID, PROOF),
        (TOKEN, AGENT, AGENT_ID, sign_answer(TOKEN, AGENT, AGENT_ID, STRANGER)),
    ],
)
def test_an_answer_that_differs_is_refused(
    token: str, agent: Ed25519PublicKey, agent_id: UUID, answer: bytes
) -> None:
    with pytest.raises(BadSignature):
        verify_answer(token, agent, agent_id, COLLECTOR, answer)


@pytest.mark.parametrize("signature", [PROOF, ANSWER], ids=["request", "answer"])
def test_every_bit_of_a_signature_counts(signature: bytes) -> None:
    for at in range(len(signature)):
        wrong = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
        with pytest.raises(BadSignature):
            verify_request(TOKEN, AGENT, COLLECTOR, wrong)
        with pytest.raises(BadSignature):
            verify_answer(TOKEN, AGENT, AGENT_ID, COLLECTOR, wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "A" * 42,
        "A" * 44,
        "A" * 43 + "\n",
        "A" * 42 + "é",
        "\ud800" * 43,
        "A" * 42 + "!",
        "A" * 100_000,
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_key_is_a_bad_key(text: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.from_text(text)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_key_has_32_bytes(length: int) -> None:
    for read in (keys.public_from_bytes, keys.private_from_bytes):
        with pytest.raises(keys.BadKey):
            read(bytes(length))


def test_bytes_that_are_no_point_of_the_curve_verify_nothing() -> None:
    for raw in (b"\xff" * 32, b"\x02" + bytes(31)):
        with pytest.raises(BadSignature):
            keys.verify(keys.public_from_bytes(raw), bytes(64), b"signed")


def test_a_key_that_anyone_can_sign_for_is_a_bad_key() -> None:
    """Under the neutral point the signature (neutral point, 0) holds for every message."""
    neutral = b"\x01" + bytes(31)
    anyones = neutral + bytes(32)
    keys.verify(Ed25519PublicKey.from_public_bytes(neutral), anyones, b"whatever")
    for sign in (0x00, 0x80):
        with pytest.raises(keys.BadKey):
            keys.public_from_bytes(neutral[:31] + bytes([sign]))
