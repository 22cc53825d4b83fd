"""The choice of a backend: what a server offers, what it refuses to some, and that a choice stays."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pudim_collector.infra.database import Connection, database
from pudim_collector.series.backends import Backend, BackendUnavailable, NoBackend
from pudim_collector.series.backends.choice import PREFERENCE, chosen_backend
from pudim_collector.series.backends.hypertable import Hypertable
from pudim_collector.series.backends.partitions import Partitions
from pudim_collector.series.statements import fetch
from tests.collector.series.offered import HYPERTABLE, NOT_OFFERED, OFFERED

needs_timescaledb = pytest.mark.skipif(not HYPERTABLE, reason=NOT_OFFERED)


class Claimed(Hypertable):
    """Offered to all, as by a server that says no only when it is asked to make it."""

    async def offered(self, connection: Connection) -> bool:
        return True


@pytest.fixture
async def changing(migrated: str) -> AsyncIterator[Connection]:
    """A transaction that is undone, roles included."""
    async with await psycopg.AsyncConnection.connect(migrated) as connection:
        yield connection
        await connection.rollback()


async def kept(connection: Connection) -> list[tuple[str, bool]]:
    """The backend in the books, and whether the table of frames is there."""
    rows = await fetch(connection, "SELECT backend, to_regclass('frames') IS NOT NULL FROM store")
    return [(row[0], row[1]) for row in rows]


async def become_ordinary(connection: Connection) -> None:
    """Be, until the transaction ends, a role that may make tables but no extensions."""
    role = sql.Identifier(f"test_{secrets.token_hex(6)}")
    await connection.execute(
        sql.SQL(
            "CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role};"
            " GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; SET LOCAL ROLE {role}"
        ).format(role=role)
    )


async def test_the_best_that_is_offered_is_chosen(changing: Connection) -> None:
    assert await chosen_backend(changing) is OFFERED[0]
    assert await kept(changing) == [(OFFERED[0].name, True)]


async def test_a_choice_is_kept_and_no_other_is_asked_about(backend: Backend, changing: Connection) -> None:
    await chosen_backend(changing, [backend])
    assert await chosen_backend(changing) is backend
    with pytest.raises(BackendUnavailable, match=backend.name):
        await chosen_backend(changing, [other for other in PREFERENCE if other is not backend])


async def test_where_the_extension_is_refused_partitions_are_made(
    changing: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await become_ordinary(changing)
    assert (await chosen_backend(changing, [Claimed(), Partitions()])).name == "partitions"
    assert await kept(changing) == [("partitions", True)]
    assert "not kept as hypertable: TimescaleDB: " in caplog.text
    await chosen_backend(changing, [Partitions()])


async def test_where_all_is_refused_nothing_is_chosen(changing: Connection) -> None:
    await become_ordinary(changing)
    with pytest.raises(NoBackend):
        await chosen_backend(changing, [Claimed()])
    assert await kept(changing) == []


@needs_timescaledb
async def test_an_extension_that_is_there_serves_an_ordinary_role(changing: Connection) -> None:
    await changing.execute("CREATE EXTENSION timescaledb")
    await become_ordinary(changing)
    assert (await chosen_backend(changing)).name == "hypertable"
    await changing.execute("INSERT INTO frames VALUES (1, '2026-05-04', '{1}'), (1, '2026-05-05', '{2}')")
    assert await fetch(changing, "SELECT count(*) FROM show_chunks('frames')") == [(2,)]


@needs_timescaledb
async def test_an_extension_out_of_reach_is_a_refusal(
    changing: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    await changing.execute("CREATE SCHEMA elsewhere; CREATE EXTENSION timescaledb SCHEMA elsewhere")
    assert (await chosen_backend(changing)).name == "partitions"
    assert "function" in caplog.text


@pytest.fixture
def control_files() -> Iterator[Path]:
    """A folder, readable by the server's account, that says that TimescaleDB is installed."""
    with tempfile.TemporaryDirectory(prefix="pudim-") as name:
        folder = Path(name)
        (folder / "extension").mkdir()
        (folder / "extension" / "timescaledb.control").write_text("default_version = '2.29.2'\n")
        folder.chmod(0o755)
        yield folder


async def test_only_a_loaded_extension_is_offered(
    migrated: str, control_files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with database.transaction(), database.connection() as connection:
        try:
            await connection.execute(
                sql.SQL("SET LOCAL extension_control_path = {}").format(f"$system:{control_files}")
            )
        except psycopg.errors.UndefinedObject:
            pytest.skip("PostgreSQL before 18 cannot be told of extensions in a folder of the test's")
        libraries = (await fetch(connection, "SHOW shared_preload_libraries"))[0][0]
        loaded = "timescaledb" in libraries
        assert await Hypertable().offered(connection) is loaded
    assert ("shared_preload_libraries" in caplog.text) is not loaded
