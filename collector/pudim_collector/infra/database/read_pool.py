"""Connections for reading alone, so that no chart waits for writers nor writers for charts; perhaps to a replica."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import psycopg
from psycopg import errors

from pudim_collector.infra.database.engine import PsycopgEngine
from pudim_collector.infra.database.errors import DatabaseError
from pudim_collector.infra.database.pool import Connection, Pool, SessionSettings

T = TypeVar("T")
MOST_CONNECTIONS = 8
_FEWEST_CONNECTIONS = 2
STATEMENT_TIMEOUT = timedelta(seconds=15)


class QueryTimeout(DatabaseError):
    """Reading took longer than it may."""

    code = "query_timeout"
    status = 503
    hint = "Ask for a shorter range, wider steps or fewer series."


@dataclass(frozen=True)
class ReadingSettings(SessionSettings):
    """What a connection for reading is told: it never writes, and plans once for all ranges."""

    application_name: str = "pudim reading"
    statement_timeout: timedelta = STATEMENT_TIMEOUT

    async def apply(self, connection: Connection) -> None:
        await super().apply(connection)
        # Partitions are pruned when a statement begins to run, so one plan serves all ranges.
        await connection.execute(
            "SELECT set_config('default_transaction_read_only', 'on', false), set_config('jit', 'off', false),"
            " set_config('plan_cache_mode', 'force_generic_plan', false)"
        )


class ReadPool:
    """Until it is opened, reading uses the process' `database`, as commands and tests do."""

    def __init__(self, database: PsycopgEngine, settings: ReadingSettings | None = None) -> None:
        self._database = database
        self._settings = settings or ReadingSettings()
        self._pool: Pool | None = None

    async def open(self, conninfo: str | None = None) -> None:
        """Connect to `conninfo`, by default to where `database` is."""
        pool = Pool(
            conninfo or self._database.conninfo,
            min_size=_FEWEST_CONNECTIONS,
            max_size=MOST_CONNECTIONS,
            settings=self._settings,
            check=False,
        )
        await pool.open()
        self._pool = pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @property
    def statistics(self) -> Mapping[str, int]:
        return self._pool.statistics if self._pool is not None else {}

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """`work` with a connection; once more if it turns out to be one that the server has ended. Raises QueryTimeout."""
        try:
            try:
                return await self._once(work)
            except psycopg.OperationalError as error:
                if self._pool is None or isinstance(error, errors.QueryCanceled):
                    raise
                # They are not asked whether they live before each use, which would cost a round trip.
                await self._pool.check()
                return await self._once(work)
        except errors.QueryCanceled as error:
            raise QueryTimeout from error

    async def _once(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._connection() as connection:
            return await work(connection)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        pool = self._pool
        if pool is None:
            async with self._database.connection() as connection:
                yield connection
            return
        connection = await pool.take()
        try:
            yield connection
        finally:
            pool.give_back_soon(connection)
