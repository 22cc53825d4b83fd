"""Connections for reading: a timeout with a name, and limits of what they may do."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest

from pudim_collector.infra.database import Connection, QueryTimeout, ReadPool, database
from pudim_collector.infra.database.read_pool import ReadingSettings
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.reading import Reader
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.questions import asked

HOUR = timedelta(hours=1)


@pytest.fixture
async def impatient(store: Store) -> AsyncIterator[ReadPool]:
    pool = ReadPool(database, ReadingSettings(statement_timeout=timedelta(milliseconds=100)))
    await pool.open()
    yield pool
    await pool.close()


async def test_a_statement_that_takes_too_long_is_refused_by_name(
    impatient: ReadPool, migrated: str, clock: ManualClock
) -> None:
    reader = Reader(database, clock, impatient)
    question = asked("cpu", None, NOW, NOW + HOUR)
    async with await psycopg.AsyncConnection.connect(migrated) as other:
        await other.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(QueryTimeout) as refusal:
            await reader.read(question)
        await other.rollback()
    assert (refusal.value.code, refusal.value.status) == ("query_timeout", 503)
    assert refusal.value.hint
    assert (await reader.read(question)).series == []


async def test_settings_of_a_connection_for_reading(impatient: ReadPool) -> None:
    async def settings(connection: Connection) -> list[str]:
        names = ("default_transaction_read_only", "jit", "statement_timeout", "application_name")
        cursors = [await connection.execute(f"SHOW {name}") for name in names]
        return [str((await cursor.fetchone() or [""])[0]) for cursor in cursors]

    assert await impatient.run(settings) == ["on", "off", "100ms", "pudim reading"]
    assert impatient.statistics["pool_min"] == 2


async def test_an_opened_pool_reads_what_was_stored(
    impatient: ReadPool, store: Store, clock: ManualClock
) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    await commit(store, server, [frames(one, [int(NOW.timestamp())], [[3.0]])])
    found = await Reader(database, clock, impatient).read(asked("cpu", [server], NOW, NOW + HOUR))
    assert found.series[0].columns.mean.tolist() == [3.0]
