"""What lines add up to: rates, levels, counts of members, and quantiles in bounded memory."""

from __future__ import annotations

import math
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.layouts import Series
from pudim_agent.custom.distinct import Distinct
from pudim_agent.custom.statsd_figures import (
    MOST_TIMES,
    Counter,
    Gauge,
    Set,
    Timer,
    figure,
    quantile,
    series_of,
)

NUMBERS = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


def test_a_counter_is_a_rate() -> None:
    counter = Counter()
    counter.add([b"3", b"2"], 1.0)
    counter.add([b"1"], 0.1)
    assert list(counter.take(10.0)) == [1.5]
    assert list(counter.take(10.0)) == [0.0]


def test_a_gauge_stays_and_steps() -> None:
    gauge = Gauge()
    gauge.add([b"333"], 1.0)
    gauge.add([b"-10"], 1.0)
    gauge.add([b"+4"], 1.0)
    assert list(gauge.take(1.0)) == [327.0]
    assert list(gauge.take(1.0)) == [327.0]
    gauge.add([b"0", b"-5"], 1.0)
    assert list(gauge.take(1.0)) == [-5.0]


def test_a_set_counts_members_once() -> None:
    members = Set()
    members.add([b"765", b"x"], 1.0)
    members.add([b"765"], 1.0)
    assert list(members.take(1.0)) == [2.0]
    assert list(members.take(1.0)) == [0.0]


def test_a_timer_knows_rate_sum_and_quantiles() -> None:
    timer = Timer((0.5,))
    timer.add([b"1", b"2", b"9"], 0.5)
    assert list(timer.take(2.0)) == [3.0, 12.0, 1.0, 2.0, 9.0]
    quiet = list(timer.take(2.0))
    assert quiet[:2] == [0.0, 0.0]
    assert all(map(math.isnan, quiet[2:]))


def test_a_busy_timer_keeps_a_fair_sample() -> None:
    """The reservoir is what Vitter's algorithm R says for these draws, and its extremes are exact."""
    draws = np.random.default_rng(7)
    timer = Timer((0.5, 0.95), lambda seen: int(draws.integers(seen)))
    for number in range(20_000):
        timer.add([str(number).encode()], 1.0)
    rate, total, low, median, high, highest = timer.take(10.0)
    assert (rate, total, low, highest) == (2000.0, sum(range(20_000)) / 10, 0.0, 19_999.0)
    assert median == pytest.approx(10_000, rel=0.1)
    assert high == pytest.approx(19_000, rel=0.05)


def test_a_reservoir_is_bounded() -> None:
    places = count()
    timer = Timer((), lambda _seen: next(places))
    for _ in range(3 * MOST_TIMES):
        timer.add([b"1"], 1.0)
    assert len(timer._kept) == MOST_TIMES


@given(NUMBERS, st.floats(0, 1))
def test_quantiles_are_numpys(values: list[float], share: float) -> None:
    expected = float(np.quantile(values, share))
    assert quantile(sorted(values), share) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(st.sets(st.binary(max_size=8), max_size=30))
def test_few_are_counted_exactly(texts: set[bytes]) -> None:
    distinct = Distinct(31)
    for one in [*texts, *texts]:
        distinct.add(one)
    assert len(distinct) == len(texts)


def test_many_are_counted_about_in_bounded_memory() -> None:
    distinct = Distinct(1024)
    for number in range(200_000):
        distinct.add(b"%d" % (number % 100_000))
    assert len(distinct) == pytest.approx(100_000, rel=0.1)  # the standard error is 3 %
    assert len(distinct._kept) == len(distinct._largest) == 1024


@pytest.mark.parametrize("kind", ["counter", "gauge", "set", "timer"])
def test_each_value_has_a_series(kind: str) -> None:
    quantiles = (0.5, 0.99)
    made = figure(kind, quantiles)
    made.add([b"1"], 1.0)
    found = series_of(kind, b"ms", "x", (("a", "b"),), quantiles)
    assert len(list(made.take(1.0))) == len(found) == len(set(found))


def test_names_and_units_are_those_of_pushed_metrics() -> None:
    assert series_of("counter", b"c", "x", (), ()) == [Series("x.rate", "1/s")]
    assert series_of("timer", b"ms", "x", (), (0.95,)) == [
        Series("x.count.rate", "1/s"),
        Series("x.sum.rate", "ms/s"),
        Series("x", "ms", (("quantile", "0"),)),
        Series("x", "ms", (("quantile", "0.95"),)),
        Series("x", "ms", (("quantile", "1"),)),
    ]
