"""Rates are right or NaN, never made up."""

from __future__ import annotations

from math import isclose, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.deltas import increases, rates, ratio, shares

counters = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("before", "after", "seconds", "expected"),
    [
        ([0, 10], [100, 30], 10.0, [10.0, 2.0]),
        ([5], [5], 10.0, [0.0]),
        (None, [5], 10.0, [None]),
        ([5], [4], 10.0, [None]),  # reset
        ([2**32 - 1, 7], [3, 8], 10.0, [None, None]),  # a wrap takes its device's other counters with it
        ([1], [1, 2], 10.0, [None, None]),
        ([1], [2], 0.0, [None]),
        ([1], [2], -1.0, [None]),
        ([1], [2], float("nan"), [None]),
    ],
)
def test_rates(before: list[float], after: list[float], seconds: float, expected: list[float | None]) -> None:
    found = rates(before, after, seconds)
    assert [None if isnan(one) else one for one in found] == expected


@given(counters, counters, st.floats(allow_nan=True))
def test_a_rate_is_never_negative(before: list[float], after: list[float], seconds: float) -> None:
    assert all(isnan(one) or one >= 0 for one in rates(before, after, seconds))


@given(counters, st.data())
def test_increases_add_up(before: list[float], data: st.DataObject) -> None:
    gained = data.draw(st.lists(st.integers(0, 2**40), min_size=len(before), max_size=len(before)))
    after = [old + gain for old, gain in zip(before, gained, strict=True)]
    assert increases(before, after) == gained


@given(counters, counters)
def test_shares_are_fractions_of_one(before: list[float], after: list[float]) -> None:
    found = shares(before, after)
    assert all(isnan(one) for one in found) or isclose(sum(found), 1.0)
    assert all(isnan(one) or 0 <= one <= 1 for one in found)


def test_a_small_step_back_of_one_mode_counts_as_none() -> None:
    assert shares([100, 50], [110, 49]) == [1.0, 0.0]


@pytest.mark.parametrize("whole", [0, -1, float("nan")])
def test_no_whole_no_ratio(whole: float) -> None:
    assert isnan(ratio(1, whole))
