"""What API tokens look like, how long they live, and when their end is told."""

import re
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.tokens import rules
from pudim_collector.features.tokens.rules import Kind, Preset

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RANDOM = st.binary(min_size=32, max_size=32)
KINDS = st.sampled_from(Kind)
SCANNED = re.compile(r"\bpud_(?:pat|svc)_[0-9A-Za-z]{49}\b")
"""As the guide gives it to secret scanners."""


@given(KINDS, RANDOM)
def test_a_token_is_recognised_as_one(kind: Kind, random: bytes) -> None:
    token = rules.make_token(kind, random)
    assert rules.looks_like_token(token)
    assert len(token) == 57
    assert set(token) <= set(string.ascii_letters + string.digits + "_")
    assert SCANNED.search(f'key = "{token}";')


@given(KINDS, RANDOM, st.integers(8, 56), st.sampled_from(string.digits + string.ascii_letters))
def test_a_mistyped_token_is_not(kind: Kind, random: bytes, place: int, character: str) -> None:
    token = rules.make_token(kind, random)
    changed = token[:place] + character + token[place + 1 :]
    assert rules.looks_like_token(changed) == (changed == token)


@given(st.text(max_size=80))
def test_noise_is_no_token(text: str) -> None:
    assert not rules.looks_like_token(text)
    assert not rules.looks_like_token(f"pud_pat_{text}")


@given(RANDOM, RANDOM)
def test_different_randomness_makes_different_tokens(one: bytes, other: bytes) -> None:
    made = [rules.make_token(Kind.SERVICE, random) for random in (one, other)]
    assert (made[0] == made[1]) == (one == other)


@given(KINDS, RANDOM)
def test_what_is_shown_of_a_token_tells_little_of_its_secret(kind: Kind, random: bytes) -> None:
    token = rules.make_token(kind, random)
    assert token.startswith(rules.shown_prefix(token))
    assert len(rules.shown_prefix(token)) == len("pud_pat_") + 4


@pytest.mark.parametrize(
    ("left", "days"),
    [
        (8 * DAY, None),
        (7 * DAY + timedelta(seconds=1), None),
        (7 * DAY, 7),
        (2 * DAY, 7),
        (DAY, 1),
        (timedelta(seconds=1), 1),
        (-DAY, 1),
    ],
)
def test_the_end_is_told_a_week_and_a_day_before(left: timedelta, days: int | None) -> None:
    assert rules.warning(NOW + left, NOW) == days
    assert rules.expires_soon(NOW + left, NOW) == (left <= 7 * DAY)


def test_what_never_ends_is_never_told() -> None:
    assert rules.warning(None, NOW) is None
    assert not rules.expires_soon(None, NOW)


@pytest.mark.parametrize("life", [timedelta(0), -DAY, timedelta(days=3661)])
def test_an_odd_life_is_refused(life: timedelta) -> None:
    with pytest.raises(rules.TokenExpiry):
        rules.check_expiry(NOW + life, NOW)


def test_what_a_token_makes_does_not_outlive_it() -> None:
    rules.check_expiry(NOW + DAY, NOW, latest=NOW + DAY)
    rules.check_expiry(None, NOW)
    for later in (NOW + 2 * DAY, None):
        with pytest.raises(rules.LivesLonger):
            rules.check_expiry(later, NOW, latest=NOW + DAY)
    assert rules.default_expiry(NOW, latest=NOW + DAY) == NOW + DAY
    assert rules.default_expiry(NOW, latest=NOW + 400 * DAY) == rules.default_expiry(NOW) == NOW + 90 * DAY


@pytest.mark.parametrize("overlap", [-DAY, 7 * DAY + timedelta(seconds=1)])
def test_an_old_secret_ends_within_a_week(overlap: timedelta) -> None:
    rules.check_overlap(7 * DAY)
    with pytest.raises(rules.OverlapTooLong):
        rules.check_overlap(overlap)


@pytest.mark.parametrize(
    ("preset", "ticked"),
    [
        (Preset.ALL, ["commands:run", "servers:read", "team:read", "tokens:own"]),
        (Preset.READ, ["servers:read", "team:read"]),
        (Preset.DEPLOYS, ["commands:run", "servers:read"]),
        (Preset.CHOSEN, []),
    ],
)
def test_a_preset_ticks_what_one_may(preset: Preset, ticked: list[str]) -> None:
    assert rules.preset(preset, {"servers:read", "commands:run", "team:read", "tokens:own"}) == ticked


@pytest.mark.parametrize(
    ("scopes", "refusal"), [(None, rules.ScopesNeeded), (["installation:read"], rules.NotForServices)]
)
def test_a_service_may_what_is_named_and_nothing_of_the_installation(
    scopes: list[str] | None, refusal: type[rules.TokenError]
) -> None:
    rules.check_for_service(["servers:read"])
    with pytest.raises(refusal):
        rules.check_for_service(scopes)


@pytest.mark.parametrize("name", ["", "  ", "x" * 129, "a\nb", "a\x1b[31m", "a\u202eb"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(rules.NameRefused):
        rules.clean_name(name)
