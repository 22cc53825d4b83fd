"""Migrations: each once, whole, in order, recorded with what it did, whoever asks and however many."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import (
    Applied,
    MigrationApp,
    MigrationChangedError,
    MigrationError,
    MigrationNameError,
    migrate,
)
from pudim_collector.kernel.clock import SystemClock

PICCOLO = """
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns import Varchar
from piccolo.columns.indexes import IndexMethod

ID = "2026-01-01T00:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = ""

async def forwards():
    manager = MigrationManager(migration_id=ID, app_name="ships", description=DESCRIPTION)
    manager.add_table(class_name="Ship", tablename="ship", schema=None, columns=None)
    manager.add_column(
        table_class_name="Ship", tablename="ship", column_name="name", db_column_name="name",
        column_class_name="Varchar", column_class=Varchar, schema=None,
        params={"length": 255, "default": "", "null": False, "primary_key": False, "unique": False, "index": False,
                "index_method": IndexMethod.btree, "choices": None, "db_column_name": None, "secret": False},
    )
    return manager
"""


def app(folder: Path, **files: str) -> MigrationApp:
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(content)
    return MigrationApp("ships", folder)


async def run(given: MigrationApp) -> list[Applied]:
    return await migrate(database, [given], clock=SystemClock())


async def tables() -> set[str]:
    async with database.connection() as connection:
        found = await connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row[0] for row in await found.fetchall()} - {"migration"}


async def records() -> list[tuple[str, list[str]]]:
    async with database.connection() as connection:
        found = await connection.execute("SELECT name, statements FROM migration ORDER BY name")
        return [(name, statements) for name, statements in await found.fetchall()]


async def test_both_kinds_run_in_order_and_only_once(fresh_database: str, tmp_path: Path) -> None:
    given = app(
        tmp_path,
        **{
            "0001_pre_ship_py": PICCOLO,
            "0002_post_fleet_sql": "CREATE TABLE fleet (id int); COMMENT ON TABLE ship IS '100%'",
        },
    )
    applied = await run(given)
    assert [one.name for one in applied] == ["0001_pre_ship.py", "0002_post_fleet.sql"]
    assert await tables() == {"ship", "fleet"}
    assert await run(given) == []
    recorded = await records()
    assert 'CREATE TABLE "ship"' in recorded[0][1][0]
    assert recorded[1][1] == ["CREATE TABLE fleet (id int); COMMENT ON TABLE ship IS '100%'"]


async def test_starters_at_once_agree(fresh_database: str, tmp_path: Path) -> None:
    given = app(tmp_path, **{"0001_pre_a_sql": "CREATE TABLE a (id int); SELECT pg_sleep(0.3)"})
    results = await asyncio.gather(*(run(given) for _ in range(4)))
    assert sorted(len(result) for result in results) == [0, 0, 0, 1]


async def test_a_changed_migration_is_refused(fresh_database: str, tmp_path: Path) -> None:
    await run(app(tmp_path, **{"0001_pre_a_sql": "CREATE TABLE a (id int)"}))
    with pytest.raises(MigrationChangedError, match=r"ships/0001_pre_a\.sql"):
        await run(
            app(
                tmp_path,
                **{"0001_pre_a_sql": "CREATE TABLE b (id int)", "0002_pre_c_sql": "CREATE TABLE c ()"},
            )
        )
    assert await tables() == {"a"}


async def test_a_failing_migration_leaves_nothing_and_says_its_name(
    fresh_database: str, tmp_path: Path
) -> None:
    given = app(
        tmp_path,
        **{
            "0001_pre_a_sql": "CREATE TABLE a (id int)",
            "0002_pre_b_sql": "CREATE TABLE b (id int); SELECT 1/0",
        },
    )
    with pytest.raises(MigrationError, match=r"ships/0002_pre_b\.sql: division by zero"):
        await run(given)
    assert await tables() == {"a"}
    assert [name for name, _ in await records()] == ["0001_pre_a.sql"]
    (tmp_path / "0002_pre_b.sql").write_text("CREATE TABLE b (id int)")
    assert [one.name for one in await run(given)] == ["0002_pre_b.sql"]


async def test_a_failing_piccolo_migration_leaves_nothing(fresh_database: str, tmp_path: Path) -> None:
    broken = PICCOLO.replace(
        "return manager",
        'manager.add_raw(fail)\n    return manager\n\nasync def fail():\n    from pudim_collector.infra.database import database\n    async with database.connection() as one:\n        await one.execute("CREATE TABLE half ()")\n        await one.execute("SELECT nonsense")',
    )
    with pytest.raises(MigrationError, match=r"0001_pre_ship\.py: column \"nonsense\""):
        await run(app(tmp_path, **{"0001_pre_ship_py": broken}))
    assert await tables() == set()


async def test_what_cannot_run_in_a_transaction_runs_outside(fresh_database: str, tmp_path: Path) -> None:
    given = app(
        tmp_path,
        **{
            "0001_pre_a_sql": "CREATE TABLE a (id int)",
            "0002_post_index_sql": "-- pudim: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id)",
        },
    )
    async with asyncio.timeout(20):
        results = await asyncio.gather(run(given), run(given))
    assert sorted(len(result) for result in results) == [0, 2]


@pytest.mark.parametrize(
    "name", ["1_pre_a.sql", "0001_a.sql", "0001_pre_A.sql", "notes.py", "0002_post_twin.sql"]
)
async def test_odd_names_are_refused(fresh_database: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "0002_pre_first.sql").write_text("SELECT 1")
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationNameError):
        await run(MigrationApp("ships", tmp_path))


async def test_migrations_are_not_bound_by_the_statement_timeout(fresh_database: str, tmp_path: Path) -> None:
    await run(
        app(
            tmp_path,
            **{"0001_pre_a_sql": "CREATE TABLE t AS SELECT current_setting('statement_timeout') AS s"},
        )
    )
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT s FROM t")).fetchone()
    assert row == ("0",)


async def test_a_record_is_one_transaction_with_its_migration(fresh_database: str, tmp_path: Path) -> None:
    await run(app(tmp_path, **{"0001_pre_a_sql": "CREATE TABLE a (id int)"}))
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE migration ADD CONSTRAINT no CHECK (name !~ '0002')")
    with pytest.raises(MigrationError) as failure:
        await run(app(tmp_path, **{"0002_pre_b_sql": "CREATE TABLE b (id int)"}))
    assert isinstance(failure.value.__cause__, psycopg.errors.CheckViolation)
    assert await tables() == {"a"}
