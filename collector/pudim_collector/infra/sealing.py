"""Secrets at rest: each sealed with AES-256-GCM under a data key of its own, which a key of the ring wraps.

A sealed value is `02 | name of the ring's key (4) | wrapped data key (40) | nonce (12) | ciphertext and tag`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.key_ring import ID_BYTES, KeyRing
from pudim_collector.infra.private_files import KeyFileError

FIRST_VERSION = b"\x01"
"""Under one key for each purpose, which was derived from the collector's."""
VERSION = b"\x02"
HEADER_BYTES = 1 + ID_BYTES
MOST_SECRET_BYTES = 1 << 20
_NONCE_BYTES = 12
_WRAPPED_BYTES = 40
_DATA_KEY_BITS = 256


class SealBrokenError(PudimError):
    """A secret in the database was sealed under another collector's key, or was changed."""

    code = "seal_broken"
    hint = "Set it again, or restore the collector's keys from the backup that the database is from."


class SealKeyMissingError(SealBrokenError):
    """A secret in the database was sealed under a key that the ring does not have."""

    code = "seal_key_missing"


class SecretTooLongError(PudimError):
    """A secret may have one megabyte at most."""

    code = "secret_too_long"
    status = 422


@dataclass(frozen=True)
class SealedColumn:
    """Where sealed values stand; each belongs to what `owner` names: a column that has another value in each row.

    `purpose` says what the secrets are, and never changes, as table, column and owner never do: values are bound to all four.
    """

    table: str
    column: str
    owner: str
    purpose: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def owner_bytes(owner: object) -> bytes:
    """What a value of the owner column is in the call of `seal`: a UUID's bytes, a text's UTF-8."""
    match owner:
        case UUID():
            return owner.bytes
        case str():
            return owner.encode()
        case bytes():
            return owner
    raise TypeError(f"a sealed value cannot belong to a {type(owner).__name__}")


class Sealers:
    """Makes the sealer of a column. `collector` is the key from which the first version's keys were derived."""

    def __init__(self, ring: KeyRing, collector: Ed25519PrivateKey) -> None:
        self.ring, self._collector = ring, collector

    def of(self, column: SealedColumn) -> Sealer:
        return Sealer(self.ring, column, self._collector)


class Sealer:
    """Seals and opens the values of one column."""

    def __init__(self, ring: KeyRing, column: SealedColumn, collector: Ed25519PrivateKey) -> None:
        self._ring, self._column, self._collector = ring, column, collector

    def seal(self, secret: bytes, owner: bytes) -> bytes:
        """Opens only with the same `owner`, such as the id of the row that it stands in.

        Raises SecretTooLongError, or a KeyFileError while the ring cannot be read.
        """
        if len(secret) > MOST_SECRET_BYTES:
            raise SecretTooLongError
        key, data_key = self._ring.active, AESGCM.generate_key(_DATA_KEY_BITS)
        header = VERSION + key.id + aes_key_wrap(key.secret, data_key)
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + AESGCM(data_key).encrypt(nonce, secret, self._bound(header, owner))

    def open(self, sealed: bytes, owner: bytes) -> bytes:
        """Raises SealBrokenError."""
        if sealed[:1] == FIRST_VERSION:
            return _decrypted(self._first, sealed[1:], owner)
        if sealed[:1] != VERSION:
            raise SealBrokenError
        header, rest = sealed[: HEADER_BYTES + _WRAPPED_BYTES], sealed[HEADER_BYTES + _WRAPPED_BYTES :]
        try:
            data_key = aes_key_unwrap(self._secret(header[1:HEADER_BYTES]), header[HEADER_BYTES:])
        except InvalidUnwrap as error:
            raise SealBrokenError from error
        return _decrypted(AESGCM(data_key), rest, self._bound(header, owner))

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed as it would be now, under the active key."""
        return sealed[:HEADER_BYTES] == VERSION + self._ring.active.id

    def _secret(self, key_id: bytes) -> bytes:
        try:
            found = self._ring.find(key_id)
        except KeyFileError as error:
            raise SealKeyMissingError from error
        if found is None:
            raise SealKeyMissingError
        return found.secret

    def _bound(self, header: bytes, owner: bytes) -> bytes:
        return b"".join(_delimited(header, owner, self._column))

    @cached_property
    def _first(self) -> AESGCM:
        info = b"pudim sealing " + self._column.purpose.encode()
        return AESGCM(HKDF(SHA256(), 32, None, info).derive(self._collector.private_bytes_raw()))


def _delimited(header: bytes, owner: bytes, column: SealedColumn) -> Iterator[bytes]:
    """No two of them read alike: each part has its length in front."""
    for part in (header, column.purpose.encode(), column.table.encode(), column.column.encode(), owner):
        yield len(part).to_bytes(4, "big")
        yield part


def _decrypted(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    if len(nonce) != _NONCE_BYTES:
        raise SealBrokenError
    try:
        return cipher.decrypt(nonce, rest, bound)
    except InvalidTag as error:
        raise SealBrokenError from error
