"""The only reads and writes of notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import BY_SERVER, Scope, rows
from pudim_collector.series.statements import fetch

_ALL: LiteralString = (
    f"SELECT kind, at, received_at, lasting, document::text FROM notices WHERE server_id = $1 AND {BY_SERVER}"  # noqa: S608 - constants
)
_HEADS: LiteralString = f"SELECT kind, received_at FROM notices WHERE server_id = $1 AND {BY_SERVER}"  # noqa: S608 - constants
_COUNTED: LiteralString = (
    "SELECT server_id, kind, total, bad, received_at, lasting FROM notices"  # noqa: S608 - constants
    f" WHERE server_id = ANY ($1) AND total IS NOT NULL AND {BY_SERVER}"
)


@dataclass(frozen=True)
class NoticeRecord:
    """A notice as it is kept; `document` is JSON."""

    kind: str
    at: datetime
    received_at: datetime
    lasting: bool
    document: str


@dataclass(frozen=True)
class Counted:
    server_id: UUID
    kind: str
    total: int
    bad: int
    received_at: datetime
    lasting: bool


@dataclass(frozen=True)
class NewNotice:
    """One to be kept."""

    server_id: UUID
    record: NoticeRecord
    total: int | None
    bad: int | None


async def save(notices: Sequence[NewNotice], channel: str) -> None:
    """In one statement, which also says on `channel` whose they are."""
    columns: list[list[object]] = [
        [one.server_id for one in notices],
        [one.record.kind for one in notices],
        [one.record.at for one in notices],
        [one.record.received_at for one in notices],
        [one.record.document for one in notices],
        [one.total for one in notices],
        [one.bad for one in notices],
        [one.record.lasting for one in notices],
    ]
    async with database.connection() as connection:
        await fetch(connection, _statement("save"), [*columns, channel])


async def find(within: Scope, server_id: UUID, kind: str) -> NoticeRecord | None:
    found = await rows(within, f"{_ALL} AND kind = $2", server_id, kind)
    return NoticeRecord(*found[0]) if found else None


async def all_of(within: Scope, server_id: UUID) -> list[NoticeRecord]:
    return [NoticeRecord(*row) for row in await rows(within, _ALL, server_id)]


async def heads(within: Scope, server_id: UUID) -> dict[str, datetime]:
    """When each kind was last heard of."""
    return {row[0]: row[1] for row in await rows(within, _HEADS, server_id)}


async def counted(within: Scope, servers: Sequence[UUID]) -> list[Counted]:
    """Without their documents."""
    return [Counted(*row) for row in await rows(within, _COUNTED, list(servers))]


@cache
def _statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)
