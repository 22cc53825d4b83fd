"""Both ends prove their Ed25519 key on fresh nonces and agree on session keys before anything is decoded.

Three messages of fixed offsets, so that nothing unauthenticated is ever parsed:

    agent -> collector   Hello    "PUDM" min_version max_version agent_id[16] nonce[32] ephemeral[32]
    collector -> agent   Welcome  "PUDM" version 0 nonce[32] ephemeral[32] signature[64]
    agent -> collector   Proof    "PUDM" version 0 signature[64]

A newer agent may append to its hello what only newer collectors read (a larger key share, say). Each signature
covers a domain prefix and every byte before it; the session keys are HKDF-SHA256 over the
X25519 secret with the hash of the whole transcript as salt (a SIGMA exchange without identity protection).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pudim.wire import VERSIONS
from pudim.wire.keys import verify
from pudim.wire.refusals import BadSignature, Malformed, UnknownVersion

MAGIC = b"PUDM"
HELLO = struct.Struct(">4sBB16s32s32s")
WELCOME = struct.Struct(">4sBB32s32s64s")
PROOF = struct.Struct(">4sBB64s")
MAX_HELLO_BYTES = 4096
_SIGNATURE_BYTES = 64
_COLLECTOR_DOMAIN = b"pudim agent-link collector\0"
_AGENT_DOMAIN = b"pudim agent-link agent\0"
_KEYS_DOMAIN = b"pudim agent-link keys\0"


@dataclass(frozen=True)
class SessionKeys:
    """What both ends share after the handshake: one 32-byte MAC key for each direction."""

    version: int
    to_collector: bytes
    to_agent: bytes


@dataclass(frozen=True)
class Ephemeral:
    """One end's fresh share of a session; only tests give their own."""

    key: X25519PrivateKey
    nonce: bytes

    @classmethod
    def fresh(cls) -> Ephemeral:
        return cls(X25519PrivateKey.generate(), os.urandom(32))

    @property
    def public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()


def _negotiate(lowest: int, highest: int) -> int:
    common = [version for version in VERSIONS if lowest <= version <= highest]
    if not common:
        raise UnknownVersion(f"peer speaks {lowest} to {highest}, this end {VERSIONS[0]} to {VERSIONS[-1]}")
    return common[-1]


def _derive(version: int, own: X25519PrivateKey, peer: bytes, transcript: bytes) -> SessionKeys:
    try:
        secret = own.exchange(X25519PublicKey.from_public_bytes(peer))
    except ValueError as error:  # a low-order point, which would make the secret guessable
        raise BadSignature from error
    salt = sha256(transcript).digest()
    keys = HKDF(SHA256(), 64, salt, _KEYS_DOMAIN + bytes([version])).derive(secret)
    return SessionKeys(version, keys[:32], keys[32:])


def _fields(shape: struct.Struct, message: bytes, longest: int) -> tuple[int, int, tuple[bytes, ...]]:
    if not shape.size <= len(message) <= longest or message[:4] != MAGIC:
        raise Malformed("not a handshake message")
    _, first, second, *rest = shape.unpack_from(message)
    return first, second, tuple(rest)


class AgentHandshake:
    """The agent's side: `hello()`, then `prove(welcome)` gives the proof to send and the session's keys."""

    def __init__(
        self,
        agent_id: UUID,
        key: Ed25519PrivateKey,
        collector: Ed25519PublicKey,
        *,
        ephemeral: Ephemeral | None = None,
    ) -> None:
        self._key, self._collector = key, collector
        self._own = ephemeral or Ephemeral.fresh()
        self._hello = HELLO.pack(
            MAGIC, VERSIONS[0], VERSIONS[-1], agent_id.bytes, self._own.nonce, self._own.public
        )

    def hello(self) -> bytes:
        return self._hello

    def prove(self, welcome: bytes) -> tuple[bytes, SessionKeys]:
        """Raises Malformed, UnknownVersion or BadSignature (the collector is not the pinned one)."""
        version, _, (_, peer, signature) = _fields(WELCOME, welcome, WELCOME.size)
        if version not in VERSIONS:
            raise UnknownVersion(f"collector chose {version}")
        said = self._hello + welcome[:-_SIGNATURE_BYTES]
        verify(self._collector, signature, _COLLECTOR_DOMAIN + said)
        transcript = self._hello + welcome
        opening = PROOF.pack(MAGIC, version, 0, b"")[:-_SIGNATURE_BYTES]
        proof = opening + self._key.sign(_AGENT_DOMAIN + transcript + opening)
        return proof, _derive(version, self._own.key, peer, transcript)


class CollectorHandshake:
    """The collector's side: read the hello, send `welcome`, then `finish(proof, agent's key)` gives the keys."""

    def __init__(self, hello: bytes, key: Ed25519PrivateKey, *, ephemeral: Ephemeral | None = None) -> None:
        """Raises Malformed or UnknownVersion."""
        lowest, highest, (agent_id, _, self._peer) = _fields(HELLO, hello, MAX_HELLO_BYTES)
        self.version = _negotiate(lowest, highest)
        self.agent_id = UUID(bytes=agent_id)
        self._own = ephemeral or Ephemeral.fresh()
        unsigned = WELCOME.pack(MAGIC, self.version, 0, self._own.nonce, self._own.public, b"")
        unsigned = unsigned[:-_SIGNATURE_BYTES]
        self.welcome = unsigned + key.sign(_COLLECTOR_DOMAIN + hello + unsigned)
        self._transcript = hello + self.welcome

    def finish(self, proof: bytes, agent: Ed25519PublicKey) -> SessionKeys:
        """Raises Malformed, UnknownVersion or BadSignature (the agent does not hold the enrolled key)."""
        version, _, (signature,) = _fields(PROOF, proof, PROOF.size)
        if version != self.version:
            raise UnknownVersion(f"agent answered {version} to {self.version}")
        verify(agent, signature, _AGENT_DOMAIN + self._transcript + proof[:-_SIGNATURE_BYTES])
        return _derive(self.version, self._own.key, self._peer, self._transcript)
