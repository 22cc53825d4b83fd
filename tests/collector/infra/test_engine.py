"""The engine returns every connection, nests for real, and keeps tasks apart; against a real PostgreSQL."""
# ruff: noqa: PT012 - the end of a transaction block is what raises

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from piccolo.columns import JSON, UUID, Array, Bytea, ForeignKey, Integer, Serial, Timestamptz, Varchar
from piccolo.table import Table
from psycopg.rows import scalar_row

from pudim_collector.infra.database import IsolationLevel, PsycopgEngine, SessionSettings, connect, database
from pudim_collector.infra.database.errors import (
    DatabaseClosedError,
    DatabaseUnreachableError,
    ForeignTransactionError,
    NestedSettingsError,
    TransactionRolledBackError,
)
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.kernel.ids import new_id


class Crew(Table, tablename="crew", db=database):
    id = Serial(primary_key=True)
    name = Varchar(unique=True)
    size = Integer(default=0)


class Voyage(Table, tablename="voyage", db=database):
    id = UUID(primary_key=True)
    crew = ForeignKey(references=Crew)
    log = JSON(default="{}")
    ports = Array(base_column=Varchar())
    seal = Bytea(default=b"")
    sailed_at = Timestamptz()


@pytest.fixture
async def tables(fresh_database: str) -> str:
    await Crew.create_table()
    await Voyage.create_table()
    return fresh_database


@pytest.fixture
async def small_pool(empty_database: str) -> AsyncIterator[PsycopgEngine]:
    await database.open(empty_database, min_size=2, max_size=2)
    async with database.connection() as connection:
        await connection.execute(
            "CREATE TABLE parent (id int PRIMARY KEY);"
            "CREATE TABLE child (parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
    yield database
    await database.close()


async def names() -> list[str]:
    return [row["name"] for row in await Crew.select(Crew.name).order_by(Crew.name)]


async def count(table: str) -> int:
    async with database.connection() as connection, connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(f"SELECT count(*) FROM {table}".encode())  # noqa: S608 - a test's own table
        return int(await cursor.fetchone() or 0)


async def test_what_piccolo_writes_comes_back_as_it_was(tables: str) -> None:
    crew = Crew(name="Tern", size=4)
    await crew.save()
    sailed = SystemClock().now()
    voyage = Voyage(
        id=new_id(), crew=crew.id, log='{"wind": 5}', ports=["A", "B"], seal=b"\0x", sailed_at=sailed
    )
    await voyage.save()
    row = await Voyage.select(*Voyage.all_columns(), Voyage.crew.name).first()
    assert row == {
        "id": voyage.id,
        "crew": crew.id,
        "crew.name": "Tern",
        "log": '{"wind": 5}',
        "ports": ["A", "B"],
        "seal": b"\0x",
        "sailed_at": sailed,
    }


async def test_piccolo_upserts_updates_and_tells_what_exists(tables: str) -> None:
    await Crew.insert(Crew(name="Tern", size=1))
    await Crew.insert(Crew(name="Tern", size=9)).on_conflict(
        target=Crew.name, action="DO UPDATE", values=[Crew.size]
    )
    updated = (
        await Crew.update({Crew.size: Crew.size + 1}).where(Crew.name.is_in(["Tern"])).returning(Crew.size)
    )
    assert updated == [{"size": 10}]
    assert await Crew.exists().where(Crew.name == "Tern")
    assert not await Crew.exists().where(Crew.name == "'; DROP TABLE crew; --")


async def test_importing_or_making_an_engine_does_not_connect() -> None:
    engine = PsycopgEngine()
    assert not engine.is_open
    assert engine.statistics == {}
    with pytest.raises(DatabaseClosedError):
        async with engine.transaction():
            pass


async def test_an_unreachable_server_is_named(tmp_path: Any) -> None:
    with pytest.raises(DatabaseUnreachableError):
        await connect(f"host={tmp_path} user=nobody", SessionSettings())


async def test_a_failing_commit_returns_its_connection(small_pool: PsycopgEngine) -> None:
    for _ in range(5):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            async with small_pool.transaction() as transaction:
                await transaction.connection.execute("INSERT INTO child VALUES (1)")
    assert not small_pool.transaction_exists()
    async with small_pool.transaction() as transaction:
        await transaction.connection.execute("INSERT INTO parent VALUES (1)")
    assert small_pool.statistics["pool_available"] == 2


async def test_a_swallowed_error_is_not_taken_for_a_commit(small_pool: PsycopgEngine) -> None:
    with pytest.raises(TransactionRolledBackError):
        async with small_pool.transaction() as transaction:
            await transaction.connection.execute("INSERT INTO parent VALUES (1)")
            with pytest.raises(psycopg.errors.UniqueViolation):
                await transaction.connection.execute("INSERT INTO parent VALUES (1)")
    assert await count("parent") == 0


async def test_an_error_at_begin_returns_the_connection(small_pool: PsycopgEngine) -> None:
    for _ in range(5):
        transaction = small_pool.transaction()
        transaction._begin = "BEGIN NONSENSE"
        with pytest.raises(psycopg.errors.SyntaxError):
            await transaction.__aenter__()
    assert await count("parent") == 0


async def test_a_task_cancelled_in_a_statement_leaves_nothing_behind(small_pool: PsycopgEngine) -> None:
    async def sleep() -> None:
        async with small_pool.transaction() as transaction:
            await transaction.connection.execute("INSERT INTO parent VALUES (7)")
            await transaction.connection.execute("SELECT pg_sleep(30)")

    tasks = [asyncio.create_task(sleep()) for _ in range(6)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert await count("parent") == 0
    assert await settled(small_pool) == 2


async def test_cancelled_at_any_moment_the_pool_stays_whole(small_pool: PsycopgEngine) -> None:
    chance = random.Random(7)  # noqa: S311 - a reproducible storm

    async def work() -> None:
        async with small_pool.transaction() as outer:
            await outer.connection.execute("SELECT pg_sleep(0.001)")
            async with small_pool.transaction() as inner:
                await inner.connection.execute("SELECT 1")

    for _ in range(15):
        tasks = [asyncio.create_task(work()) for _ in range(8)]
        for task in tasks:
            await asyncio.sleep(chance.random() * 0.004)
            task.cancel()
        await asyncio.wait(tasks)
    assert await settled(small_pool) == 2
    async with asyncio.timeout(5):
        await asyncio.gather(*(work() for _ in range(10)))


async def settled(engine: PsycopgEngine) -> int:
    for _ in range(100):
        if engine.statistics["pool_available"] == engine.statistics["pool_size"] == 2:
            break
        await asyncio.sleep(0.02)
    return engine.statistics["pool_available"]


async def test_a_lost_connection_is_replaced_and_its_error_told(small_pool: PsycopgEngine) -> None:
    with pytest.raises(psycopg.OperationalError):
        async with small_pool.transaction() as transaction:
            victim = transaction.connection.info.backend_pid
            async with await connect(small_pool.conninfo, SessionSettings()) as killer:
                await killer.execute("SELECT pg_terminate_backend($1)", [victim])
            await transaction.connection.execute("SELECT 1")
    assert await count("parent") == 0


async def test_an_inner_transaction_that_fails_undoes_only_itself(tables: str) -> None:
    async with database.transaction():
        await Crew.insert(Crew(name="outer"))
        with pytest.raises(psycopg.errors.UniqueViolation):
            async with database.transaction():
                await Crew.insert(Crew(name="inner"))
                await Crew.insert(Crew(name="outer"))
        async with database.transaction():
            await Crew.insert(Crew(name="second inner"))
    assert await names() == ["outer", "second inner"]


async def test_an_inner_transaction_that_swallowed_an_error_spares_the_outer(tables: str) -> None:
    async with database.transaction():
        await Crew.insert(Crew(name="outer"))
        with pytest.raises(TransactionRolledBackError):
            async with database.transaction():
                await Crew.insert(Crew(name="inner"))
                with contextlib.suppress(psycopg.Error):
                    await Crew.insert(Crew(name="outer"))
        await Crew.insert(Crew(name="after"))
    assert await names() == ["after", "outer"]


async def test_the_outer_transaction_takes_the_inner_with_it(tables: str) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction():
            async with database.transaction():
                await Crew.insert(Crew(name="inner"))
            raise RuntimeError
    assert await names() == []


async def test_rolling_back_by_hand_ends_the_transaction(tables: str) -> None:
    async with database.transaction() as transaction:
        await Crew.insert(Crew(name="undone"))
        await transaction.rollback()
    async with database.transaction() as transaction:
        await Crew.insert(Crew(name="kept"))
        point = await transaction.savepoint()
        await Crew.insert(Crew(name="undone"))
        await point.rollback_to()
    assert await names() == ["kept"]


async def test_isolation_and_access_mode_reach_the_server(tables: str) -> None:
    async with database.transaction(
        isolation_level=IsolationLevel.SERIALIZABLE, read_only=True
    ) as transaction:
        shown = await transaction.connection.execute("SHOW transaction_isolation")
        assert await shown.fetchone() == ("serializable",)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            async with database.transaction():
                await Crew.insert(Crew(name="no"))
        with pytest.raises(NestedSettingsError):
            async with database.transaction(read_only=True):
                pass


@pytest.mark.parametrize(
    "start", [asyncio.gather, lambda work: asyncio.wait_for(work, 5), asyncio.create_task]
)
async def test_a_task_started_in_a_transaction_may_not_use_it(tables: str, start: Any) -> None:
    with pytest.raises(ForeignTransactionError):
        async with database.transaction():
            await start(names())
    assert not database.transaction_exists()


async def test_a_timeout_inside_a_transaction_is_fine(tables: str) -> None:
    async with database.transaction(), asyncio.timeout(5):
        await Crew.insert(Crew(name="in time"))
    assert await names() == ["in time"]


async def test_orm_and_copy_share_one_transaction(tables: str) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction():
            await Crew.insert(Crew(name="by ORM"))
            await copy_in("by COPY")
            assert await names() == ["by COPY", "by ORM"]
            raise RuntimeError
    assert await names() == []


async def copy_in(name: str) -> None:
    async with (
        database.connection() as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY crew (name, size) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(["varchar", "int4"])
        await copy.write_row([name, 1])


async def test_outside_a_transaction_a_connection_commits_each_statement(tables: str) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO crew (name, size) VALUES ($1, $2)", ["alone", 1])
        assert await names() == ["alone"]


async def test_atomic_runs_all_or_nothing(tables: str) -> None:
    both = database.atomic()
    both.add(Crew.insert(Crew(name="twice")), Crew.insert(Crew(name="twice")))
    with pytest.raises(psycopg.errors.UniqueViolation):
        await both.run()
    assert await names() == []


async def test_a_batch_reads_in_pieces_inside_the_pool(tables: str) -> None:
    await Crew.insert(*(Crew(name=f"{number:03}") for number in range(25)))
    async with await Crew.select(Crew.name).batch(batch_size=10) as batch:
        sizes = [len(rows) async for rows in batch]
    assert sizes == [10, 10, 5]
    with pytest.raises(RuntimeError):
        async with await Crew.select().batch(batch_size=10):
            raise RuntimeError
    assert database.statistics["pool_available"] == database.statistics["pool_size"]


async def test_a_statement_that_takes_too_long_is_ended(empty_database: str) -> None:
    await database.open(empty_database, statement_timeout=timedelta(milliseconds=100))
    try:
        async with database.connection() as connection:
            with pytest.raises(psycopg.errors.QueryCanceled):
                await connection.execute("SELECT pg_sleep(10)")
    finally:
        await database.close()
