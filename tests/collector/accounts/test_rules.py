"""What accounts decide, without a database."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.accounts import rules

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "seven77",
        "password",
        "PassWord123",
        "aaaaaaaa",
        "abababab",
        "12345678",
        "87654321",
        "90123456789",
        "qwertyuiop",
        "lkjhgfdsa",
        "ada@example.org",
        "Ada Lovelace",
        "x" * 1025,
    ],
)
def test_guessable_passwords_are_refused(password: str) -> None:
    with pytest.raises(rules.PasswordRefusedError):
        rules.check_password(password, personal=("Ada Lovelace", "ada@example.org"))


@pytest.mark.parametrize(
    "password",
    [
        "correct horse",
        "пароль-надёжный",
        "        .",
        "p4ssphrase with spaces",
        "ab" * 3 + "xy",
        "é" * 7 + "è",
    ],
)
def test_there_are_no_composition_rules(password: str) -> None:
    rules.check_password(password)


@given(st.text(min_size=8, max_size=1024))
def test_no_password_breaks_the_check(password: str) -> None:
    with contextlib.suppress(rules.PasswordRefusedError):
        rules.check_password(password)


@pytest.mark.parametrize(
    ("created", "seen", "ends"),
    [
        (timedelta(0), timedelta(0), timedelta(days=7)),
        (timedelta(0), timedelta(days=6), timedelta(days=13)),
        (timedelta(0), timedelta(days=29), timedelta(days=30)),
    ],
)
def test_a_session_ends_idle_or_old(created: timedelta, seen: timedelta, ends: timedelta) -> None:
    assert rules.session_ends(created_at=NOW + created, last_seen_at=NOW + seen) == NOW + ends


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "a" * 250 + "@b.org", "a\x00@b"]
)
def test_what_is_no_address(email: str) -> None:
    if email.endswith("\n"):
        assert rules.email_key(email) == "a@b"
        return
    with pytest.raises(rules.EmailRefusedError):
        rules.email_key(email)


@pytest.mark.parametrize("name", ["", "  ", "x" * 129, "a\nb", "a\x1b[31m", "a\u202eb"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(rules.NameRefusedError):
        rules.clean_name(name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_csrf_token_belongs_to_one_session(one: str, other: str) -> None:
    if one.isascii() and other.isascii():
        assert (rules.csrf_token(one) == rules.csrf_token(other)) == (one == other)
