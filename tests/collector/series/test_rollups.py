"""Rollups as pure functions: cases by hand, and that no order matters."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pudim_collector.series.blocks import Floats, Times
from pudim_collector.series.rollups import HOUR, MINUTE, Frames, Rolled, coarser, merged, minutes_of, patched

NAN = math.nan


def frames(*rows: tuple[int, list[float]]) -> Frames:
    return merged(np.array([time for time, _ in rows], np.int64), np.array([row for _, row in rows]))


def table(rolled: Rolled, position: int = 0) -> list[tuple[int, float, float, float, float]]:
    rollup = rolled.rollup
    return [
        (
            int(time),
            float(rollup.count[row, position]),
            float(rollup.low[row, position]),
            float(rollup.high[row, position]),
            float(rollup.total[row, position]),
        )
        for row, time in enumerate(rolled.times)
    ]


def test_a_minute_holds_what_was_in_it() -> None:
    rolled = minutes_of(frames((10, [1.0]), (20, [3.0]), (59_999, [2.0]), (60_000, [7.0])))
    assert table(rolled) == [(0, 3, 1, 3, 6), (60_000, 1, 7, 7, 7)]


def test_a_minute_without_frames_is_not_there() -> None:
    assert table(minutes_of(frames((0, [1.0]), (180_000, [1.0])))) == [(0, 1, 1, 1, 1), (180_000, 1, 1, 1, 1)]


def test_nan_never_counts() -> None:
    rolled = minutes_of(frames((0, [NAN, 1.0]), (10, [NAN, NAN]), (20, [4.0, NAN]), (60_000, [NAN, NAN])))
    assert table(rolled)[0] == (0, 1, 4, 4, 4)
    assert table(rolled, 1)[0] == (0, 1, 1, 1, 1)
    assert table(rolled)[1][1] == 0
    assert np.isnan(table(rolled)[1][2:]).all()


def test_what_is_absurd_is_missing() -> None:
    rolled = minutes_of(frames((0, [1e100]), (1, [-1e200]), (2, [math.inf]), (3, [5.0])))
    assert table(rolled) == [(0, 1, 5, 5, 5)]


def test_frames_of_one_time_are_one() -> None:
    found = frames((10, [NAN, 2.0]), (0, [1.0, 1.0]), (10, [5.0, NAN]))
    assert found.times.tolist() == [0, 10]
    assert found.values.tolist() == [[1.0, 1.0], [5.0, 2.0]]


def test_nothing_rolls_up_to_nothing() -> None:
    empty = minutes_of(Frames(np.empty(0, np.int64), np.empty((0, 3))))
    assert empty.rollup.count.shape == (0, 3)
    assert len(coarser(empty, HOUR).times) == 0


def test_patched_replaces_whole_buckets() -> None:
    old = minutes_of(frames((0, [1.0]), (MINUTE, [2.0]), (2 * MINUTE, [3.0])))
    new = minutes_of(frames((MINUTE, [9.0]), (5 * MINUTE, [5.0])))
    assert table(patched(old, new, new.times)) == [
        (0, 1, 1, 1, 1),
        (MINUTE, 1, 9, 9, 9),
        (2 * MINUTE, 1, 3, 3, 3),
        (5 * MINUTE, 1, 5, 5, 5),
    ]


ROWS = st.lists(
    st.tuples(st.integers(0, 2 * HOUR), st.floats(-1e6, 1e6) | st.just(NAN)), min_size=1, max_size=60
)


@settings(deadline=None)
@given(rows=ROWS, data=st.data())
def test_no_order_matters(rows: list[tuple[int, float]], data: st.DataObject) -> None:
    again = data.draw(st.permutations(rows))
    one, other = (minutes_of(frames(*((time, [value]) for time, value in each))) for each in (rows, again))
    np.testing.assert_array_equal(one.times, other.times)
    np.testing.assert_array_equal(one.rollup.total, other.rollup.total)


@settings(deadline=None)
@given(rows=ROWS)
def test_hours_of_minutes_are_hours_of_samples(rows: list[tuple[int, float]]) -> None:
    hours = coarser(minutes_of(frames(*((time, [value]) for time, value in rows))), HOUR)
    unique: dict[int, float] = {}
    for time, value in rows:
        unique[time] = float(np.fmax(unique.get(time, NAN), value))
    for time, count, low, high, total in table(hours):
        found = [value for at, value in unique.items() if at // HOUR * HOUR == time and not math.isnan(value)]
        assert count == len(found)
        if found:
            assert (low, high) == (min(found), max(found))
            np.testing.assert_allclose(total, math.fsum(found), rtol=1e-9, atol=1e-6)


def by_slow_hand(times: Times, values: Floats) -> Frames:
    order = sorted(range(len(times)), key=lambda row: int(times[row]))
    found: dict[int, Floats] = {}
    for row in order:
        found[int(times[row])] = np.fmax(
            found.get(int(times[row]), np.full(values.shape[1], NAN)), values[row]
        )
    return Frames(np.array(list(found), np.int64), np.array(list(found.values())))


@settings(deadline=None)
@given(rows=ROWS)
def test_merging_is_what_it_says(rows: list[tuple[int, float]]) -> None:
    times = np.array([time for time, _ in rows], np.int64)
    values = np.array([[value] for _, value in rows])
    wanted, found = by_slow_hand(times, values), merged(times, values)
    np.testing.assert_array_equal(found.times, wanted.times)
    np.testing.assert_array_equal(found.values, wanted.values)
