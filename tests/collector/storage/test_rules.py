"""What sizes mean: growth, forecasts, limits that can be kept, and how all of it is said."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.storage.rules import (
    LEAST_BYTES,
    BadLimit,
    Bound,
    Forecast,
    Grown,
    Limit,
    Stretch,
    check_limits,
    daily_growth,
    disk_full_in,
    forecast,
    loose_bytes,
    parse_bytes,
    parse_days,
    say_bytes,
    say_days,
    type_bytes,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
DAY = timedelta(days=1)
GIB = 1 << 30


def limits(raw: int = 7, minute: int = 60, hour: int = 730, size: int | None = None) -> dict[str, Limit]:
    return {"raw": Limit(raw, size), "minute": Limit(minute, None), "hour": Limit(hour, None)}


@pytest.mark.parametrize("fine", [limits(), limits(1, 1, 1), limits(60, 60, 60), limits(size=LEAST_BYTES)])
def test_limits_that_can_be_kept(fine: dict[str, Limit]) -> None:
    check_limits(fine)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (limits(raw=0), "raw_days"),
        (limits(hour=40_000), "hour_days"),
        (limits(size=LEAST_BYTES - 1), "raw_bytes"),
        (limits(raw=61), "minute_days"),
        (limits(minute=731), "hour_days"),
    ],
)
def test_limits_that_cannot(bad: dict[str, Limit], field: str) -> None:
    with pytest.raises(BadLimit) as refusal:
        check_limits(bad)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", None),
        ("  ", None),
        ("20", 20 * GIB),
        ("20 GB", 20 * 10**9),
        ("1.5TiB", 3 << 39),
        ("1,5 tib", 3 << 39),
        ("500 MB", 500_000_000),
        ("12345678 B", 12_345_678),
    ],
)
def test_sizes_as_people_type_them(typed: str, meant: int | None) -> None:
    assert parse_bytes(typed, "raw_bytes") == meant


@pytest.mark.parametrize("typed", ["-1", "1e9", "a lot", "5 XB", "1.2.3 GB", "9" * 20, "٣ GB", "5 GB\x00"])
def test_what_is_no_size(typed: str) -> None:
    with pytest.raises(BadLimit):
        parse_bytes(typed, "raw_bytes")


@pytest.mark.parametrize("typed", ["", "x", "-3", "1.5", "9999999", "٣"])
def test_what_is_no_number_of_days(typed: str) -> None:
    with pytest.raises(BadLimit):
        parse_days(typed, "raw_days")


@given(st.none() | st.integers(LEAST_BYTES, 1 << 49))
def test_a_form_that_is_saved_unchanged_changes_nothing(size: int | None) -> None:
    assert parse_bytes(type_bytes(size), "raw_bytes") == size


def stretch(days_ago: int, size: int, days: int = 1) -> Stretch:
    start = MIDNIGHT - days_ago * DAY
    return Stretch(start, start + days * DAY, size)


def test_growth_is_what_whole_days_took() -> None:
    """Not today, which is neither over nor compact, and not the first day, which was not whole."""
    days = [stretch(ago, 100) for ago in range(1, 4)]
    assert daily_growth([stretch(4, 1), *days, stretch(0, 900)], MIDNIGHT - 3.5 * DAY, NOW) == 100


def test_growth_follows_the_last_week() -> None:
    days = [stretch(ago, 10) for ago in range(8, 30)] + [stretch(ago, 100) for ago in range(1, 8)]
    assert daily_growth(days, MIDNIGHT - 29 * DAY, NOW) == 100


def test_growth_of_a_first_day_is_a_guess_from_its_hours() -> None:
    assert daily_growth([stretch(0, 500)], NOW - 6 * timedelta(hours=1), NOW) == 2000
    assert daily_growth([stretch(0, 500)], NOW - timedelta(minutes=30), NOW) is None
    assert daily_growth([], None, NOW) is None


def test_growth_over_longer_pieces() -> None:
    assert daily_growth([stretch(9, 400, 4), stretch(5, 400, 4)], MIDNIGHT - 9 * DAY, NOW) == 100


def test_a_tier_grows_until_its_age() -> None:
    assert forecast(200, 100.0, Limit(7, None), 2.0) == Forecast(7.0, 700, 5.0, Bound.AGE)
    assert forecast(700, 100.0, Limit(7, 701), 7.5) == Forecast(7.0, 700, 0.0, Bound.AGE)


def test_a_tier_that_meets_its_bytes_first_reaches_less_far_back() -> None:
    assert forecast(200, 100.0, Limit(7, 520), 2.0) == Forecast(5.2, 520, 3.2, Bound.BYTES)
    assert forecast(900, 100.0, Limit(7, 520), 9.0) == Forecast(5.2, 520, 0.0, Bound.BYTES)


def test_rows_that_are_not_compact_yet_are_there_whatever_the_age() -> None:
    today = [stretch(1, 100), stretch(0, 950), stretch(-1, 20)]
    assert loose_bytes(today, 100.0, MIDNIGHT - 9 * DAY, NOW) == 970 - 50
    assert forecast(1070, 100.0, Limit(7, None), 7.5, 920.0) == Forecast(7.0, 1620, 0.0, Bound.AGE)
    assert forecast(1070, 100.0, Limit(7, 1440), 7.5, 920.0) == Forecast(5.2, 1440, 3.7, Bound.BYTES)


def test_a_long_stretch_that_grows_as_it_should_has_nothing_loose() -> None:
    assert loose_bytes([stretch(20, 2050, 40)], 100.0, MIDNIGHT - 20 * DAY, NOW) == 0
    assert loose_bytes([stretch(20, 2050, 40)], 100.0, MIDNIGHT - 10 * DAY, NOW) == 1000
    assert loose_bytes([], None, None, NOW) == 0


@pytest.mark.parametrize("daily", [None, 0.0])
def test_nobody_knows_without_growth(daily: float | None) -> None:
    assert forecast(200, daily, Limit(7, None), 2.0) is None


def test_a_disk_fills_while_tiers_grow() -> None:
    assert disk_full_in(100, [Grown(10, 1000)]) == 10
    assert disk_full_in(100, [Grown(10, 100.1), Grown(5, 1e9)]) == pytest.approx(100 / 15)
    # The first has grown after two days, and leaves 70 of 100 to the other.
    assert disk_full_in(100, [Grown(10, 20), Grown(5, 1000)]) == 2 + 70 / 5


def test_a_disk_that_holds_all_limits_never_fills() -> None:
    assert disk_full_in(100, [Grown(10, 40), Grown(5, 50)]) is None
    assert disk_full_in(0, [Grown(0, 0), Grown(5, -50)]) is None
    assert disk_full_in(100, []) is None


@given(
    st.integers(0, 10**6),
    st.lists(st.builds(Grown, st.just(0.0) | st.floats(0.001, 1000), st.floats(-100, 10**6)), max_size=4),
)
def test_a_disk_is_full_when_all_have_grown_by_what_was_free(free: int, growing: list[Grown]) -> None:
    full = disk_full_in(free, growing)
    if full is None:
        assert sum(max(0.0, one.most) for one in growing if one.daily > 0) <= free * 1.0001 + 0.01
    else:
        grown = sum(max(0.0, min(one.most, one.daily * full)) for one in growing)
        assert grown == pytest.approx(free, rel=1e-6, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1536, "1.50 KiB"),
        (20 * GIB, "20.0 GiB"),
        (1 << 60, "1048576 TiB"),
    ],
)
def test_sizes_are_said_with_three_digits(size: int, said: str) -> None:
    assert say_bytes(size) == said


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0, "0 minutes"),
        (1 / 24, "60 minutes"),
        (0.5, "12 hours"),
        (5.29, "5.2 days"),
        (7, "7 days"),
        (59.7, "60 days"),
        (1461, "4.0 years"),
    ],
)
def test_durations_are_said_as_people_do(days: float, said: str) -> None:
    assert say_days(days) == said
