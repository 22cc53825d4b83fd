"""Statements that are asked with nearly every request: prepared once on each connection, and sent without a cursor.

A cursor looks for the dumper of each parameter and the loader of each column every time, which takes longer than the
statement itself. Here PostgreSQL tells the parameters' types, and how columns are read is found once a connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias
from weakref import WeakKeyDictionary

from psycopg import abc, errors
from psycopg.adapt import Transformer
from psycopg.generators import execute
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow

from pudim_collector.infra.database.pool import Connection

Parameter: TypeAlias = bytes | str
"""Bytes as PostgreSQL sends that type, or text as it reads it."""


class Prepared:
    """One statement of ours with `$1` and following, under a name that no other has."""

    def __init__(self, name: str, sql: str) -> None:
        self._name, self._sql = f"pudim_{name}".encode(), sql.encode()
        self._known: WeakKeyDictionary[Connection, abc.Transformer | None] = WeakKeyDictionary()

    async def rows(self, connection: Connection, *parameters: Parameter) -> list[TupleRow]:
        result = await self.result(connection, *parameters)
        reading = self._known.get(connection)
        if reading is None:
            reading = self._known[connection] = Transformer(connection)
            reading.set_pgresult(result)
        else:
            reading.set_pgresult(result, set_loaders=False)
        return reading.load_rows(0, result.ntuples, tuple)

    async def result(self, connection: Connection, *parameters: Parameter) -> PGresult:
        """Fields in PostgreSQL's binary form. Raises what psycopg raises for the server's errors."""
        values = [one.encode() if isinstance(one, str) else one for one in parameters]
        formats = [Format.TEXT if isinstance(one, str) else Format.BINARY for one in parameters]
        async with connection.lock:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                # A prepared statement that is not there any more would end the transaction.
                return await connection.wait(_sent(connection, self._sql, values, formats))
            try:
                return await self._executed(connection, values, formats)
            except errors.InvalidSqlStatementName:
                # A statement that changed tables made psycopg forget all that is prepared, on the server too.
                self._known.pop(connection, None)
                return await self._executed(connection, values, formats)

    async def _executed(
        self, connection: Connection, values: Sequence[bytes], formats: Sequence[Format]
    ) -> PGresult:
        # One wait for each: a cancellation is told to the server once, and what came after it would run to its end.
        if connection not in self._known:
            await connection.wait(_prepared(connection, self._name, self._sql))
            self._known[connection] = None
        return await connection.wait(_run(connection, self._name, values, formats))


def _prepared(connection: Connection, name: bytes, sql: bytes) -> abc.PQGen[None]:
    connection.pgconn.send_prepare(name, sql)
    # It is there already if whoever asked was cancelled before he heard so.
    with suppress(errors.DuplicatePreparedStatement):
        yield from _answer(connection)


def _run(
    connection: Connection, name: bytes, values: Sequence[bytes], formats: Sequence[Format]
) -> abc.PQGen[PGresult]:
    connection.pgconn.send_query_prepared(name, values, param_formats=formats, result_format=Format.BINARY)
    return (yield from _answer(connection))


def _sent(
    connection: Connection, sql: bytes, values: Sequence[bytes], formats: Sequence[Format]
) -> abc.PQGen[PGresult]:
    connection.pgconn.send_query_params(sql, values, param_formats=formats, result_format=Format.BINARY)
    return (yield from _answer(connection))


def _answer(connection: Connection) -> abc.PQGen[PGresult]:
    results: list[PGresult] = yield from execute(connection.pgconn)
    result = results[-1]
    if result.status == ExecStatus.FATAL_ERROR:
        raise errors.error_from_result(result, encoding=connection.info.encoding)
    return result
