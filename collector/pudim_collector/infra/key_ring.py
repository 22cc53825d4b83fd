"""The keys that wrap data keys of secrets at rest: one is active, older ones stay until nothing is sealed under them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import BadKey, from_text, to_text
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileMissingError,
    changed_by_one,
    create_private,
    read_private,
    replace_private,
)

RING_FILE = "secrets.keys"
ID_BYTES = 4
SECRET_BYTES = 32
MOST_KEYS = 32
_FORMAT = 1
_MOST_BYTES = 64 << 10
_FINGERPRINT_BYTES = 9


class NoSuchKeyError(PudimError):
    """The ring has no key of this name."""

    code = "no_such_key"
    status = 404
    hint = "pudim admin secrets status lists them."


class ActiveKeyError(PudimError):
    """This key is the active one."""

    code = "active_key"
    status = 409
    hint = "Make another one active first: pudim admin secrets rotate."


class RingFullError(PudimError):
    """The ring holds as many keys as it may."""

    code = "ring_full"
    status = 409
    hint = "Retire keys that nothing uses any more: pudim admin secrets retire."


class RingReadOnlyError(PudimError):
    """The ring lies where it cannot be written."""

    code = "ring_read_only"
    hint = (
        "Change it where it comes from, with PUDIM_SECRET_KEYS_FILE set to that file, and hand it out again."
    )


@dataclass(frozen=True)
class RingKey:
    """`fingerprint` tells keys apart and tells nothing of the secret."""

    id: bytes
    secret: bytes = field(repr=False)
    created_at: datetime

    @property
    def name(self) -> str:
        return self.id.hex()

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(b"pudim key ring\0" + self.id + self.secret).digest()
        return to_text(digest[:_FINGERPRINT_BYTES])


class _Kept(msgspec.Struct):
    id: str
    created_at: datetime
    secret: str
    fingerprint: str


class _Ring(msgspec.Struct):
    format: int
    active: str
    keys: list[_Kept]


@dataclass(frozen=True)
class _Contents:
    """`seen` is how the file looked when it was read."""

    active: bytes
    keys: dict[bytes, RingKey]
    seen: tuple[int, int, int]


class KeyRing:
    """A file that another process may change: it is read again when it looks different, so that all follow a rotation."""

    def __init__(self, path: Path, *, lent: bool = False) -> None:
        """Raises a KeyFileError."""
        self.path, self._lent = path, lent
        self._contents = self._read()

    @classmethod
    def made(cls, path: Path, now: datetime) -> KeyRing:
        """The ring of this file, which is made with a first key if it is not there. Raises a KeyFileError."""
        if not path.exists():
            first = _new_key(now, ())
            create_private(path, _encoded(first.id, [first]))
        return cls(path)

    @property
    def active(self) -> RingKey:
        self._follow()
        return self._contents.keys[self._contents.active]

    @property
    def keys(self) -> list[RingKey]:
        """The oldest first."""
        self._follow()
        return sorted(self._contents.keys.values(), key=lambda key: key.created_at)

    def find(self, key_id: bytes) -> RingKey | None:
        if key_id not in self._contents.keys:
            self._follow()
        return self._contents.keys.get(key_id)

    def rotate(self, now: datetime) -> RingKey:
        """A new active key. Raises RingFullError or RingReadOnlyError."""
        with self._changing() as keys:
            if len(keys) >= MOST_KEYS:
                raise RingFullError
            fresh = _new_key(now, keys)
            self._replace(fresh.id, [*keys.values(), fresh])
        return fresh

    def retire(self, key_id: bytes) -> None:
        """Forget a key; what is sealed under it never opens again. Raises NoSuchKeyError, ActiveKeyError, RingReadOnlyError."""
        with self._changing() as keys:
            if key_id not in keys:
                raise NoSuchKeyError
            if key_id == self._contents.active:
                raise ActiveKeyError
            self._replace(self._contents.active, [one for one in keys.values() if one.id != key_id])

    def stopped_at(self, key_id: bytes) -> datetime | None:
        """Since when nothing new is sealed under it: when the next key was made. None for the newest."""
        found = self.find(key_id)
        later = [one.created_at for one in self.keys if found and one.created_at > found.created_at]
        return min(later, default=None)

    @contextmanager
    def _changing(self) -> Iterator[dict[bytes, RingKey]]:
        """The keys as they are now; nobody else changes them meanwhile."""
        folder = self.path.resolve().parent
        try:
            with changed_by_one(folder):
                self._contents = self._read()
                yield self._contents.keys
        except OSError as error:
            raise RingReadOnlyError(f"{self.path} cannot be changed: {error.strerror}") from error

    def _replace(self, active: bytes, keys: Iterable[RingKey]) -> None:
        replace_private(self.path, _encoded(active, keys))
        self._contents = self._read()

    def _follow(self) -> None:
        if _seen(self.path) != self._contents.seen:
            self._contents = self._read()

    def _read(self) -> _Contents:
        seen = _seen(self.path)
        ring = _decoded(self.path, read_private(self.path, _MOST_BYTES, lent=self._lent))
        return _Contents(bytes.fromhex(ring.active), {one.id: one for one in map(_key, ring.keys)}, seen)


def _new_key(now: datetime, taken: Container[bytes]) -> RingKey:
    """Four random bytes may meet, and a name must lead to one key."""
    names = iter(partial(os.urandom, ID_BYTES), b"")
    return RingKey(next(name for name in names if name not in taken), os.urandom(SECRET_BYTES), now)


def _seen(path: Path) -> tuple[int, int, int]:
    """How a file looks without being read; it is replaced, never written into, so that a change always shows."""
    try:
        found = path.stat()
    except OSError as error:
        raise KeyFileMissingError(f"{path} is not there: {error.strerror}") from error
    return found.st_ino, found.st_mtime_ns, found.st_size


def _encoded(active: bytes, keys: Iterable[RingKey]) -> bytes:
    kept = [_Kept(one.name, one.created_at, to_text(one.secret), one.fingerprint) for one in keys]
    return msgspec.json.format(msgspec.json.encode(_Ring(_FORMAT, active.hex(), kept)), indent=1) + b"\n"


def _decoded(path: Path, content: bytes) -> _Ring:
    """Raises KeyFileDamagedError, which says nothing of the content."""
    try:
        ring = msgspec.json.decode(content, type=_Ring)
        keys = [_key(one) for one in ring.keys]
        whole = all(key.fingerprint == kept.fingerprint for key, kept in zip(keys, ring.keys, strict=True))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, BadKey):
        raise KeyFileDamagedError(f"{path} is no ring of keys") from None
    names = {one.name for one in keys}
    if ring.format != _FORMAT or not whole or len(names) != len(keys) or ring.active not in names:
        raise KeyFileDamagedError(f"{path} is no whole ring of keys")
    return ring


def _key(kept: _Kept) -> RingKey:
    key_id = bytes.fromhex(kept.id)
    if len(key_id) != ID_BYTES:
        raise ValueError("a key's name has another length")
    return RingKey(key_id, from_text(kept.secret, SECRET_BYTES), kept.created_at)
