"""Rows for COPY, checked by the only judge of them: PostgreSQL."""

import math
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.infra.database import database
from pudim_collector.series.frames import COPY_HEADER, COPY_TRAILER, SourceFrames, copy_rows
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source, stored_frames

START = int(NOW.timestamp())


async def test_what_goes_in_comes_out(store: Store) -> None:
    server = uuid4()
    one, two = await store.declare(server, [source("a", "b", "c"), source("d", name="other")])
    await commit(
        store,
        server,
        [
            frames(one, [START, START + 10], [[1.5, -0.0, 1e300], [5e-324, math.nan, 0.1]]),
            frames(two, [START], [[42.0]]),
            frames(one, [START + 20], [[1, 2, 3]]),
        ],
    )
    found = await stored_frames()
    assert [(row[0], row[1]) for row in found] == [
        (one, START),
        (one, START + 10),
        (one, START + 20),
        (two, START),
    ]
    assert found[0][2] == [1.5, 0.0, 1e300]
    assert found[1][2][0] == 5e-324
    assert math.isnan(found[1][2][1])
    assert found[3][2] == [42.0]


async def test_infinity_is_missing(store: Store) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("a", "b")])
    await commit(store, server, [frames(one, [START], [[math.inf, -math.inf]])])
    assert all(math.isnan(value) for value in (await stored_frames())[0][2])


rows_of_frames = st.integers(1, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(allow_infinity=False, allow_nan=False), min_size=width, max_size=width),
        min_size=1,
        max_size=4,
    )
)


@pytest.fixture
async def copied(fresh_database: str) -> str:
    async with database.connection() as connection:
        await connection.execute(
            "CREATE UNLOGGED TABLE frames (source_id integer NOT NULL, time timestamptz NOT NULL, values float8[] NOT NULL)"
        )
    return fresh_database


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(rows_of_frames, min_size=1, max_size=5))
async def test_any_frames(copied: str, blocks: list[list[list[float]]]) -> None:
    given_frames: list[SourceFrames] = [
        frames(number, [START + n for n in range(len(rows))], rows) for number, rows in enumerate(blocks)
    ]
    async with database.connection() as connection:
        await connection.execute("TRUNCATE frames")
        async with (
            connection.cursor() as cursor,
            cursor.copy("COPY frames FROM STDIN (FORMAT binary)") as copy,
        ):
            await copy.write(COPY_HEADER + b"".join(copy_rows(given_frames)) + COPY_TRAILER)
        found = await fetch(connection, "SELECT source_id, values FROM frames ORDER BY source_id, time")
    assert [(row[0], row[1]) for row in found] == [
        (number, rows) for number, block in enumerate(blocks) for rows in block
    ]
