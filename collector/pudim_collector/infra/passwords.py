"""Argon2id in a few threads of its own: it is slow on purpose and must not hold up the event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar
from unicodedata import normalize

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pudim.vocabulary.errors import PudimError

T = TypeVar("T")
_WORKERS = 2  # 64 MiB each
_MOST_WAITING = 32


class TooManySignInsError(PudimError):
    """Too many people sign in at this moment."""

    code = "too_many_sign_ins"
    status = 503
    retry = True
    hint = "Try again in a few seconds."


@dataclass(frozen=True)
class Verdict:
    """`better_hash` is set where the password is right and its hash was made with older parameters."""

    right: bool
    better_hash: str | None = None


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="argon2")
        self._waiting = 0
        # What an unknown account's password is compared with. Made now: made at its first use it would tell.
        self._nobodys = self._hasher.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: self._hasher.hash(_normal(password)))

    async def verify(self, known_hash: str | None, password: str) -> Verdict:
        """The same work for an unknown account (None) as for a wrong password."""
        return await self._in_thread(lambda: self._verify(known_hash, _normal(password)))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, known_hash: str | None, password: str) -> Verdict:
        try:
            self._hasher.verify(known_hash or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return Verdict(right=False)
        if known_hash is None:
            return Verdict(right=False)
        outdated = self._hasher.check_needs_rehash(known_hash)
        return Verdict(right=True, better_hash=self._hasher.hash(password) if outdated else None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise TooManySignInsError
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _normal(password: str) -> str:
    """Two keyboards may spell the same characters differently."""
    return normalize("NFKC", password)
