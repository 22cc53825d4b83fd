"""Transactions that belong to one task, nest as savepoints, and give their connection back on every path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, Self

import psycopg
from piccolo.engine.base import validate_savepoint_name
from piccolo.engine.exceptions import TransactionError
from piccolo.engine.postgres import PostgresTransaction
from piccolo.engine.postgres import Savepoint as PiccoloSavepoint
from psycopg.pq import TransactionStatus

from pudim_collector.infra.database.errors import NestedSettingsError, TransactionRolledBackError
from pudim_collector.infra.database.pool import Connection, Pool

if TYPE_CHECKING:
    from pudim_collector.infra.database.engine import PsycopgEngine

_log = logging.getLogger(__name__)
_ROLLBACK_PATIENCE = 5.0
Work = Callable[[Sequence[Any], Connection], Awaitable[None]]
"""What is done as the last of a transaction."""


class IsolationLevel(StrEnum):
    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"


class Savepoint(PiccoloSavepoint):
    """A point inside a transaction to roll back to by hand, as in Piccolo."""

    def __init__(self, name: str, connection: Connection) -> None:
        validate_savepoint_name(name)
        self.name = name
        self._connection = connection

    async def rollback_to(self) -> None:
        await self._connection.execute(f'ROLLBACK TO SAVEPOINT "{self.name}"')

    async def release(self) -> None:
        await self._connection.execute(f'RELEASE SAVEPOINT "{self.name}"')


class Transaction(PostgresTransaction):
    """`async with database.transaction():`, the outermost a transaction, inner ones savepoints of it."""

    connection: Connection
    _parent: Transaction | None

    def __init__(
        self,
        engine: PsycopgEngine,
        *,
        isolation_level: IsolationLevel | None,
        read_only: bool,
        connection: Connection | None,
        allow_nested: bool,
    ) -> None:
        self._engine = engine
        self._begin = _begin_statement(isolation_level, read_only=read_only)
        self._borrowed = connection
        self._allow_nested = allow_nested
        self._pool: Pool | None = None
        self._parent = None
        self._depth = 0
        self._savepoints = 0
        self._settled = False
        self._last: list[tuple[Work, Any]] = []
        self.task: asyncio.Task[object] | None = None
        self.statements: list[str] | None = None

    async def __aenter__(self) -> Self:
        self._parent = self._engine.active_transaction()
        self.task = asyncio.current_task()
        if self._parent is None:
            await self._enter_outermost()
        else:
            await self._enter_nested(self._parent)
        self._engine.current_transaction.set(self)
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> Literal[False]:
        self._engine.current_transaction.set(self._parent)
        try:
            if error is None and not self._settled:
                await self.commit()
            elif not self._settled:
                await self._undo_quietly()
        finally:
            if self._pool is not None:
                await self._pool.give_back(self.connection)
        return False

    def before_commit(self, work: Work, one: Any) -> None:
        """Do this as the last of the outermost transaction; never if this one is rolled back, on its own or with others.

        `work` is done once, with `one` of each call in their order: so it can take its locks in an order of its own.
        """
        self._last.append((work, one))

    async def commit(self) -> None:
        """End it now; leaving the block does so by itself."""
        if self._parent is not None:
            for work, one in self._last:
                self._parent.before_commit(work, one)
        elif self.connection.pgconn.transaction_status != TransactionStatus.INERROR:
            await self._do_last()
        if self.connection.pgconn.transaction_status == TransactionStatus.INERROR:
            await self.rollback()
            raise TransactionRolledBackError
        self._settled = True
        if self._parent is not None:
            await self.connection.execute(f"RELEASE SAVEPOINT {self._name}")
            return
        cursor = await self.connection.execute("COMMIT")
        if cursor.statusmessage == "ROLLBACK":
            raise TransactionRolledBackError

    async def _do_last(self) -> None:
        try:
            while self._last:
                work, _ = self._last[0]
                ones = [one for known, one in self._last if known == work]
                self._last = [pair for pair in self._last if pair[0] != work]
                await work(ones, self.connection)
        except BaseException:
            await self._undo_quietly()
            raise

    async def rollback(self) -> None:
        """Undo it now; an exception that leaves the block does so by itself."""
        self._settled = True
        if self._parent is None:
            await self.connection.execute("ROLLBACK")
        else:
            await self.connection.execute(f"ROLLBACK TO SAVEPOINT {self._name}")
            await self.connection.execute(f"RELEASE SAVEPOINT {self._name}")

    async def savepoint(self, name: str | None = None) -> Savepoint:
        self._savepoints += 1
        point = Savepoint(name or f"savepoint_{self._depth}_{self._savepoints}", self.connection)
        await self.connection.execute(f'SAVEPOINT "{point.name}"')
        return point

    async def rollback_to(self, savepoint_name: str) -> None:
        await Savepoint(savepoint_name, self.connection).rollback_to()

    @property
    def _name(self) -> str:
        return f"pudim_{self._depth}"

    async def _enter_outermost(self) -> None:
        if self._borrowed is not None:
            self.connection = self._borrowed
        else:
            self._pool = self._engine.pool_in_use
            self.connection = await self._pool.take()
        try:
            await self.connection.execute(self._begin)
        except BaseException:
            if self._pool is not None:
                await self._pool.give_back(self.connection)
            raise

    async def _enter_nested(self, parent: Transaction) -> None:
        if not self._allow_nested:
            raise TransactionError("a transaction is already active")
        if self._begin != "BEGIN" or self._borrowed is not None:
            raise NestedSettingsError
        self.connection = parent.connection
        self.statements = parent.statements
        self._depth = parent._depth + 1
        await self.connection.execute(f"SAVEPOINT {self._name}")

    async def _undo_quietly(self) -> None:
        """Roll back for the error that is under way, which says more than what a broken connection adds."""
        if self.connection.pgconn.transaction_status not in _UNDOABLE:
            return
        try:
            async with asyncio.timeout(_ROLLBACK_PATIENCE):
                await self.rollback()
        except (psycopg.Error, TimeoutError):
            _log.warning("rollback failed, the connection is dropped", exc_info=True)
            await self.connection.close()


_UNDOABLE = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


def _begin_statement(isolation_level: IsolationLevel | None, *, read_only: bool) -> str:
    level = f" ISOLATION LEVEL {isolation_level}" if isolation_level is not None else ""
    return f"BEGIN{level}{' READ ONLY' if read_only else ''}"
