"""The store's SQL: statements from the `.sql` files beside this module, and how they are run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any, LiteralString, cast

from prometheus_client import Histogram
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.pq import ExecStatus
from psycopg.rows import TupleRow, tuple_row

from pudim_collector.infra.database.prepared import Prepared
from pudim_collector.infra.telemetry import histogram

SQL = Path(__file__).parent / "sql"
MIGRATIONS = SQL / "migrations"
SLOW = 0.5
"""Seconds after which a statement is worth a line in the log."""
log = logging.getLogger(__name__)

durations = histogram(
    "pudim_database_statement_seconds",
    "Time of the store's statements, from asking to the last row.",
    ["statement"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)


class Timed:
    """One statement that is under way; `rows` is told when they are known."""

    rows: int | None = None


@cache
def statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)


async def run(connection: AsyncConnection[Any], name: str, *parameters: object) -> list[TupleRow]:
    """All rows of `sql/<name>.sql` with `$1` and following set to `parameters`."""
    with timed(name) as one:
        rows = await fetch(connection, statement(name), parameters)
        one.rows = len(rows)
        return rows


@cache
def _durations_of(name: str) -> Histogram:
    """Looking a label up takes as long as counting."""
    return durations.labels(name)


@cache
def prepared(name: str) -> Prepared:
    """`sql/<name>.sql` for what is asked with each request."""
    return Prepared(name, statement(name))


@contextmanager
def timed(name: str) -> Iterator[Timed]:
    """Count how long a statement takes, and log a slow one; its parameters are nobody's business."""
    one, started = Timed(), perf_counter()
    try:
        yield one
    finally:
        took = perf_counter() - started
        _durations_of(name).observe(took)
        if took >= SLOW:
            outcome = "failed" if one.rows is None else f"{one.rows} rows"
            log.warning("statement %s took %.0f ms: %s", name, took * 1000, outcome)


async def fetch(
    connection: AsyncConnection[Any], query: LiteralString, parameters: Sequence[object] = ()
) -> list[TupleRow]:
    cursor = AsyncRawCursor(connection, row_factory=tuple_row)
    await cursor.execute(query, parameters, binary=True)
    # A description would be made of every column, only to learn that there is one.
    result = cursor.pgresult
    return await cursor.fetchall() if result is not None and result.status == ExecStatus.TUPLES_OK else []
