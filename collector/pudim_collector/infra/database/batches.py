"""Large results in pieces, through a server-side cursor inside the pool and the current transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from piccolo.engine.base import BaseBatch
from piccolo.query.base import Query
from psycopg import AsyncRawServerCursor
from psycopg.rows import DictRow, dict_row

from pudim_collector.infra.database.transactions import Transaction

if TYPE_CHECKING:
    from pudim_collector.infra.database.engine import PsycopgEngine


class Batch(BaseBatch):
    """`async with await Table.select().batch() as batch: async for rows in batch: ...`."""

    def __init__(self, engine: PsycopgEngine, query: Query[Any, Any], batch_size: int) -> None:
        self._engine = engine
        self._query = query
        self._size = batch_size
        self._transaction: Transaction
        self._cursor: AsyncRawServerCursor[DictRow]

    async def next(self) -> list[Any]:
        rows = await self._cursor.fetchmany(self._size)
        return list(await self._query._process_results(rows))  # noqa: SLF001 - Piccolo's engines do the same

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Any]:
        if rows := await self.next():
            return rows
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        sql, arguments = self._query.querystrings[0].compile_string()
        self._transaction = self._engine.transaction()
        await self._transaction.__aenter__()
        try:
            connection = self._transaction.connection
            self._cursor = AsyncRawServerCursor(connection, f"batch_{uuid4().hex}", row_factory=dict_row)
            await self._cursor.execute(sql, arguments)
        except BaseException as error:
            await self._transaction.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        try:
            await self._cursor.close()
        finally:
            await self._transaction.__aexit__(kind, error, traceback)
