"""The store's SQL: statements from the `.sql` files beside this module, and how they are run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast

from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.rows import TupleRow, tuple_row

SQL = Path(__file__).parent / "sql"
MIGRATIONS = SQL / "migrations"


@cache
def statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)


async def run(connection: AsyncConnection[Any], name: str, *parameters: object) -> list[TupleRow]:
    """All rows of `sql/<name>.sql` with `$1` and following set to `parameters`."""
    return await fetch(connection, statement(name), parameters)


async def fetch(
    connection: AsyncConnection[Any], query: LiteralString, parameters: Sequence[object] = ()
) -> list[TupleRow]:
    cursor = AsyncRawCursor(connection, row_factory=tuple_row)
    await cursor.execute(query, parameters, binary=True)
    return await cursor.fetchall() if cursor.description is not None else []
