"""Both ends prove their Ed25519 key on fresh nonces and agree on session keys before anything is decoded.

Three messages of fixed offsets, so that nothing unauthenticated is ever parsed:

    agent -> collector   Hello    "PUDM" min_version max_version agent_id[16] nonce[32] ephemeral[32]
    collector -> agent   Welcome  "PUDM" version 0 nonce[32] ephemeral[32] signature[64]
    agent -> collector   Proof    "PUDM" version 0 signature[64]

A newer agent may append to its hello what only newer collectors read (a larger key share, say). It appends first which
keys of the collector it believes, as a number in one byte and 32 bytes each. To such an agent a collector that has
another key by now appends to the welcome, after its signature, how many links of `pudim.succession` lead from one of
those to its own, and the links. Each signature covers a domain prefix and every other byte that was said; the session
keys are HKDF-SHA256 over the X25519 secret with the hash of the whole transcript as salt (a SIGMA exchange without
identity protection).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pudim import succession
from pudim.succession import COLLECTOR_DOMAIN, LINK_BYTES, Pin, SuccessionRefused
from pudim.wire import VERSIONS
from pudim.wire.keys import KEY_BYTES, public_bytes, signed_by, verify
from pudim.wire.refusals import BadSignature, BadSuccession, Malformed, UnknownVersion

MAGIC = b"PUDM"
HELLO = struct.Struct(">4sBB16s32s32s")
WELCOME = struct.Struct(">4sBB32s32s64s")
PROOF = struct.Struct(">4sBB64s")
MAX_HELLO_BYTES = 4096
MAX_WELCOME_BYTES = 4096
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


def _appended(message: bytes, fixed: int, size: int) -> list[bytes]:
    """The items of `size` bytes behind the fixed part; none where there is something else, which a later version reads."""
    number = message[fixed] if len(message) > fixed else 0
    end = fixed + 1 + number * size
    return [message[at : at + size] for at in range(fixed + 1, end, size)] if end <= len(message) else []


class AgentHandshake:
    """The agent's side: `hello()`, then `prove(welcome)` gives the proof to send and the session's keys.

    With a Pin the hello says which keys are believed, and `pin` is what is believed after the welcome. An agent that
    knows of no successors has one key.
    """

    def __init__(
        self,
        agent_id: UUID,
        key: Ed25519PrivateKey,
        collector: Ed25519PublicKey | Pin,
        *,
        now: int = 0,
        ephemeral: Ephemeral | None = None,
    ) -> None:
        """`now` is the time in milliseconds by which successors are judged."""
        self._key, self._now = key, now
        self._follows = isinstance(collector, Pin)
        self.pin = collector if isinstance(collector, Pin) else Pin(public_bytes(collector))
        self._own = ephemeral or Ephemeral.fresh()
        fixed = HELLO.pack(
            MAGIC, VERSIONS[0], VERSIONS[-1], agent_id.bytes, self._own.nonce, self._own.public
        )
        believed = self.pin.believed if self._follows else ()
        self._hello = fixed + b"".join([bytes([len(believed)]), *believed] if believed else [])

    def hello(self) -> bytes:
        return self._hello

    def prove(self, welcome: bytes) -> tuple[bytes, SessionKeys]:
        """Raises Malformed, UnknownVersion, BadSignature (the collector is not the pinned one) or BadSuccession."""
        longest = MAX_WELCOME_BYTES if self._follows else WELCOME.size
        version, _, (_, peer, signature) = _fields(WELCOME, welcome, longest)
        if version not in VERSIONS:
            raise UnknownVersion(f"collector chose {version}")
        said = self._hello + welcome[: WELCOME.size - _SIGNATURE_BYTES] + welcome[WELCOME.size :]
        self.pin = self._shown(_appended(welcome, WELCOME.size, LINK_BYTES), signature, said)
        transcript = self._hello + welcome
        opening = PROOF.pack(MAGIC, version, 0, b"")[:-_SIGNATURE_BYTES]
        proof = opening + self._key.sign(_AGENT_DOMAIN + transcript + opening)
        return proof, _derive(version, self._own.key, peer, transcript)

    def _shown(self, links: Sequence[bytes], signature: bytes, said: bytes) -> Pin:
        """What is believed of a collector that shows these links and signs so."""
        try:
            pin = succession.followed(
                self.pin, links, domain=COLLECTOR_DOMAIN, signed_by=signed_by, now=self._now
            )
        except SuccessionRefused as refused:
            raise BadSuccession(f"{refused.code}: {refused}") from refused
        for key in pin.believed:
            if signed_by(key, signature, _COLLECTOR_DOMAIN + said):
                return pin.shown(key)
        raise BadSignature


class CollectorHandshake:
    """The collector's side: read the hello, send `welcome`, then `finish(proof, agent's key)` gives the keys."""

    def __init__(
        self,
        hello: bytes,
        key: Ed25519PrivateKey,
        *,
        links: Sequence[bytes] = (),
        ephemeral: Ephemeral | None = None,
    ) -> None:
        """`links` are how `key` came to be the collector's, the oldest first. Raises Malformed or UnknownVersion."""
        lowest, highest, (agent_id, _, self._peer) = _fields(HELLO, hello, MAX_HELLO_BYTES)
        self.version = _negotiate(lowest, highest)
        self.agent_id = UUID(bytes=agent_id)
        self._own = ephemeral or Ephemeral.fresh()
        unsigned = WELCOME.pack(MAGIC, self.version, 0, self._own.nonce, self._own.public, b"")
        unsigned = unsigned[:-_SIGNATURE_BYTES]
        shown = succession.path(links, _appended(hello, HELLO.size, KEY_BYTES), public_bytes(key))
        appended = b"".join([bytes([len(shown)]), *shown] if shown else [])
        self.welcome = unsigned + key.sign(_COLLECTOR_DOMAIN + hello + unsigned + appended) + appended
        self._transcript = hello + self.welcome

    def finish(self, proof: bytes, agent: Ed25519PublicKey) -> SessionKeys:
        """Raises Malformed, UnknownVersion or BadSignature (the agent does not hold the enrolled key)."""
        version, _, (signature,) = _fields(PROOF, proof, PROOF.size)
        if version != self.version:
            raise UnknownVersion(f"agent answered {version} to {self.version}")
        verify(agent, signature, _AGENT_DOMAIN + self._transcript + proof[:-_SIGNATURE_BYTES])
        return _derive(self.version, self._own.key, self._peer, self._transcript)
