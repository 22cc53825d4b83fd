"""Keys in a backup under a passphrase, so that who has the file alone has no key: scrypt, then AES-256-GCM for each file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.private_files import read_private

FEWEST_BYTES = 12
MOST_BYTES = 1024
MEMORY_COST = 1 << 17
"""With blocks of 1 KiB: 128 MiB and half a second for each guess."""
_LEAST_COST, _MOST_COST = 1 << 14, 1 << 20
_BLOCKS, _LANES = 8, 1
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
_STANDARD_INPUT = "-"


class PassphraseLengthError(PudimError):
    """A passphrase has 12 to 1024 bytes."""

    code = "passphrase_length"
    status = 422
    hint = "Six random words are a good one."


class PassphraseNeededError(PudimError):
    """The keys in this backup are under a passphrase."""

    code = "passphrase_needed"
    status = 422
    hint = "Give it with --passphrase-file; - reads it from standard input."


class WrongPassphraseError(PudimError):
    """The keys in this backup do not open with this passphrase."""

    code = "wrong_passphrase"
    status = 422
    hint = "Nothing was restored. There is no other way to open them than the right passphrase."


class StrangeLockError(PudimError):
    """The keys in this backup are locked in a way that no Pudim does it."""

    code = "strange_lock"
    status = 422


class Lock(msgspec.Struct, frozen=True):
    """How the key is made of the passphrase; as it stands in a manifest."""

    salt: str
    memory_cost: int

    @classmethod
    def fresh(cls) -> Lock:
        return cls(os.urandom(_SALT_BYTES).hex(), MEMORY_COST)


class Locker:
    """Locks and opens the key files of one backup."""

    def __init__(self, lock: Lock, passphrase: bytes) -> None:
        """Takes half a second. Raises StrangeLockError."""
        self._salt = _salt(lock)
        derived = Scrypt(self._salt, _KEY_BYTES, lock.memory_cost, _BLOCKS, _LANES).derive(passphrase)
        self._cipher = AESGCM(derived)

    def lock(self, path: str, secret: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, self._bound(path))

    def open(self, path: str, locked: bytes) -> bytes:
        """Raises WrongPassphraseError."""
        try:
            return self._cipher.decrypt(locked[:_NONCE_BYTES], locked[_NONCE_BYTES:], self._bound(path))
        except (InvalidTag, ValueError) as error:  # ValueError: cut short
            raise WrongPassphraseError from error

    def _bound(self, path: str) -> bytes:
        """No file can be put in another's place, nor in another backup's."""
        return b"pudim backup key\0" + self._salt + path.encode()


def read_passphrase(source: str) -> bytes:
    """The first line of a private file, or of standard input for `-`. Raises PassphraseLengthError or a KeyFileError."""
    content = (
        sys.stdin.buffer.readline(MOST_BYTES + 2)
        if source == _STANDARD_INPUT
        else read_private(Path(source), 2 * MOST_BYTES, lent=True)
    )
    passphrase = content.split(b"\n")[0].removesuffix(b"\r")
    if not FEWEST_BYTES <= len(passphrase) <= MOST_BYTES:
        raise PassphraseLengthError
    return passphrase


def _salt(lock: Lock) -> bytes:
    """Of a lock that may cost what ours do. Raises StrangeLockError."""
    cost = lock.memory_cost
    try:
        salt = bytes.fromhex(lock.salt)
    except ValueError as error:
        raise StrangeLockError from error
    if len(salt) != _SALT_BYTES or not _LEAST_COST <= cost <= _MOST_COST or cost & (cost - 1):
        raise StrangeLockError
    return salt
