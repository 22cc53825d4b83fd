"""Which tier answers, in buckets of which width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.series.rollups import HOUR, MINUTE
from pudim_collector.series.tiers import STEPS, Kept, Stretch, Tier, planned, step_of

NOW = 500_000 * HOUR + 17 * MINUTE + 23_456
DAY = 24 * HOUR
HOURS_UNTIL = 499_999 * HOUR
"""Some source's hour is not done from here on."""
KEPT = Kept(NOW - 7 * DAY, NOW - 60 * DAY, NOW - 730 * DAY, NOW - 30_000, HOURS_UNTIL)
MINUTES_UNTIL = 500_000 * HOUR + 15 * MINUTE
"""The last full minute before the rollups' end, and one more for what comes late."""


@pytest.mark.parametrize(
    ("seconds", "points", "step"),
    [
        (900, 900, 1),
        (900, 300, 5),
        (3600, 360, 10),
        (86_400, 1000, 120),
        (90 * 86_400, 800, 10_800),
        (366 * 86_400, 10, 37 * 86_400),
        (0.5, 1, 1),
    ],
)
def test_step(seconds: float, points: int, step: int) -> None:
    assert step_of(seconds, points) == step


@given(st.floats(1, 4e7), st.integers(1, 5000))
def test_step_never_makes_too_many_buckets(seconds: float, points: int) -> None:
    step = step_of(seconds, points)
    assert seconds / step <= points
    assert step in STEPS or step % 86_400 == 0


@pytest.mark.parametrize(
    ("age", "step", "tier", "found"),
    [
        (HOUR, 10, Tier.RAW, 10),
        (HOUR, 60, Tier.MINUTE, 60),
        (HOUR, 3600, Tier.HOUR, 3600),
        (DAY, 90, Tier.RAW, 90),
        (8 * DAY, 1, Tier.MINUTE, 60),
        (8 * DAY, 90, Tier.MINUTE, 120),
        (61 * DAY, 600, Tier.HOUR, 3600),
        (61 * DAY, 7201, Tier.HOUR, 10_800),
        (800 * DAY, 1, Tier.HOUR, 3600),
    ],
)
def test_the_coarsest_tier_that_fits_and_reaches_back(age: int, step: int, tier: Tier, found: int) -> None:
    plan = planned(NOW - age, NOW, step, KEPT)
    assert (plan.tier, plan.step) == (tier, found)


def test_raw_frames_are_read_to_the_millisecond() -> None:
    assert planned(NOW - 12_345, NOW, 1, KEPT).stretches == [Stretch(Tier.RAW, NOW - 12_345, NOW)]


def test_what_is_not_rolled_up_yet_comes_from_raw_frames() -> None:
    plan = planned(NOW - HOUR, NOW, 60, KEPT)
    assert plan.stretches == [
        Stretch(Tier.MINUTE, (NOW - HOUR) // MINUTE * MINUTE, MINUTES_UNTIL),
        Stretch(Tier.RAW, MINUTES_UNTIL, NOW // MINUTE * MINUTE + MINUTE),
    ]


def test_hours_that_are_not_closed_come_from_minutes() -> None:
    plan = planned(NOW - DAY, NOW, 3600, KEPT)
    assert plan.stretches == [
        Stretch(Tier.HOUR, 499_976 * HOUR, HOURS_UNTIL),
        Stretch(Tier.MINUTE, HOURS_UNTIL, MINUTES_UNTIL),
        Stretch(Tier.RAW, MINUTES_UNTIL, 500_001 * HOUR),
    ]


def test_hours_that_are_all_done_are_read_until_now() -> None:
    plan = planned(NOW - DAY, NOW, 3600, KEPT._replace(hours=KEPT.rolled))
    assert plan.stretches[0] == Stretch(Tier.HOUR, 499_976 * HOUR, 500_000 * HOUR)


def test_without_any_rollup_all_comes_from_raw_frames() -> None:
    plan = planned(NOW - DAY, NOW, 3600, KEPT._replace(rolled=0, hours=0))
    assert [stretch.tier for stretch in plan.stretches] == [Tier.RAW]


def test_hours_that_are_kept_shorter_than_minutes_do_not_answer() -> None:
    kept = KEPT._replace(hour=NOW - 10 * DAY)
    assert planned(NOW - 20 * DAY, NOW, 3600, kept).tier is Tier.MINUTE


@given(
    st.integers(0, 900 * DAY),
    st.integers(1, 400 * DAY),
    st.integers(1, 100_000),
    st.integers(0, 1000 * DAY),
)
def test_stretches_join_and_cover_the_range(age: int, length: int, step: int, lag: int) -> None:
    start = NOW - age
    plan = planned(start, start + length, step, KEPT._replace(rolled=NOW - lag))
    assert plan.stretches[0].start <= start < start + length <= plan.stretches[-1].end
    assert plan.stretches[0].start > start - plan.tier.unit
    assert plan.stretches[-1].end < start + length + plan.tier.unit
    for one, following in zip(plan.stretches, plan.stretches[1:], strict=False):
        assert one.end == following.start
    assert plan.step >= step
    assert plan.step * 1000 % plan.tier.unit == 0
    for stretch in plan.stretches:
        assert stretch.start < stretch.end
        assert stretch.start % stretch.tier.unit == 0
