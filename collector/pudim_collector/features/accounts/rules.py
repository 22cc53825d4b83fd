"""What makes a good password, how long a session lives, what a token looks like: decided from values and `now`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from pudim.vocabulary.errors import PudimError

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024
LONGEST_NAME = 128
LONGEST_EMAIL = 254
SESSION_IDLE = timedelta(days=7)
SESSION_LIFE = timedelta(days=30)
SETUP_LINK_LIFE = timedelta(hours=24)
TOUCH_EVERY = timedelta(minutes=1)
"""How exact `last seen` and `last used` are; more would write a row for every request."""
OWNER = "owner"

_COMMON = frozenset(Path(__file__).with_name("common_passwords.txt").read_text("utf-8").split())
CONTEXT_WORDS = frozenset({
    "pudim", "server", "servers", "monitor", "monitoring", "collector", "agent", "sender", "team", "status", "admin",
    "administrator", "owner", "operator", "root", "user", "password", "passwort", "senha",
})  # fmt: skip
"""What is guessed of a monitoring system: no password is made of these, its owner's name and address, digits and marks alone."""
SHORTEST_PART = 3
"""Letters of a part of a name that counts as such a word."""
_NO_LETTERS = re.compile(r"[\W\d_]+")
_ROWS = ("1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm")
_REPETITION = re.compile(r"(.{1,4})\1+")
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")


class AccountError(PudimError):
    """The account cannot be made so."""

    code = "account"
    status = 422
    field: ClassVar[str] = "form"


class PasswordRefusedError(AccountError):
    """The password is too easy to guess."""

    code = "password_refused"
    field = "password"
    hint = "A few unrelated words make a good one; a password manager makes a better one."


class EmailRefusedError(AccountError):
    """This is no e-mail address."""

    code = "email_refused"
    field = "email"


class NameRefusedError(AccountError):
    """A name has 1 to 128 characters, none of them control characters."""

    code = "name_refused"
    field = "name"


def check_password(password: str, *, personal: Iterable[str] = ()) -> None:
    """Raise PasswordRefusedError; `personal` is what an attacker knows of the account, as its name and address.

    Length and guessability only, no composition rules (OWASP ASVS 5.0, 6.2).
    """
    folded = password.casefold()
    if len(password) < SHORTEST_PASSWORD:
        raise PasswordRefusedError(f"A password has at least {SHORTEST_PASSWORD} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise PasswordRefusedError(f"A password has at most {LONGEST_PASSWORD} characters.")
    if folded in _COMMON:
        raise PasswordRefusedError("This password is among the first that are guessed.")
    if _REPETITION.fullmatch(folded) or any(_runs_along(folded, row) for row in _ROWS):
        raise PasswordRefusedError("This password is a row of keys or a repetition.")
    if folded in (known := {one.strip().casefold() for one in personal}) or _is_of_context(folded, known):
        raise PasswordRefusedError(
            "The password must differ from the name, the address and words about Pudim."
        )


def _is_of_context(folded: str, known: Iterable[str]) -> bool:
    """Whether it is nothing but such words, digits and marks; step by step, for a pattern could try for ever."""
    own = {part for one in known for part in _NO_LETTERS.split(one) if len(part) >= SHORTEST_PART}
    words, letters = own.union(CONTEXT_WORDS), _NO_LETTERS.sub("", folded)
    ends = {0}
    for start in range(len(letters)):
        if start in ends:
            ends |= {start + len(word) for word in words if letters.startswith(word, start)}
    return bool(letters) and len(letters) in ends


def _runs_along(text: str, row: str) -> bool:
    return text in row * 3 or text in row[::-1] * 3


def email_key(email: str) -> str:
    """The address as compared. Raises EmailRefusedError for what cannot be one."""
    key = email.strip().casefold()
    if len(key) > LONGEST_EMAIL or not _EMAIL.fullmatch(key):
        raise EmailRefusedError
    return key


def clean_name(name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_NAME or not cleaned.isprintable():
        raise NameRefusedError
    return cleaned


def session_ends(*, created_at: datetime, last_seen_at: datetime) -> datetime:
    """When a session is over: after a week without use, after a month in any case."""
    return min(created_at + SESSION_LIFE, last_seen_at + SESSION_IDLE)


def needs_touch(last: datetime | None, now: datetime) -> bool:
    return last is None or now - last >= TOUCH_EVERY


def digest(secret: str) -> bytes:
    """What is stored of a random secret; it holds 256 bits, so that a plain hash is enough."""
    return sha256(secret.encode()).digest()


def csrf_token(session_secret: str) -> str:
    """Bound to the session: only who holds its cookie's secret can make it, and it does not tell the secret."""
    return hmac.new(session_secret.encode(), b"pudim csrf 1", sha256).hexdigest()
