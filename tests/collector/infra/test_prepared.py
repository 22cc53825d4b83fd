"""What is prepared once a connection answers as any statement does, whatever happened to the connection meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest

from pudim_collector.infra.database import PsycopgEngine, database
from pudim_collector.infra.database.prepared import Prepared

SUM = Prepared(
    "sum", "SELECT $1::integer + $2::integer, 'né', NULL::text, ARRAY['a', 'b'], timestamptz '2026-01-01Z'"
)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def one_connection(empty_database: str) -> AsyncIterator[PsycopgEngine]:
    await database.open(empty_database, min_size=1, max_size=1)
    yield database
    await database.close()


async def total(first: str = "1", second: str = "2") -> int:
    async with database.connection() as connection:
        [(found, *others)] = await SUM.rows(connection, first, second)
    assert others == ["né", None, ["a", "b"], MOMENT]
    return int(found)


async def known_to_the_server() -> int:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE name = 'pudim_sum'"
        )
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def test_it_is_prepared_once_and_answers_each_time(one_connection: PsycopgEngine) -> None:
    assert [await total(str(one), "5") for one in range(20)] == [one + 5 for one in range(20)]
    assert await known_to_the_server() == 1


async def test_bytes_are_binary_and_text_is_text(one_connection: PsycopgEngine) -> None:
    async with database.connection() as connection:
        [row] = await SUM.rows(connection, (2**31 - 2).to_bytes(4, "big"), "1")
    assert row[0] == 2**31 - 1


async def test_hostile_text_is_a_value_and_no_sql(one_connection: PsycopgEngine) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        await total("1); DROP TABLE users; --")
    assert await total() == 3


async def test_after_tables_changed_it_is_prepared_again(one_connection: PsycopgEngine) -> None:
    await total()
    async with database.connection() as connection:
        for _ in range(7):  # so often that psycopg prepares it, and then forgets all because of the next one
            await connection.execute("SELECT $1::integer", [1])
        await connection.execute("CREATE TABLE one (n integer)")
        await connection.execute("DROP TABLE one")
        await connection.execute("DEALLOCATE ALL")
    assert await known_to_the_server() == 0
    assert await total() == 3


async def test_in_a_transaction_it_ends_nothing(one_connection: PsycopgEngine) -> None:
    await total()
    async with database.transaction() as transaction:
        await transaction.connection.execute("CREATE TABLE one AS SELECT 1 AS n")
        await transaction.connection.execute("DEALLOCATE ALL")
        assert await total() == 3
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT n FROM one")
        assert await cursor.fetchall() == [(1,)]


async def test_who_is_cancelled_before_he_hears_leaves_a_whole_connection(
    one_connection: PsycopgEngine,
) -> None:
    slow = Prepared("slow", "SELECT pg_sleep($1)")
    async with database.connection() as connection:
        for patience in (0.0, 0.001, 0.02):
            asking = asyncio.ensure_future(slow.rows(connection, "30"))
            await asyncio.sleep(patience)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert await slow.rows(connection, "0") == [(b"",)]
    assert await total() == 3


async def test_what_was_prepared_unheard_counts_as_prepared(one_connection: PsycopgEngine) -> None:
    again = Prepared("sum", "SELECT $1::integer * $2::integer")
    await total()
    async with database.connection() as connection:
        [(found, *_)] = await again.rows(connection, "4", "5")
    assert found == 9


async def test_an_error_of_the_server_has_its_name(one_connection: PsycopgEngine) -> None:
    divided = Prepared("divided", "SELECT 1 / $1::integer")
    async with database.connection() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await divided.rows(connection, "0")
        assert await divided.rows(connection, "1") == [(1,)]
