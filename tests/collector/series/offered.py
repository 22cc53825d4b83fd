"""What the server under test offers, known before tests are collected."""

import asyncio
import os
from collections.abc import Sequence

import psycopg

from pudim_collector.series.backends import Backend
from pudim_collector.series.backends.choice import PREFERENCE


async def _offered(conninfo: str) -> Sequence[Backend]:
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        return [backend for backend in PREFERENCE if await backend.offered(connection)]


def _known() -> Sequence[Backend]:
    """The embedded server, not started yet, comes without extensions; a test finds out if it ever has them."""
    given = os.environ.get("PUDIM_TEST_DATABASE_URL")
    return asyncio.run(_offered(given)) if given else PREFERENCE[-1:]


OFFERED = _known()
HYPERTABLE = any(backend.name == "hypertable" for backend in OFFERED)
NOT_OFFERED = (
    ""
    if HYPERTABLE
    else "NOT TESTED as hypertable: this server does not offer TimescaleDB; PUDIM_TEST_DATABASE_URL names another."
)
