"""Exponential histograms as bounds: nothing is lost, nothing is counted in a bucket it does not belong to."""

from math import inf, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.ingest.outside.exponential import (
    FINEST_SCALE,
    MAX_BUCKETS,
    Exponential,
    bounds_and_counts,
)

COUNTS = st.lists(st.integers(0, 5), max_size=160)
POINTS = st.builds(
    Exponential,
    scale=st.integers(-10, 20),
    zero_threshold=st.just(0.0),
    zero_count=st.integers(0, 5),
    positive_offset=st.integers(-(2**31), 2**31 - 1),
    positive=COUNTS,
    negative_offset=st.integers(-(2**31), 2**31 - 1),
    negative=COUNTS,
)


@given(POINTS)
def test_bounds_ascend_counts_never_fall_and_nothing_is_counted_twice(point: Exponential) -> None:
    found = bounds_and_counts(point)
    bounds, counts = [one[0] for one in found], [one[1] for one in found]
    assert bounds == sorted(set(bounds))
    assert inf not in {abs(bound) for bound in bounds}
    assert counts == sorted(counts)
    assert all(count <= sum(point.positive) + sum(point.negative) + point.zero_count for count in counts)
    assert len(found) <= MAX_BUCKETS + 1


@given(st.integers(-6, 20), st.integers(-300, 300), st.lists(st.integers(0, 5), min_size=1, max_size=160))
def test_each_value_is_not_above_a_bound_near_to_it(scale: int, offset: int, counts: list[int]) -> None:
    """A bucket's values are counted by a bound that is at least its own, and none below its lower bound counts them."""
    found = bounds_and_counts(Exponential(scale, 0.0, 0, offset, counts, 0, []))
    for place, count in enumerate(counts):
        low = (offset + place) * 2.0**-scale  # log2 of the lower bound
        within = [said for bound, said in found if bound > 0 and log2(bound) <= low + 1e-9]
        assert max(within, default=0) <= sum(counts[:place])
        high = (offset + place + 1) * 2.0**-scale
        if abs(high) < 900 and count and scale >= 0:
            beyond = [said for bound, said in found if bound > 0 and log2(bound) >= high - 1e-9]
            assert min(beyond) >= sum(counts[: place + 1])


def test_the_bounds_of_successive_points_are_the_same_though_the_sender_changes_its_scale() -> None:
    fine = bounds_and_counts(Exponential(5, 0.0, 0, 0, [1] * 64, 0, []))
    coarse = bounds_and_counts(Exponential(FINEST_SCALE, 0.0, 0, 0, [8] * 8, 0, []))
    assert fine == coarse
    assert [round(bound, 3) for bound, _ in fine] == [0, 1.189, 1.414, 1.682, 2, 2.378, 2.828, 3.364, 4]


def test_a_wide_one_is_made_coarse_enough() -> None:
    found = bounds_and_counts(Exponential(2, 0.0, 0, -400, [1] * 800, 0, []))
    assert len(found) <= MAX_BUCKETS + 1
    assert found[-1][1] == 800


@pytest.mark.parametrize(("index", "scale", "bound"), [(0, 0, 2.0), (1, 1, 2.0), (-1, 3, 1.0), (0, -2, 16.0)])
def test_bounds_are_the_formulas(index: int, scale: int, bound: float) -> None:
    assert bounds_and_counts(Exponential(scale, 0.0, 0, index, [1], 0, []))[-1] == (bound, 1)
