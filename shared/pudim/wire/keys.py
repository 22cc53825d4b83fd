"""Ed25519 keys of agents and collectors and their text form (unpadded base64url of the 32 raw bytes)."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.refusals import BadSignature

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""Points whose multiples are few (the sign bit aside): as a key, anyone can sign for them."""


class BadKey(PudimError):
    """This is not an Ed25519 key in Pudim's text form."""

    code = "bad_key"
    status = 422


def generate() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def private_bytes(key: Ed25519PrivateKey) -> bytes:
    """The 32-byte seed, for a file of mode 0600 or an encrypted column."""
    return key.private_bytes_raw()


def private_from_bytes(raw: bytes) -> Ed25519PrivateKey:
    if len(raw) != KEY_BYTES:
        raise BadKey
    return Ed25519PrivateKey.from_private_bytes(raw)


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def public_from_bytes(raw: bytes) -> Ed25519PublicKey:
    """Raises BadKey, also for a key under which a signature would prove nothing."""
    if len(raw) != KEY_BYTES or raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL_ORDER:
        raise BadKey
    return Ed25519PublicKey.from_public_bytes(raw)


def to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str, length: int = KEY_BYTES) -> bytes:
    """Decode `text` to exactly `length` bytes. Raises BadKey."""
    try:
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadKey from error
    if len(raw) != length:
        raise BadKey
    return raw


def verify(public: Ed25519PublicKey, signature: bytes, signed: bytes) -> None:
    """Raises BadSignature unless `signature` is `public`'s over `signed`."""
    try:
        public.verify(signature, signed)
    except InvalidSignature as error:
        raise BadSignature from error


def signed_by(public: bytes, signature: bytes, signed: bytes) -> bool:
    """As `verify`, of a key in its 32 bytes; False also for one under which a signature would prove nothing."""
    try:
        verify(public_from_bytes(public), signature, signed)
    except (BadKey, BadSignature):
        return False
    return True
