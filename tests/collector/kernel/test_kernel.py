"""Clocks that move as told and identifiers that sort by age."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.kernel.clock import ManualClock, SystemClock
from pudim_collector.kernel.ids import new_id

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
    assert SystemClock().monotonic() <= SystemClock().monotonic()


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=400)), max_size=10))
def test_a_manual_clock_moves_only_when_told(steps: list[timedelta]) -> None:
    clock = ManualClock(START)
    for step in steps:
        clock.advance(step)
    assert clock.now() - START == sum(steps, timedelta(0))
    assert abs(clock.monotonic() - (clock.now() - START).total_seconds()) < 1e-3


def test_a_manual_clock_takes_seconds_too() -> None:
    clock = ManualClock(START)
    clock.advance(1.5)
    assert clock.now() == START + timedelta(seconds=1.5)


def test_ids_are_version_7_and_strictly_increasing() -> None:
    ids = [new_id() for _ in range(5000)]
    assert all(one < two for one, two in pairwise(ids))
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}


def test_an_id_tells_its_time() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id().int >> 80
    assert before <= made <= time.time_ns() // 1_000_000 + 5
