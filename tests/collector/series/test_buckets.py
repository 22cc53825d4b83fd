"""Cutting a range into buckets, and showing what is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.series.buckets import GAP, NORMAL_INTERVAL, STEPS, columns, step_of


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


def made(*times: float, step: int = 10) -> tuple[list[float], list[float]]:
    values = [float(n) for n in range(len(times))]
    found = columns(times, values, values, values, [1.0] * len(times), step=step)
    assert len({len(column) for column in (found.time, found.low, found.mean, found.high, found.count)}) == 1
    assert np.array_equal(np.isnan(found.mean), found.count == 0)
    return found.time.tolist(), found.count.tolist()


def test_without_a_gap_nothing_is_added() -> None:
    assert made(0, 10, 20, 40) == ([0, 10, 20, 40], [1, 1, 1, 1])


def test_a_gap_is_a_row_of_its_own() -> None:
    assert made(0, 10, 20, 60, 70) == ([0, 10, 20, 30, 60, 70], [1, 1, 1, 0, 1, 1])


def test_seconds_of_watching_do_not_make_gaps_of_normal_frames() -> None:
    times = [*range(20), 20, 30, 40, 50]
    assert 0 not in made(*times, step=1)[1]


def test_a_slow_source_has_no_gaps_between_its_frames() -> None:
    assert 0 not in made(0, 60, 120, 180, 240, step=1)[1]


@pytest.mark.parametrize("times", [(), (5,)])
def test_too_short_for_a_gap(times: tuple[float, ...]) -> None:
    assert made(*times) == (list(times), [1] * len(times))


@given(st.lists(st.integers(0, 10_000), unique=True, min_size=2).map(sorted), st.sampled_from([1, 10, 60]))
def test_columns_stay_in_order_and_keep_every_bucket(times: list[int], step: int) -> None:
    found, counts = made(*times, step=step)
    assert found == sorted(found)
    assert [time for time, count in zip(found, counts, strict=True) if count] == times
    for time, count in zip(found, counts, strict=True):
        if not count:
            assert min(abs(time - other) for other in times) <= GAP * max(
                step, NORMAL_INTERVAL, *np.diff(times)
            )
