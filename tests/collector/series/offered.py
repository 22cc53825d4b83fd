"""What the server under test offers, known before tests are collected, and what is not tested for want of it."""

import asyncio
import os
from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from pudim_collector.series.backends import Backend
from pudim_collector.series.backends.choice import PREFERENCE
from pudim_collector.series.backends.hypertable import Edition, edition


class Offer(NamedTuple):
    """The backends of a server, the best first, and the edition of its TimescaleDB."""

    backends: Sequence[Backend]
    edition: Edition | None


async def _offered(conninfo: str) -> Offer:
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        backends = [backend for backend in PREFERENCE if await backend.offered(connection)]
        if all(backend.name != "hypertable" for backend in backends):
            return Offer(backends, None)
        await connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        found = await edition(connection)
        await connection.rollback()
        return Offer(backends, found)


def _known() -> Offer:
    """The embedded server, not started yet, comes without extensions; a test finds out if it ever has them."""
    given = os.environ.get("PUDIM_TEST_DATABASE_URL")
    return asyncio.run(_offered(given)) if given else Offer(PREFERENCE[-1:], None)


OFFERED, EDITION = _known()
HYPERTABLE = EDITION is not None
COLUMNSTORE = EDITION is not None and EDITION.columnstore


def label(backend: Backend) -> str:
    """The backend as tests are named after it."""
    if backend.name != "hypertable":
        return backend.name
    return "columnstore" if COLUMNSTORE else "hypertable"


def _not_offered() -> list[str]:
    elsewhere = "PUDIM_TEST_DATABASE_URL names another."
    if EDITION is None:
        return [f"NOT TESTED as hypertable: this server does not offer TimescaleDB; {elsewhere}"]
    if not EDITION.columnstore:
        why = f"TimescaleDB {EDITION.text} has no columnstore"
        return [f"NOT TESTED as hypertable with columnstore: this server's {why}; {elsewhere}"]
    why = f"TimescaleDB {EDITION.text} is of the community edition"
    return [f"NOT TESTED as hypertable without columnstore: this server's {why}; {elsewhere}"]


NOT_OFFERED = " ".join(_not_offered())
