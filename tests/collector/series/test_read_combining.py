"""Rates, percentiles, groups and ranks of made-up rows; unknown is never zero."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.layouts import Series
from pudim_collector.series import limits
from pudim_collector.series.answering import BadQuestion, Question, Rank, Reading, answered, chosen_step
from pudim_collector.series.catalogue import Key
from pudim_collector.series.combining import Aggregate, RankBy
from pudim_collector.series.fetching import Flat
from pudim_collector.series.limits import (
    TooManyPoints,
    TooManySeries,
    TooMuchTouched,
    check_ranked,
    check_touched,
)
from pudim_collector.series.percentiles import bound_of
from pudim_collector.series.rollups import HOUR, MINUTE
from pudim_collector.series.selecting import Selector
from pudim_collector.series.tiers import Kept, Plan, Stretch, Tier, planned
from tests.collector.series.conftest import NOW

SERVERS = [UUID(int=n) for n in range(4)]
BASE = 1_000_000 * MINUTE
Samples = Sequence[tuple[float, float]]
"""Seconds after BASE, and values."""


def flat(*series: Samples) -> Flat:
    """Each series' samples; read as a rollup, one sample is one bucket."""
    numbers = [number for number, samples in enumerate(series) for _ in samples]
    time = [BASE + int(second * 1000) for samples in series for second, _ in samples]
    value = np.asarray([value for samples in series for _, value in samples], dtype=np.float64)
    count = (~np.isnan(value)).astype(np.float64)
    return Flat(
        np.asarray(numbers, dtype=np.int64),
        np.asarray(time, dtype=np.int64),
        count,
        count,
        value,
        value,
        value,
    )


def keys(*labels: dict[str, str], metric: str = "m", unit: str = "By") -> list[Key]:
    return [Key(SERVERS[n], Series(metric, unit, tuple(one.items()))) for n, one in enumerate(labels)]


def ask(rows: Flat, names: list[Key], *, step: int = 60, tier: Tier = Tier.RAW, **more: Any) -> Reading:
    question = Question(Selector(("m",)), NOW, NOW, step=step, **more)
    return answered(question, Plan(tier, step, []), names, [rows])


def rows_of(reading: Reading, number: int = 0) -> list[tuple[float, float | None]]:
    """Seconds after BASE, and means; None for a gap."""
    columns = reading.series[number].columns
    seconds, means = (columns.time - BASE / 1000).tolist(), columns.mean.tolist()
    return [(second, None if math.isnan(mean) else mean) for second, mean in zip(seconds, means, strict=True)]


def test_a_rate_is_what_a_counter_gains_a_second() -> None:
    found = ask(flat([(0, 100), (10, 150), (20, 250), (30, 250)]), keys({}), step=10, rate=True)
    assert rows_of(found) == [(10, 5), (20, 10), (30, 0)]
    assert found.series[0].series.unit == "By/s"


def test_a_counter_that_falls_has_begun_anew() -> None:
    found = ask(flat([(0, 100), (10, 150), (20, 30), (30, 60)]), keys({}), step=10, rate=True)
    assert rows_of(found) == [(10, 5), (20, 3), (30, 3)]


def test_a_pause_is_unknown_and_not_slow() -> None:
    found = ask(flat([(0, 0), (10, 10), (20, 20), (300, 300), (310, 320)]), keys({}), step=10, rate=True)
    assert rows_of(found) == [(10, 1), (20, 1), (30, None), (310, 2)]


def test_a_missing_sample_is_bridged_by_its_neighbours() -> None:
    found = ask(flat([(0, 0), (10, math.nan), (20, 40)]), keys({}), step=10, rate=True)
    assert rows_of(found) == [(20, 2)]


def test_a_bucket_s_rate_is_all_its_gain_over_all_its_time() -> None:
    found = ask(flat([(0, 0), (5, 10), (20, 20), (30, 90)]), keys({}), step=60, rate=True)
    assert rows_of(found) == [(0, 3)]
    columns = found.series[0].columns
    assert (columns.low.tolist(), columns.high.tolist(), columns.count.tolist()) == ([10 / 15], [7], [3])


def test_rollups_are_compared_by_their_highest_values() -> None:
    count = np.asarray([6.0, 6, 6, 6])
    low, high = np.asarray([0.0, 120, 10, 130]), np.asarray([60.0, 180, 70, 190])
    rows = Flat(np.zeros(4, np.int64), BASE + np.arange(4) * MINUTE, count, count, low, high, high * 6)
    found = ask(rows, keys({}), step=60, tier=Tier.MINUTE, rate=True)
    assert rows_of(found) == [(60, 2), (120, 70 / 60), (180, 2)]


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=40),
    st.sets(st.integers(0, 39), max_size=5),
)
def test_a_rate_loses_nothing_between_restarts(gains: list[int], restarts: set[int]) -> None:
    total, samples, expected = 0, [], 0.0
    for n, gain in enumerate(gains):
        total = gain if n in restarts else total + gain
        samples.append((10.0 * n, float(total)))
    for (_, before), (_, after) in pairwise(samples):
        expected += after - before if after >= before else after
    found = ask(flat(samples), keys({}), step=3600, rate=True)
    assert sum(one.columns.mean[0] * 10 * one.columns.count[0] for one in found.series) == pytest.approx(
        expected
    )


def histogram(
    *rows: tuple[float, Sequence[float]], bounds: Sequence[str]
) -> tuple[Flat, list[dict[str, str]]]:
    samples = [[(second, counts[n]) for second, counts in rows] for n in range(len(bounds))]
    return flat(*samples), [{"le": bound} for bound in bounds]


BOUNDS = ("0.1", "0.5", "1", "+Inf")


@pytest.mark.parametrize(
    ("share", "value"),
    [(0.5, 0.1 + 0.4 * 40 / 60), (0.1, 0.1), (0.05, 0.05), (0.9, 1.0), (0.99, 1.0), (0, 0.0), (0.8, 0.75)],
)
def test_a_percentile_is_interpolated_within_its_bucket(share: float, value: float) -> None:
    """10 below 0.1, 60 more below 0.5, 20 more below 1, 10 above: as PromQL's histogram_quantile says."""
    rows, labels = histogram((0, (5, 5, 5, 5)), (10, (15, 75, 95, 105)), bounds=BOUNDS)
    names = [Key(SERVERS[0], Series("m", "s", tuple(one.items()))) for one in labels]
    found = ask(rows, names, step=10, percentile=share)
    assert rows_of(found)[0][1] == pytest.approx(value)
    assert found.series[0].columns.count.tolist() == [100]
    assert found.series[0].series.labels == ()


def test_where_nothing_was_observed_no_percentile_is_known() -> None:
    rows, labels = histogram((0, (1, 1, 1, 1)), (10, (1, 1, 1, 1)), (20, (2, 2, 2, 2)), bounds=BOUNDS)
    names = [Key(SERVERS[0], Series("m", "s", tuple(one.items()))) for one in labels]
    found = ask(rows, names, step=10, percentile=0.5)
    assert rows_of(found) == [(10, None), (20, 0.05)]


def test_histograms_of_several_servers_are_one_when_they_are_grouped() -> None:
    labels = [{"le": "1"}, {"le": "+Inf"}]
    names = [Key(SERVERS[n // 2], Series("m", "s", tuple(labels[n % 2].items()))) for n in range(4)]
    rows = flat([(0, 0), (10, 10)], [(0, 0), (10, 10)], [(0, 0), (10, 0)], [(0, 0), (10, 10)])
    apart = ask(rows, names, step=10, percentile=0.25)
    assert [one.server_id for one in apart.series] == SERVERS[:2]
    together = ask(rows, names, step=10, percentile=0.25, by=())
    assert (together.series[0].server_id, rows_of(together)) == (None, [(10, 0.5)])


@pytest.mark.parametrize("bounds", [("0.1", "0.5"), ("+Inf",), ("x", "+Inf")])
def test_what_is_no_histogram_has_no_percentile(bounds: Sequence[str]) -> None:
    rows, labels = histogram((0, [1] * len(bounds)), (10, [2] * len(bounds)), bounds=bounds)
    names = [Key(SERVERS[0], Series("m", "s", tuple(one.items()))) for one in labels]
    assert ask(rows, names, step=10, percentile=0.5).series == []


def test_a_bound_is_a_number() -> None:
    assert bound_of("+Inf") == math.inf
    assert math.isnan(bound_of("much"))


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [
        (Aggregate.AVG, 2.0, 3.0),
        (Aggregate.SUM, 6.0, 3.0),
        (Aggregate.MIN, 1.0, 3.0),
        (Aggregate.MAX, 3.0, 3.0),
        (Aggregate.COUNT, 3.0, 1.0),
        (Aggregate.P95, 2.9, 3.0),
    ],
)
def test_unknown_values_of_a_group_count_for_nothing(how: Aggregate, first: float, second: float) -> None:
    rows = flat([(0, 1), (60, math.nan)], [(0, 2)], [(0, 3), (60, 3)])
    found = ask(rows, keys({}, {}, {}), aggregate=how)
    assert rows_of(found) == [(0, pytest.approx(first)), (60, second)]
    assert found.series[0].server_id is None
    assert found.series[0].series.unit == ("{series}" if how is Aggregate.COUNT else "By")


def test_a_time_without_any_value_stays_a_gap() -> None:
    found = ask(flat([(0, 1), (60, 1), (600, 1)], [(0, 1), (60, 1)]), keys({}, {}), aggregate=Aggregate.SUM)
    assert rows_of(found) == [(0, 2), (60, 2), (120, None), (600, 1)]


def test_groups_are_made_by_labels_and_server() -> None:
    names = keys({"a": "x", "b": "1"}, {"a": "x", "b": "2"}, {"a": "y", "b": "1"})
    rows = flat([(0, 1)], [(0, 2)], [(0, 4)])
    by_label = ask(rows, names, aggregate=Aggregate.SUM, by=("a",))
    assert {one.series.labels: rows_of(by_label, n) for n, one in enumerate(by_label.series)} == {
        (("a", "x"),): [(0, 3)],
        (("a", "y"),): [(0, 4)],
    }
    by_server = ask(rows, names, aggregate=Aggregate.SUM, by=("server",))
    assert [one.server_id for one in by_server.series] == SERVERS[:3]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), min_size=1, max_size=5))
def test_p95_is_numpys(buckets: list[list[float]]) -> None:
    most = max(map(len, buckets))
    rows = flat(
        *([(60 * n, bucket[k]) for n, bucket in enumerate(buckets) if k < len(bucket)] for k in range(most))
    )
    names = [Key(SERVERS[0], Series("m", "1", (("n", str(n)),))) for n in range(most)]
    found = ask(rows, names, aggregate=Aggregate.P95)
    expected = [float(np.percentile(bucket, 95)) for bucket in buckets]
    assert [mean for _, mean in rows_of(found)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rank", "order"),
    [
        (Rank(2), [1, 2]),
        (Rank(2, RankBy.LATEST), [2, 0]),
        (Rank(2, RankBy.MAX), [1, 2]),
        (Rank(1, lowest=True), [0]),
        (Rank(9), [1, 2, 0]),
    ],
)
def test_rank(rank: Rank, order: list[int]) -> None:
    rows = flat([(0, 1), (60, 2)], [(0, 20), (60, 1)], [(0, 4), (60, 5)], [(0, math.nan)])
    found = ask(rows, keys({}, {}, {}, {}), rank=rank)
    assert [SERVERS.index(one.server_id) for one in found.series if one.server_id] == order


def test_a_bucket_that_rollups_do_not_have_is_a_gap() -> None:
    raw = flat([(0, 1), (60, 1), (180, 1), (240, 1)])
    assert [mean for _, mean in rows_of(ask(raw, keys({}), tier=Tier.MINUTE))] == [1, 1, None, 1, 1]
    assert [mean for _, mean in rows_of(ask(raw, keys({})))] == [1, 1, 1, 1]


def test_a_slow_source_has_no_gaps_between_its_rows() -> None:
    rows = flat([(300 * n, 1) for n in range(5)], [(10 * n, 1) for n in range(100)])
    for tier, step in ((Tier.MINUTE, 60), (Tier.RAW, 10)):
        found = ask(rows, keys({}, {}), step=step, tier=tier)
        assert all(one.columns.count.all() for one in found.series)


def test_what_does_not_fit_together_is_refused() -> None:
    for wrong in (
        {"by": ("a",)},
        {"percentile": 0.5, "rate": True},
        {"percentile": 0.5, "aggregate": Aggregate.SUM},
    ):
        with pytest.raises(BadQuestion):
            ask(flat([]), [], **wrong)


KEPT = Kept(0, 0, 0, BASE, BASE)


def test_what_costs_too_much_is_refused_by_name() -> None:
    question = Question(Selector(("m",)), NOW, NOW + (NOW - NOW.replace(month=1)), step=1)
    with pytest.raises(TooManyPoints):
        chosen_step(question, 1)
    with pytest.raises(TooManySeries):
        chosen_step(question, limits.MAX_SERIES + 1)
    day = planned(BASE - 24 * HOUR, BASE, 30, KEPT)
    check_touched(day, 300)
    with pytest.raises(TooManyPoints):
        check_touched(day, 400)
    with pytest.raises(TooManySeries):
        check_ranked(limits.MAX_RANKED + 1)
    with pytest.raises(TooMuchTouched):
        check_touched(Plan(Tier.RAW, 3600, [Stretch(Tier.RAW, 0, 24 * HOUR)]), 1000)


def test_series_that_are_combined_meet_in_minutes() -> None:
    question = Question(Selector(("m",)), NOW, NOW.replace(hour=13), aggregate=Aggregate.SUM)
    assert chosen_step(question, 1) == 60
