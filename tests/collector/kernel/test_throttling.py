"""Waiting grows with failures, is bounded, and is forgotten."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.kernel.throttling import Patience, Throttle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = Patience(free=2, first=timedelta(seconds=1), most=timedelta(seconds=60))


def seconds(throttle: Throttle, now: datetime = NOW) -> float:
    return throttle.wait("eve", now).total_seconds()


def test_the_first_failures_are_free_and_then_waiting_doubles() -> None:
    throttle = Throttle(PATIENCE)
    waits = []
    for _ in range(9):
        waits.append(seconds(throttle))
        throttle.failed("eve", NOW)
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60]
    assert throttle.wait("ada", NOW) == timedelta(0)


def test_waiting_is_over_in_time_and_failures_are_forgotten() -> None:
    throttle = Throttle(PATIENCE)
    for _ in range(3):
        throttle.failed("eve", NOW)
    assert seconds(throttle, NOW + timedelta(seconds=1)) == 1
    assert seconds(throttle, NOW + timedelta(seconds=2)) == 0
    throttle.failed("eve", NOW + timedelta(minutes=61))
    assert seconds(throttle, NOW + timedelta(minutes=61)) == 0


def test_success_clears() -> None:
    throttle = Throttle(PATIENCE)
    for _ in range(5):
        throttle.failed("eve", NOW)
    throttle.forget("eve")
    assert seconds(throttle) == 0


def test_an_attacker_cannot_fill_the_memory() -> None:
    throttle = Throttle(PATIENCE)
    for number in range(10_050):
        throttle.failed(number, NOW)
    assert len(throttle._failures) == 10_000


@given(st.integers(0, 10**6))
def test_the_wait_never_passes_its_bounds(failures: int) -> None:
    assert timedelta(0) <= PATIENCE.wait_after(failures) <= PATIENCE.most
