"""What is rounded and how far, and that nothing becomes zero that is not."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.layouts import Series
from pudim_agent.assembly import Assembly
from pudim_agent.rounding import places_of, rounded
from pudim_agent.samplers import Host, Reading, Tick, series
from pudim_collector.series.blocks import pack_frames
from tests.agent.test_assembly import Scripted

SHARE = series("system.cpu.utilization")


def once(metric: str, value: float) -> float:
    return rounded([value], places_of([series(metric)]))[0]


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        ("system.cpu.utilization", 0.123456789, 0.1235),
        ("system.memory.utilization", 0.98765432, 0.9877),
        ("system.disk.io.rate", 4096.4567, 4096.0),
        ("system.disk.operations.rate", 3.98765, 3.99),
        ("system.disk.await", 0.000123456, 0.000123),
        ("system.disk.await", 0.0000001234, 0.00000012),
        ("system.network.errors.rate", 0.000277777, 0.00028),
        ("system.memory.usage", 123456789.0, 123456789.0),
        ("system.cpu.load_average.1m", 1.005, 1.005),
        ("system.linux.clock.offset", -0.0000001234, -0.00000012),
        ("hw.temperature", 54321 * 1e-3, 54.321),
        ("system.cpu.utilization", 0.0, 0.0),
        ("system.disk.io.rate", inf, inf),
    ],
)
def test_how_finely(metric: str, value: float, expected: float) -> None:
    assert once(metric, value) == expected


def test_unknown_stays_unknown() -> None:
    assert isnan(once("system.cpu.utilization", nan))
    assert isnan(once("system.disk.io.rate", nan))


def test_what_others_measure_is_left_alone() -> None:
    assert rounded([1e-9], places_of([Series("my.share", "1")])) == [1e-9]


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["system.disk.io.rate", "system.disk.await"]),
)
def test_only_zero_is_zero(value: float, metric: str) -> None:
    found = once(metric, value)
    assert (found == 0) == (value == 0)
    assert found * value >= 0
    assert once(metric, found) == found


def test_frames_are_rounded() -> None:
    layout = (SHARE, series("system.memory.usage"))
    script = [[Reading(layout, [1 / 3, 1000.0])], OSError("gone")]
    assembly = Assembly({"one": Scripted(*script)}, Host())
    (first,), (second,) = assembly.frames(Tick(0, 0.0)), assembly.frames(Tick(1, 1.0))
    assert list(first.values) == [0.3333, 1000.0]
    assert all(map(isnan, second.values))


def test_it_saves_what_it_says() -> None:
    chance = np.random.default_rng(1)
    times = np.arange(360, dtype=np.int64) * 10_000
    shares = chance.integers(300, 700, 360) / (2000 + chance.integers(-3, 4, 360))
    told = rounded(shares.tolist(), places_of([SHARE] * 360))
    exact, short = (len(pack_frames(times, np.asarray(one)[:, None]).body) / 360 for one in (shares, told))
    assert exact > 6
    assert short < 2
