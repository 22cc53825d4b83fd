"""A real PostgreSQL for every test that talks to one, and an empty database for each."""

import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pudim_collector.infra.database import database
from pudim_collector.infra.database.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The conninfo of a server where databases may be created."""
    given = os.environ.get("PUDIM_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not in pytest's own folder, which another run as root closes to the account that the server runs under.
    with tempfile.TemporaryDirectory(prefix="pudim-test-") as folder:
        server = EmbeddedPostgres(Path(folder), fsync=False)
        yield server.start()
        server.stop()


@pytest.fixture
async def empty_database(postgres: str) -> AsyncIterator[str]:
    """The conninfo of a database of its own, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        await admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 STRATEGY file_copy").format(sql.Identifier(name))
        )
    yield make_conninfo(postgres, dbname=name)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        await admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
async def fresh_database(empty_database: str) -> AsyncIterator[str]:
    """The process's `database`, open on an empty database."""
    await database.open(empty_database, max_size=5)
    yield empty_database
    await database.close()
