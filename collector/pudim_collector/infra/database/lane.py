"""A connection for one user alone: what must go on is held up neither by a full pool nor by a pool that waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from pudim_collector.infra.database.engine import PsycopgEngine
from pudim_collector.infra.database.pool import Connection, SessionSettings, connect

_CONNECT_SECONDS = 10
_SUSPECT = (psycopg.OperationalError, psycopg.InternalError)
"""After these the server may be gone, or no longer the one that is written to."""


class Lane:
    """Its connection is made when it is needed, and again when it was lost. Users come one after the other."""

    def __init__(self, database: PsycopgEngine, settings: SessionSettings) -> None:
        self._database, self._settings = database, settings
        self._connection: Connection | None = None
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Raises DatabaseUnreachableError at once, where a pool would wait for the server to come back."""
        async with self._alone:
            try:
                async with AsyncExitStack() as stack:
                    yield await self._begun(stack)
            except _SUSPECT:
                await self._drop()
                raise
            finally:
                connection = self._connection
                if connection is not None and connection.pgconn.transaction_status != TransactionStatus.IDLE:
                    await self._drop()

    async def close(self) -> None:
        """Give the connection up; who comes next makes a new one."""
        async with self._alone:
            await self._drop()

    async def _begun(self, stack: AsyncExitStack) -> Connection:
        """Whether the server is still there shows when the transaction begins, at the latest on a new connection."""
        if self._connection is not None:
            try:
                await stack.enter_async_context(self._database.transaction(connection=self._connection))
            except psycopg.Error:
                await self._drop()
            else:
                return self._connection
        conninfo = make_conninfo(self._database.conninfo, connect_timeout=_CONNECT_SECONDS)
        self._connection = connection = await connect(conninfo, self._settings)
        await stack.enter_async_context(self._database.transaction(connection=connection))
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
