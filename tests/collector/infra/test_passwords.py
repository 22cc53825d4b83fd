"""How passwords are stored and compared: slowly, alike for everybody, and as they were typed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher

from pudim_collector.infra.passwords import _MOST_WAITING, Passwords, TooManySignInsError

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_passwords_are_hashed_with_argon2id() -> None:
    real = Passwords()
    found = re.fullmatch(
        r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$([^$]{22})\$[^$]{43}", await real.hash("drei Pferde")
    )
    real.close()
    assert found, "a salt of 16 bytes, a hash of 32"
    assert int(found[1]) >= 19 * 1024, "OWASP's least memory, in KiB"
    assert int(found[2]) >= 2


async def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    assert await passwords.hash("drei Pferde") != await passwords.hash("drei Pferde")


@pytest.mark.parametrize(
    ("chosen", "typed", "is_right"),
    [
        ("drei Pferde", "drei Pferde", True),
        ("drei Pferde", "Drei Pferde", False),
        ("drei Pferde", "drei Pferde ", False),
        ("x" * 1000 + "a", "x" * 1000 + "b", False),
        ("passe\u0301", "pass\u00e9", True),
        ("\x00a", "\x00b", False),
    ],
)
async def test_nothing_is_cut_or_folded(
    passwords: Passwords, chosen: str, typed: str, is_right: bool
) -> None:
    assert (await passwords.verify(await passwords.hash(chosen), typed)).right is is_right


async def test_nobodys_password_is_never_right(passwords: Passwords) -> None:
    assert not (await passwords.verify(None, "drei Pferde")).right
    assert not (await passwords.verify("no hash at all", "drei Pferde")).right


async def test_who_waits_is_bounded(passwords: Passwords) -> None:
    tried = [passwords.hash("drei Pferde") for _ in range(_MOST_WAITING + 5)]
    done = await asyncio.gather(*tried, return_exceptions=True)
    assert sum(isinstance(one, TooManySignInsError) for one in done) == 5
    assert len([one for one in done if isinstance(one, str)]) == _MOST_WAITING
