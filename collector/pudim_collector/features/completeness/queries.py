"""The only reads and writes of judged days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec

from pudim_collector.features.completeness.rules import Completeness, Gap, State
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import BY_SERVER, Scope, rows
from pudim_collector.series.statements import fetch

_COLUMNS = "server_id, day, expected, stored, late, state, gaps::text, gaps_left_out, computed_at"


@dataclass(frozen=True)
class JudgedDay:
    """One server's day (UTC); `gaps_left_out` are smaller than those that are told."""

    server_id: UUID
    day: date
    found: Completeness
    state: State
    gaps_left_out: int
    computed_at: datetime


async def days_of(within: Scope, server_id: UUID, first: date, last: date) -> list[JudgedDay]:
    query: LiteralString = (
        f"SELECT {_COLUMNS} FROM completeness"  # noqa: S608 - constants
        f" WHERE server_id = $1 AND day BETWEEN $2 AND $3 AND {BY_SERVER} ORDER BY day"
    )
    return [_day(row) for row in await rows(within, query, server_id, first, last)]


async def servers_of(scope: Scope, day: date) -> list[JudgedDay]:
    query: LiteralString = f"SELECT {_COLUMNS} FROM completeness WHERE day = $1 AND {BY_SERVER}"  # noqa: S608 - constants
    return [_day(row) for row in await rows(scope, query, day)]


async def judged_since(first: date) -> dict[tuple[UUID, date], datetime]:
    """When each day from `first` on was judged last."""
    async with database.connection() as connection:
        query: LiteralString = "SELECT server_id, day, computed_at FROM completeness WHERE day >= $1"
        found = await fetch(connection, query, [first])
    return {(server_id, day): computed_at for server_id, day, computed_at in found}


async def save(days: Sequence[JudgedDay], now: datetime) -> None:
    """Days of servers that are gone meanwhile are passed over."""
    columns = [
        [one.server_id for one in days],
        [one.day for one in days],
        [one.found.expected for one in days],
        [one.found.stored for one in days],
        [one.found.late for one in days],
        [one.state.value for one in days],
        [msgspec.json.encode(one.found.gaps).decode() for one in days],
        [one.gaps_left_out for one in days],
    ]
    async with database.connection() as connection:
        await fetch(connection, _statement("save"), [*columns, now])


async def forget(today: date) -> None:
    async with database.connection() as connection:
        await fetch(connection, _statement("forget"), [today])


def _day(row: Sequence[Any]) -> JudgedDay:
    server_id, day, expected, stored, late, state, gaps, gaps_left_out, computed_at = row
    found = Completeness(expected, stored, late, msgspec.json.decode(gaps, type=list[Gap]))
    return JudgedDay(server_id, day, found, State(state), gaps_left_out, computed_at)


@cache
def _statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)
