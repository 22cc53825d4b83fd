"""Which codes count now, and what a recovery code looks like."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

STEP_SECONDS = 30
DRIFT_STEPS = 1
"""How far the clock of a phone may be off, either way."""
CODES = 10
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: no I, L, O, U
_CODE_LENGTH = 12  # 60 bits
_GROUP = 4
_LOOKS_ALIKE = str.maketrans("ILO", "110")
_TOTP = re.compile(r"[0-9]{6}")


def steps_of(now: datetime) -> Sequence[int]:
    """The steps whose codes count (RFC 6238), the likeliest first."""
    step = int(now.timestamp()) // STEP_SECONDS
    return [step, *(step + way * far for far in range(1, DRIFT_STEPS + 1) for way in (-1, 1))]


def plain(typed: str) -> str:
    """A code as it is compared, whatever its groups were typed like."""
    return re.sub(r"[\s-]", "", typed).upper()


def is_totp(code: str) -> bool:
    return _TOTP.fullmatch(code) is not None


def recovery_code(random: bytes) -> str:
    """From eight random bytes, in groups that can be copied by hand."""
    number = int.from_bytes(random, "big")
    letters = [_ALPHABET[number >> 5 * place & 31] for place in range(_CODE_LENGTH)]
    return "-".join("".join(letters[at : at + _GROUP]) for at in range(0, _CODE_LENGTH, _GROUP))


def code_hash(key: bytes, code: str) -> bytes:
    """What is stored of a recovery code: 60 bits are few, so that the key, which is sealed, belongs to it."""
    return hmac.new(key, plain(code).translate(_LOOKS_ALIKE).encode(), sha256).digest()
