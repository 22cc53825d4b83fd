"""Sample times: on the grid, in order, once, and what the clock does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.clock import Now
from pudim_agent.grid import Due, Grid, Wait

SECOND = 1_000


def at(wall_ms: float, steady: float | None = None) -> Now:
    steady = wall_ms / 1000 if steady is None else steady
    return Now(int(wall_ms), steady, steady)


def test_the_first_sample_is_the_next_on_the_grid() -> None:
    grid = Grid(10 * SECOND, at(13_400))
    assert grid.step(at(13_400)) == Wait(6.6)
    assert grid.step(at(20_003)) == Due(20_000)
    assert grid.step(at(20_003)) == Wait(9.997)


def test_a_late_sample_keeps_its_grid_time_and_missed_ones_are_skipped() -> None:
    grid = Grid(10 * SECOND, at(0))
    assert grid.step(at(10_000)) == Due(10_000)
    assert grid.step(at(47_500)) == Due(40_000)
    assert grid.missed == 2
    assert grid.jumps == 0


def test_waking_a_little_early_waits_the_rest() -> None:
    grid = Grid(10 * SECOND, at(0))
    assert grid.step(at(9_999)) == Wait(0.001)
    assert grid.step(at(10_000)) == Due(10_000)


def test_a_step_forwards_is_counted_and_nothing_counts_as_missed() -> None:
    grid = Grid(10 * SECOND, at(0))
    grid.step(at(10_000))
    assert grid.step(at(3_620_000, steady=20)) == Due(3_620_000)
    assert (grid.jumps, grid.missed) == (1, 0)


def test_a_suspended_laptop_missed_samples_and_its_clock_did_not_jump() -> None:
    grid = Grid(10 * SECOND, at(0))
    grid.step(at(10_000))
    assert grid.step(at(3_610_000)) == Due(3_610_000)
    assert (grid.jumps, grid.missed) == (0, 359)


def test_a_short_step_back_waits_rather_than_repeats() -> None:
    grid = Grid(10 * SECOND, at(0))
    grid.step(at(20_000))
    assert grid.step(at(15_000, steady=20)) == Wait(15.0)
    assert grid.step(at(30_000, steady=35)) == Due(30_000)
    assert grid.jumps == 1


def test_a_long_step_back_starts_a_new_epoch() -> None:
    grid = Grid(10 * SECOND, at(3_600_000))
    grid.step(at(3_610_000))
    assert grid.step(at(12_000, steady=3_620)) == Due(10_000, new_epoch=True)
    assert grid.step(at(20_000, steady=3_628)) == Due(20_000)
    assert grid.jumps == 1


def test_changing_the_interval_stays_in_order_and_misses_nothing() -> None:
    grid = Grid(10 * SECOND, at(0))
    grid.step(at(10_000))
    grid.interval_ms = SECOND
    assert grid.step(at(14_200)) == Due(14_000)
    assert grid.step(at(15_000)) == Due(15_000)
    grid.interval_ms = 10 * SECOND
    assert grid.step(at(16_000)) == Wait(4.0)
    assert grid.step(at(20_000)) == Due(20_000)
    assert grid.missed == 0


@given(
    st.lists(
        st.tuples(
            st.integers(-20_000, 60_000), st.integers(0, 30_000), st.sampled_from([None, 100, 1_000, 10_000])
        ),
        max_size=60,
    )
)
def test_times_of_an_epoch_are_on_the_grid_and_increase(moves: list[tuple[int, int, int | None]]) -> None:
    """Each move: how far the wall clock goes, how far the steady one, and perhaps another interval."""
    wall, steady = 1_000_000_000, 0.0
    grid = Grid(10_000, at(wall, steady))
    last = 0
    for wall_step, steady_step, interval in moves:
        wall, steady = wall + wall_step, steady + steady_step / 1000
        if interval:
            grid.interval_ms = interval
        match grid.step(at(wall, steady)):
            case Due(time_ms, new_epoch):
                assert time_ms % grid.interval_ms == 0
                assert time_ms <= wall
                assert new_epoch or time_ms > last
                last = time_ms
            case Wait(seconds):
                assert 0 < seconds <= 2 * max(10.0, grid.interval_ms / 1000) + 10
        assert grid.missed >= 0


@pytest.mark.parametrize("interval", [100, 1_000, 10_000])
def test_an_undisturbed_clock_gives_every_time(interval: int) -> None:
    grid = Grid(interval, at(0))
    found = [grid.step(at(wall)) for wall in range(interval, 20 * interval, interval)]
    assert found == [Due(wall) for wall in range(interval, 20 * interval, interval)]
    assert grid.missed == 0
