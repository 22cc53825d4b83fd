"""How a new agent becomes known: a single-use token, the agent's own key, and the collector's pinned key.

`POST /agent/v1/enrol` with JSON `{token, public_key, proof, name, facts}` answers `{agent_id, signature}`.
The proof shows that the agent holds the key and means this collector; the signature that the answer comes
from the collector whose key stands in the install line.
"""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pudim.wire.keys import public_bytes, verify

ENROL_PATH = "/agent/v1/enrol"
STREAM_PATH = "/agent/v1/stream"
_REQUEST_DOMAIN = b"pudim enrolment request\0"
_ANSWER_DOMAIN = b"pudim enrolment answer\0"


def _hash(token: str) -> bytes:
    # A token out of JSON may hold a lone surrogate; it is a wrong token, not an error.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _request(token: str, agent: bytes, collector: bytes) -> bytes:
    return _REQUEST_DOMAIN + _hash(token) + agent + collector


def _answer(token: str, agent: bytes, agent_id: UUID) -> bytes:
    return _ANSWER_DOMAIN + _hash(token) + agent + agent_id.bytes


def sign_request(token: str, key: Ed25519PrivateKey, collector: Ed25519PublicKey) -> bytes:
    return key.sign(_request(token, public_bytes(key), public_bytes(collector)))


def verify_request(token: str, agent: Ed25519PublicKey, collector: Ed25519PublicKey, proof: bytes) -> None:
    """Raises BadSignature."""
    verify(agent, proof, _request(token, public_bytes(agent), public_bytes(collector)))


def sign_answer(token: str, agent: Ed25519PublicKey, agent_id: UUID, key: Ed25519PrivateKey) -> bytes:
    return key.sign(_answer(token, public_bytes(agent), agent_id))


def verify_answer(
    token: str, agent: Ed25519PublicKey, agent_id: UUID, collector: Ed25519PublicKey, signature: bytes
) -> None:
    """Raises BadSignature: the answer is not from the pinned collector."""
    verify(collector, signature, _answer(token, public_bytes(agent), agent_id))
