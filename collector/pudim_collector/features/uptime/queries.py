"""The only reads and writes of checks and of the revisions of their lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from pudim_collector.infra.database import database
from pudim_collector.series.statements import fetch

_COLUMNS: LiteralString = (
    "id, server_id, name, kind, every_seconds, timeout_seconds, settings::text, secrets, enabled, created_at"
)


@dataclass(frozen=True)
class CheckRecord:
    """A check as it is kept; `secrets` are sealed."""

    id: UUID
    server_id: UUID
    name: str
    kind: str
    interval: float
    timeout: float
    settings: Mapping[str, Any]
    secrets: bytes | None
    enabled: bool
    created_at: datetime


async def checks_of(server_id: UUID) -> list[CheckRecord]:
    """By name."""
    query: LiteralString = f"SELECT {_COLUMNS} FROM checks WHERE server_id = $1 ORDER BY name, id"  # noqa: S608 - constants
    return [_record(row) for row in await _rows(query, server_id)]


async def find(server_id: UUID, check_id: UUID) -> CheckRecord | None:
    query: LiteralString = f"SELECT {_COLUMNS} FROM checks WHERE server_id = $1 AND id = $2"  # noqa: S608 - constants
    return next((_record(row) for row in await _rows(query, server_id, check_id)), None)


async def insert(record: CheckRecord) -> None:
    query: LiteralString = f"INSERT INTO checks ({_COLUMNS.replace('::text', '')}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"  # noqa: S608 - constants
    await _rows(query, *_values(record))


async def update(record: CheckRecord) -> None:
    query: LiteralString = (
        "UPDATE checks SET name = $3, kind = $4, every_seconds = $5, timeout_seconds = $6, settings = $7,"
        " secrets = $8, enabled = $9, created_at = $10 WHERE id = $1 AND server_id = $2"
    )
    await _rows(query, *_values(record))


async def delete(server_id: UUID, check_id: UUID) -> bool:
    query: LiteralString = "DELETE FROM checks WHERE server_id = $1 AND id = $2 RETURNING id"
    return bool(await _rows(query, server_id, check_id))


async def advance(server_id: UUID) -> int:
    """The list's next revision; until the transaction ends, nobody else changes this list."""
    query: LiteralString = (
        "INSERT INTO check_lists (server_id, revision) VALUES ($1, 1)"
        " ON CONFLICT (server_id) DO UPDATE SET revision = check_lists.revision + 1 RETURNING revision"
    )
    return int((await _rows(query, server_id))[0][0])


async def lock_list(server_id: UUID) -> None:
    """Until the transaction ends, nobody else changes this list."""
    await _rows("SELECT revision FROM check_lists WHERE server_id = $1 FOR UPDATE", server_id)


async def revision(server_id: UUID) -> int | None:
    """None when this server never had a check."""
    rows = await _rows("SELECT revision FROM check_lists WHERE server_id = $1", server_id)
    return int(rows[0][0]) if rows else None


async def servers_with_lists() -> list[UUID]:
    return [row[0] for row in await _rows("SELECT server_id FROM check_lists")]


def _record(row: Sequence[Any]) -> CheckRecord:
    check_id, server_id, name, kind, interval, timeout, settings, secrets, enabled, created_at = row
    return CheckRecord(
        check_id,
        server_id,
        name,
        kind,
        interval,
        timeout,
        msgspec.json.decode(settings),
        secrets,
        enabled,
        created_at,
    )


def _values(record: CheckRecord) -> list[object]:
    return [
        record.id,
        record.server_id,
        record.name,
        record.kind,
        record.interval,
        record.timeout,
        msgspec.json.encode(record.settings).decode(),
        record.secrets,
        record.enabled,
        record.created_at,
    ]


async def _rows(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)
