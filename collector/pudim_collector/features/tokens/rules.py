"""What an API token looks like, how long it lives, and when its end is told: decided from values and `now`."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import ClassVar
from zlib import crc32

from pudim.vocabulary.errors import PudimError

DEFAULT_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=3660)
LONGEST_OVERLAP = timedelta(days=7)
LONGEST_NAME = 128
EXPIRES_SOON = timedelta(days=7)
WARNED_BEFORE = (7, 1)
"""Days before its end on which whoever has to do with a token is told."""
TOUCH_EVERY = timedelta(minutes=1)
"""How exact `last used` is; more would write a row for every request."""
DEPLOYS = frozenset({"servers:read", "checks:read", "commands:read", "commands:run"})

_RANDOM = 43  # base62 characters that hold 256 bits
_CHECK = 6  # base62 characters that hold a CRC-32
_SHOWN = 4
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Kind(StrEnum):
    """A personal token acts as who made it; a service's belongs to the team and may what it was made for."""

    PERSONAL = "personal"
    SERVICE = "service"


PREFIXES = {Kind.PERSONAL: "pud_pat_", Kind.SERVICE: "pud_svc_"}
"""What a secret scanner looks for."""


class Preset(StrEnum):
    """What the page offers instead of single permissions."""

    ALL = "all"
    READ = "read"
    DEPLOYS = "deploys"
    CHOSEN = "chosen"


class TokenError(PudimError):
    """The token cannot be so."""

    code = "token"
    status = 422
    field: ClassVar[str] = "form"


class NameRefused(TokenError):
    """A name has 1 to 128 characters, none of them control characters."""

    code = "name_refused"
    field = "name"


class TokenExpiry(TokenError):
    """A token expires within ten years from now, or never."""

    code = "token_expiry"
    field = "expires"


class LivesLonger(TokenError):
    """What a token makes or renews ends no later than that token."""

    code = "lives_longer"
    field = "expires"


class OverlapTooLong(TokenError):
    """The old secret of a renewed token ends within a week."""

    code = "overlap_too_long"
    field = "overlap"


class ScopesNeeded(TokenError):
    """A service's token names what it may."""

    code = "scopes_needed"
    field = "scopes"


class ServersNeeded(TokenError):
    """Choose the servers or tags that it is for, or let it reach all servers."""

    code = "servers_needed"
    field = "reach"


class NotForServices(TokenError):
    """What concerns the installation belongs to no team, and to none of its services."""

    code = "not_for_services"
    field = "scopes"


def clean_name(name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_NAME or not cleaned.isprintable():
        raise NameRefused
    return cleaned


def check_expiry(expires_at: datetime | None, now: datetime, *, latest: datetime | None = None) -> None:
    """`latest` is the end of the token that asks. Raises TokenExpiry or LivesLonger."""
    # Not in the past, nor so far away that a database cannot give it back.
    if expires_at is not None and not timedelta() < expires_at - now <= LONGEST_LIFE:
        raise TokenExpiry
    if latest is not None and (expires_at is None or expires_at > latest):
        raise LivesLonger


def default_expiry(now: datetime, *, latest: datetime | None = None) -> datetime:
    return min(now + DEFAULT_LIFE, latest or now + DEFAULT_LIFE)


def check_overlap(overlap: timedelta) -> None:
    """Raises OverlapTooLong."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise OverlapTooLong


def needs_touch(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= TOUCH_EVERY


def expires_soon(expires_at: datetime | None, now: datetime) -> bool:
    return expires_at is not None and expires_at - now <= EXPIRES_SOON


def warning(expires_at: datetime | None, now: datetime) -> int | None:
    """How many days before the end it is by now, of those on which somebody is told; None before the first."""
    if expires_at is None:
        return None
    return min((days for days in WARNED_BEFORE if expires_at - now <= timedelta(days=days)), default=None)


def preset(wanted: Preset, may: Iterable[str]) -> list[str]:
    """What of `may` the preset ticks; nothing for what is chosen one by one."""
    if wanted is Preset.CHOSEN:
        return []
    return sorted(one for one in may if wanted is Preset.ALL or _in_preset(wanted, one))


def _in_preset(wanted: Preset, permission: str) -> bool:
    return permission.endswith(":read") if wanted is Preset.READ else permission in DEPLOYS


def check_for_service(scopes: Collection[str] | None) -> None:
    """Raises ScopesNeeded or NotForServices."""
    if scopes is None:
        raise ScopesNeeded
    if any(one.startswith("installation:") for one in scopes):
        raise NotForServices


def make_token(kind: Kind, random: bytes) -> str:
    """An API token from 32 random bytes: prefix and checksum let scanners find leaked ones offline."""
    body = _base62(int.from_bytes(random, "big"), _RANDOM)
    return f"{PREFIXES[kind]}{body}{_checksum(body)}"


def looks_like_token(text: str) -> bool:
    """Whether it can be a token at all; saves asking the database for noise."""
    prefix = next((one for one in PREFIXES.values() if text.startswith(one)), None)
    if prefix is None or not text.isascii():
        return False
    body, check = text[len(prefix) : -_CHECK], text[-_CHECK:]
    return len(body) == _RANDOM and check == _checksum(body)


def shown_prefix(token: str) -> str:
    """As much of a token as may be shown later, to tell tokens apart."""
    return token[: len(PREFIXES[Kind.PERSONAL]) + _SHOWN]


def digest(secret: str) -> bytes:
    """What is stored of a random secret; it holds 256 bits, so that a plain hash is enough."""
    return sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
