"""An authenticator of its own: it makes a passkey and answers challenges as a browser would hand them over."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """`flags` are those of a finger that was recognised, unless a test takes something away."""

    rp_id: str = "pudim.test"
    origin: str = "https://pudim.test"
    counter: int = 0
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))

    def create(self, options: dict[str, Any], name: str = "phone", fmt: str = "none") -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        cose = cbor2.dumps(
            {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cose
        attestation = {"fmt": fmt, "attStmt": {}, "authData": self._data(ATTESTED) + attested}
        response = {
            "clientDataJSON": text(self._client_data("webauthn.create", options)),
            "attestationObject": text(cbor2.dumps(attestation)),
        }
        return self._identity() | {"response": response, "name": name}

    def answer(self, options: dict[str, Any], **said: str) -> dict[str, Any]:
        self.counter += 1
        client_data, shown = self._client_data("webauthn.get", options), self._data()
        signature = self.key.sign(shown + sha256(client_data).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": text(client_data),
            "authenticatorData": text(shown),
            "signature": text(signature),
            "userHandle": None,
        }
        return self._identity() | {"response": response} | said

    def _identity(self) -> dict[str, Any]:
        return {"id": text(self.credential_id), "rawId": text(self.credential_id), "type": "public-key"}

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _data(self, more: int = 0) -> bytes:
        flags = bytes([self.flags | more])
        return sha256(self.rp_id.encode()).digest() + flags + self.counter.to_bytes(4, "big")
