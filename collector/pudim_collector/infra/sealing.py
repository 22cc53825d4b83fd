"""Secrets at rest: AES-GCM under a key that is derived from the collector's own, bound to what the secret belongs to."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pudim.vocabulary.errors import PudimError

_VERSION = b"\x01"
_NONCE_BYTES = 12


class SealBrokenError(PudimError):
    """A secret in the database was sealed under another collector's key, or was changed."""

    code = "seal_broken"
    hint = "Set it again, or restore the collector's key from the backup that the database is from."


class Sealer:
    """`purpose` keeps keys of different uses apart."""

    def __init__(self, key: Ed25519PrivateKey, purpose: bytes) -> None:
        derived = HKDF(SHA256(), 32, None, b"pudim sealing " + purpose).derive(key.private_bytes_raw())
        self._cipher = AESGCM(derived)

    def seal(self, secret: bytes, owner: bytes) -> bytes:
        """Opens only with the same `owner`, such as the id of the row that it stands in."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret, owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes:
        """Raises SealBrokenError."""
        version, nonce, rest = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if version != _VERSION or len(nonce) != _NONCE_BYTES:
            raise SealBrokenError
        try:
            return self._cipher.decrypt(nonce, rest, owner)
        except InvalidTag as error:
            raise SealBrokenError from error
