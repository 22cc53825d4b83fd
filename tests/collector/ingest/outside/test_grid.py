"""Samples become frames and come back as they were, however they are split into requests and restarts."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim.wire.layouts import Series
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import MigrationApp, migrate
from pudim_collector.ingest.outside.grid import Columns, frames_of
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.shelves import Owner, Place, Shelf, Shelving
from pudim_collector.series.statements import MIGRATIONS, fetch
from pudim_collector.series.store import Store

START = int(datetime.now(UTC).timestamp() * 1000) // 10_000 * 10_000 - 3_600_000
Sample = tuple[int, int, float]


def columns(samples: list[Sample]) -> Columns:
    numbers, times, values = zip(*samples, strict=True) if samples else ((), (), ())
    return Columns(
        np.array(numbers, np.int64),
        np.array(times, np.int64),
        np.array(values, np.float64),
        np.arange(len(samples), dtype=np.int64),
    )


def shelf(source_id: int, width: int) -> Shelf:
    return Shelf(source_id, np.zeros(width, np.int64))


def rows(frames: SourceFrames) -> list[tuple[int, list[float | None]]]:
    times = np.frombuffer(frames.times, "<i8")
    grid = np.frombuffer(frames.values, "<f8").reshape(len(times), frames.width)
    return [
        (int(time), [None if math.isnan(value) else float(value) for value in row])
        for time, row in zip(times, grid, strict=True)
    ]


def test_one_row_for_each_shelf_and_time_missing_where_nothing_came() -> None:
    left, right = shelf(1, 2), shelf(2, 3)
    places = [Place(left, 1), Place(right, 0), Place(right, 2)]
    found = list(frames_of(columns([(0, 20, 1.0), (1, 10, 2.0), (2, 10, 3.0), (0, 10, 4.0)]), places, 99))
    assert [(one.source_id, rows(one)) for one in found] == [
        (1, [(10, [None, 4.0]), (20, [None, 1.0])]),
        (2, [(10, [2.0, None, 3.0])]),
    ]
    assert (left.used.tolist(), right.used.tolist()) == ([0, 99], [99, 0, 99])


def test_of_two_values_at_once_the_larger_stays_in_whichever_order() -> None:
    place = [Place(shelf(1, 1), 0)]
    for samples in ([(0, 1, 5.0), (0, 1, -7.0)], [(0, 1, -7.0), (0, 1, 5.0)]):
        assert [rows(one) for one in frames_of(columns(samples), place, 0)] == [[(1, [5.0])]]


def test_series_without_a_place_that_send_nothing_do_no_harm() -> None:
    assert list(frames_of(columns([]), [None], 0)) == []
    one = shelf(1, 1)
    assert len(list(frames_of(columns([(1, 1, 1.0)]), [None, Place(one, 0)], 0))) == 1


@asynccontextmanager
async def transaction_undone() -> AsyncIterator[None]:
    async with database.transaction() as transaction:
        yield
        await transaction.rollback()


@pytest.fixture
async def store(fresh_database: str) -> Store:
    clock = SystemClock()
    await migrate(database, [MigrationApp("series", MIGRATIONS)], clock=clock)
    store = Store(database)
    await store.prepare(clock.now())
    return store


SERIES = [Series(f"m{number % 5}", "1", (("n", str(number)),)) for number in range(150)]
SAMPLES = st.lists(
    st.tuples(
        st.integers(0, len(SERIES) - 1),
        st.integers(0, 6).map(lambda tick: START + 10_000 * tick),
        st.floats(-1e9, 1e9),
    ),
    max_size=60,
    unique_by=lambda sample: sample[:2],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAMPLES, st.data())
async def test_any_split_into_requests_repeats_and_restarts_gives_the_same_series_back(
    store: Store, samples: list[Sample], data: st.DataObject
) -> None:
    owner = Owner(uuid4(), "otlp", (("pudim.sender", "lab"),))
    sent = data.draw(st.permutations(samples + samples[: len(samples) // 3]))
    shelving = Shelving(database, store)
    async with transaction_undone():
        while sent:
            size = data.draw(st.integers(1, len(sent)))
            request, sent = sent[:size], sent[size:]
            shelves = await shelving.of(owner)
            await shelving.add(shelves, [SERIES[number] for number, _, _ in request], 1)
            places = [shelves.places.get(one) for one in SERIES]
            await store.commit(list(frames_of(columns(request), places, 1)), [], "")
            if data.draw(st.booleans()):
                shelving = Shelving(database, store)
        assert await stored(owner) == {(SERIES[number], time): value for number, time, value in samples}


async def stored(owner: Owner) -> dict[tuple[Series, int], float]:
    """What stands in the tables, every series in one place, rows of one time merged."""
    async with database.connection() as connection:
        found = await fetch(
            connection,
            "SELECT source_id, extract(epoch FROM time)::float8 * 1000, values FROM frames"
            " JOIN sources USING (source_id) WHERE server_id = $1",
            [owner.server_id],
        )
    shelves = await Shelving(database, Store(database)).of(owner)
    at = {(place.shelf.source_id, place.position): one for one, place in shelves.places.items()}
    assert len(at) == sum(one.width for one in shelves.all)
    merged: dict[tuple[Series, int], float] = {}
    for source_id, time, values in found:
        for position, value in enumerate(values):
            if not math.isnan(value):
                key = (at[source_id, position], round(time))
                merged[key] = max(value, merged.get(key, value))
    return merged
