"""The bucket: never more than the quota at once, never more than it drips, and it says when to come again."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.rate_limits.rules import LIMITS, Action, Limit, household, judge

LIMIT = Limit("test", 10, 60)


def test_a_burst_passes_once_and_then_one_at_a_time() -> None:
    ahead = 0.0
    for used in range(1, 11):
        taken = judge(ahead, LIMIT, 1)
        assert (taken.allowed, taken.left) == (True, 10 - used)
        ahead = taken.full_in
    over = judge(ahead, LIMIT, 1)
    assert (over.allowed, over.left) == (False, 0)
    assert over.wait == pytest.approx(6)
    assert judge(ahead - over.wait, LIMIT, 1).allowed
    assert not judge(ahead - over.wait + 0.1, LIMIT, 1).allowed


def test_what_costs_more_uses_more_up() -> None:
    taken = judge(0, LIMIT, 7)
    assert (taken.allowed, taken.left) == (True, 3)
    assert taken.full_in == pytest.approx(42)
    assert not judge(taken.full_in, LIMIT, 4).allowed
    assert judge(taken.full_in, LIMIT, 3).allowed


@given(
    st.integers(1, 500),
    st.integers(1, 4000),
    st.lists(st.tuples(st.floats(0, 100), st.integers(1, 20)), max_size=200),
)
def test_in_any_time_no_more_passes_than_burst_and_drip(
    quota: int, seconds: int, asked: list[tuple[float, int]]
) -> None:
    limit = Limit("any", quota, seconds)
    now, tat, passed = 0.0, 0.0, 0
    for pause, cost in asked:
        now += pause
        taken = judge(tat - now, limit, cost)
        assert 0 <= taken.left <= quota
        if taken.allowed:
            tat, passed = now + taken.full_in, passed + cost
            assert passed <= quota + math.ceil(now / limit.interval) + 1
        elif cost <= quota:
            assert judge(tat - now - taken.wait, limit, cost).allowed


def test_a_longer_pause_never_refuses_what_a_shorter_one_allows() -> None:
    for ahead in range(60):
        if judge(float(ahead), LIMIT, 1).allowed:
            assert judge(ahead - 1.0, LIMIT, 1).allowed


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("x" * 500, "unknown"),
    ],
)
def test_a_line_counts_as_one(address: str | None, counted: str) -> None:
    assert household(address) == counted


def test_every_action_has_its_limits_under_names_of_their_own() -> None:
    assert set(LIMITS) == set(Action)
    found = [one for levels in LIMITS.values() for one in (levels.caller, levels.team, levels.address) if one]
    assert len({one.name for one in found}) == len(found)
    assert all(one.exact for one in (LIMITS[Action.SIGN_IN].caller, LIMITS[Action.SIGN_IN].address))
    assert Limit("x", 10, 60).scaled(0.001).quota == 1
