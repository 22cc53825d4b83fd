"""Whatever was stored and wherever it lies, reading says what one look at all raw frames would say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.answering import Reading
from pudim_collector.series.buckets import Columns
from pudim_collector.series.reading import Reader
from pudim_collector.series.store import Store
from pudim_collector.series.tiers import Tier
from pudim_collector.series.upkeep import Upkeep
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.questions import asked

START = int(NOW.timestamp()) - 5 * 3600
STEPS = [1, 10, 45, 60, 120, 300, 3600, 7200]
METRICS = ("a", "b", "c")
Samples = dict[tuple[int, int], list[float]]
"""By source and second: what each of METRICS was, NaN where missing."""

values = st.one_of(
    st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), st.sampled_from([math.nan, 0.0, 1e300])
)
rows = st.tuples(
    st.integers(0, 1),
    st.integers(0, 1800).map(lambda tenth: START + tenth * 10),
    st.lists(values, min_size=3, max_size=3),
)


@dataclass(frozen=True)
class Commit:
    """Frames that come at once; rolled up afterwards or not."""

    rows: list[tuple[int, int, list[float]]]
    rolled: bool


commits = st.lists(
    st.builds(Commit, st.lists(rows, min_size=1, max_size=12), st.booleans()), min_size=1, max_size=5
)
ranges = st.tuples(st.integers(-3600, 18_000), st.integers(1, 20_000))


@dataclass
class Stored:
    """What was committed, kept the slow way: a row a frame, those of one source and time made one."""

    samples: Samples = field(default_factory=dict)

    def add(self, number: int, second: int, row: Sequence[float]) -> None:
        old = self.samples.get((number, second), [math.nan] * len(METRICS))
        self.samples[number, second] = [float(np.fmax(*pair)) for pair in zip(old, row, strict=True)]

    def buckets(self, position: int, start: int, end: int, step: int) -> dict[int, list[float]]:
        """The samples in each bucket, also where all are missing."""
        found: dict[int, list[float]] = {}
        for (_, second), row in sorted(self.samples.items()):
            if start <= second < end:
                bucket = found.setdefault(second // step * step, [])
                bucket.extend([row[position]] if abs(row[position]) < 1e100 else [])
        return found


def without_gaps(columns: Columns, expected: dict[int, list[float]]) -> dict[int, list[float]]:
    """Rows of buckets; of rows without samples only those of buckets that had a frame."""
    rows = np.stack([columns.time, columns.low, columns.mean, columns.high, columns.count], axis=1).tolist()
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    return {int(row[0]): row[1:] for row in rows if row[4] or row[0] in expected}


def check(found: Reading, stored: Stored, start: int, end: int) -> None:
    unit = found.tier.unit // 1000 or 1
    whole = start // unit * unit, -(-end // unit) * unit
    expected = stored.buckets(1, *whole, found.step)
    assert len(found.series) == bool(expected)
    for one in found.series:
        rows = without_gaps(one.columns, expected)
        assert set(rows) == set(expected)
        for bucket, samples in expected.items():
            low, mean, high, count = rows[bucket]
            assert count == len(samples)
            if not samples:
                assert all(map(math.isnan, (low, mean, high)))
                continue
            assert (low, high) == (min(samples), max(samples))
            assert low <= mean <= high
            assert math.isclose(mean, sum(samples) / len(samples), rel_tol=1e-9, abs_tol=1e-6)


async def stored_by(store: Store, upkeep: Upkeep, made: Sequence[Commit]) -> tuple[UUID, Stored]:
    """A server whose layout changes: the same series stand in both of its sources."""
    server, stored, boot = uuid4(), Stored(), None
    ids = await store.declare(server, [source(*METRICS), source("x", *METRICS)])
    for one in made:
        for number, second, row in one.rows:
            stored.add(number, second, row)
        boot = await commit(
            store,
            server,
            [frames(ids[n], [second], [[7.0] * n + row]) for n, second, row in one.rows],
            boot=boot,
        )
        if one.rolled:
            await upkeep.run_once()
    async with database.connection() as connection:  # the second question needs no look at the catalogue then
        await connection.execute("UPDATE sources SET declared_at = now() - interval '1 hour'")
    return server, stored


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=commits, asked_for=st.lists(st.tuples(ranges, st.sampled_from(STEPS)), min_size=1, max_size=4))
async def test_any_frames_any_tier_any_range(
    store: Store,
    clock: ManualClock,
    made: list[Commit],
    asked_for: list[tuple[tuple[int, int], int]],
) -> None:
    upkeep = Upkeep(database, store, clock)
    server, stored = await stored_by(store, upkeep, made)
    # Frames that came late are in the rollups after the next pass; what is recent needs none.
    await upkeep.run_once()
    reader = Reader(database, clock)
    for (offset, length), step in asked_for:
        start = START + offset
        end = start + min(length, step * 5000)
        first, last = (datetime.fromtimestamp(second, UTC) for second in (start, end))
        found = await reader.read(asked("b", [server], first, last, step=step))
        assert found.step == step
        check(found, stored, start, end)


@pytest.mark.parametrize("tier", list(Tier))
async def test_what_came_after_the_last_pass_is_there(
    store: Store, clock: ManualClock, reader: Reader, tier: Tier
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("b")])
    upkeep = Upkeep(database, store, clock)
    now = int(NOW.timestamp())
    early = [now - 10 * n for n in range(1, 1000)]
    boot = await commit(store, server, [frames(one, early, [[1.0]] * len(early))])
    await upkeep.run_once()
    clock.advance(50)
    await commit(store, server, [frames(one, [now, now + 10, now + 20], [[5.0]] * 3)], boot=boot)
    step = max(tier.unit // 1000, 10)
    found = await reader.read(
        asked("b", [server], NOW - timedelta(hours=2), NOW + timedelta(seconds=30), step=step)
    )
    assert found.tier is tier
    (series,) = found.series
    assert series.columns.high[-1] == 5
    assert int(series.columns.count.sum()) == 720 + 3
