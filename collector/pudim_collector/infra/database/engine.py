"""One psycopg pool under Piccolo and under raw SQL, so that both share connections and transactions.

Piccolo's own engine connects at import, leaks the connection of a failing COMMIT and ignores nested transactions.
"""

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

from piccolo.engine.postgres import Atomic, PostgresEngine
from piccolo.query.base import Query
from piccolo.querystring import QueryString
from psycopg.rows import dict_row

from pudim_collector.infra.database.batches import Batch
from pudim_collector.infra.database.errors import DatabaseClosedError, ForeignTransactionError
from pudim_collector.infra.database.pool import Connection, Pool, SessionSettings
from pudim_collector.infra.database.transactions import IsolationLevel, Transaction

Row: TypeAlias = dict[str, Any]


class PsycopgEngine(PostgresEngine):
    """Piccolo's engine on psycopg: it connects when opened, in the loop that opens it, and never before."""

    def __init__(self) -> None:
        # PostgresEngine.__init__ would connect, so its attributes are set here.
        self.config = {}
        self.extensions = ()
        self.extra_nodes = {}
        self.engine_type = "postgres"
        self.min_version_number = 14
        self.log_queries = False
        self.log_responses = False
        self.query_id = 0
        self.current_transaction = contextvars.ContextVar("pudim_transaction", default=None)
        self.conninfo = ""
        self._pool: Pool | None = None

    async def open(
        self,
        conninfo: str,
        *,
        min_size: int = 1,
        max_size: int = 10,
        statement_timeout: timedelta = timedelta(seconds=30),
        application_name: str = "pudim",
    ) -> None:
        if self._pool is not None:
            raise RuntimeError("the database is open already")
        settings = SessionSettings(application_name, statement_timeout)
        pool = Pool(conninfo, min_size=min_size, max_size=max_size, settings=settings)
        await pool.open()
        self.conninfo, self._pool = conninfo, pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    @property
    def is_open(self) -> bool:
        return self._pool is not None

    @property
    def statistics(self) -> Mapping[str, int]:
        """The pool's own figures: pool_size, pool_available, requests_waiting, requests_wait_ms ..."""
        return self._pool.statistics if self._pool is not None else {}

    @property
    def pool_in_use(self) -> Pool:
        if self._pool is None:
            raise DatabaseClosedError
        return self._pool

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """The current transaction's connection; outside of one, a pooled connection in autocommit mode.

        Its cursors take $1 placeholders and return tuples; json and jsonb come as text.
        """
        transaction = self.active_transaction()
        if transaction is not None:
            yield transaction.connection
            return
        pool = self.pool_in_use
        connection = await pool.take()
        try:
            yield connection
        finally:
            await pool.give_back(connection)

    def transaction(
        self,
        allow_nested: bool = True,
        *,
        isolation_level: IsolationLevel | None = None,
        read_only: bool = False,
        connection: Connection | None = None,
    ) -> Transaction:
        """A transaction of the current task; inside another one, a savepoint of it.

        With `connection` it runs on one that the caller owns instead of one from the pool.
        """
        return Transaction(
            self,
            isolation_level=isolation_level,
            read_only=read_only,
            connection=connection,
            allow_nested=allow_nested,
        )

    def active_transaction(self) -> Transaction | None:
        """The innermost open transaction of this task; raises where it is another task's, inherited."""
        transaction = self.current_transaction.get()
        if not isinstance(transaction, Transaction):
            return None
        if transaction.task is not asyncio.current_task():
            raise ForeignTransactionError
        return transaction

    def transaction_exists(self) -> bool:
        return self.active_transaction() is not None

    def atomic(self) -> Atomic:
        return Atomic(engine=self)

    async def batch(  # type: ignore[override] # ours is not made of asyncpg's parts
        self,
        query: Query[Any, Any],
        batch_size: int = 100,
        node: str | None = None,  # noqa: ARG002 - Piccolo's signature
    ) -> Batch:
        return Batch(self, query, batch_size)

    async def run_querystring(self, querystring: QueryString, in_pool: bool = True) -> list[Row]:  # noqa: ARG002
        sql, arguments = querystring.compile_string(engine_type=self.engine_type)
        return await self._run(sql, arguments)

    async def run_ddl(self, ddl: str, in_pool: bool = True) -> list[Row]:  # noqa: ARG002
        return await self._run(ddl, None)

    async def _run(self, sql: str, arguments: Sequence[Any] | None) -> list[Row]:
        transaction = self.active_transaction()
        if transaction is not None and transaction.statements is not None:
            transaction.statements.append(sql)
        async with self.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql, arguments)
            return await cursor.fetchall() if cursor.description is not None else []
