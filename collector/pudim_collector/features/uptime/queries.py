"""The only reads and writes of checks and of the revisions of their lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import BY_SERVER, IN_SCOPE, Scope, rows
from pudim_collector.series.statements import fetch

_COLUMNS: LiteralString = (
    "id, server_id, name, kind, every_seconds, timeout_seconds, settings::text, secrets, enabled, created_at"
)
_LIST: LiteralString = f"SELECT {_COLUMNS} FROM checks WHERE server_id = $1"  # noqa: S608 - constants
_BY_NAME: LiteralString = "ORDER BY name, id"


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


async def checks_of(within: Scope, server_id: UUID) -> list[CheckRecord]:
    """By name."""
    query: LiteralString = f"{_LIST} AND {BY_SERVER} {_BY_NAME}"
    return [_record(row) for row in await rows(within, query, server_id)]


async def checks_for_agent(server_id: UUID) -> list[CheckRecord]:
    """What the agent of this very server is told to run, by name."""
    query: LiteralString = f"{_LIST} {_BY_NAME}"
    return [_record(row) for row in await _rows(query, server_id)]


async def find(within: Scope, server_id: UUID, check_id: UUID) -> CheckRecord | None:
    query: LiteralString = f"{_LIST} AND id = $2 AND {BY_SERVER}"
    return next((_record(row) for row in await rows(within, query, server_id, check_id)), None)


async def insert(within: Scope, record: CheckRecord) -> None:
    query: LiteralString = (
        f"INSERT INTO checks ({_COLUMNS.replace('::text', '')})"  # noqa: S608 - constants
        " SELECT $1, servers.id, $3, $4, $5, $6, $7, $8, $9, $10 FROM servers"
        f" WHERE servers.id = $2 AND {IN_SCOPE}"
    )
    await rows(within, query, *_values(record))


async def update(within: Scope, record: CheckRecord) -> None:
    query: LiteralString = (
        "UPDATE checks SET name = $3, kind = $4, every_seconds = $5, timeout_seconds = $6, settings = $7,"  # noqa: S608 - constants
        f" secrets = $8, enabled = $9, created_at = $10 WHERE id = $1 AND server_id = $2 AND {BY_SERVER}"
    )
    await rows(within, query, *_values(record))


async def delete(within: Scope, server_id: UUID, check_id: UUID) -> bool:
    query: LiteralString = f"DELETE FROM checks WHERE server_id = $1 AND id = $2 AND {BY_SERVER} RETURNING id"  # noqa: S608 - constants
    return bool(await rows(within, query, server_id, check_id))


async def advance(within: Scope, server_id: UUID) -> bool:
    """Give the list its next revision; until the transaction ends, nobody else changes this list.

    False where there is no such server.
    """
    query: LiteralString = (
        "INSERT INTO check_lists (server_id, revision)"  # noqa: S608 - constants
        f" SELECT servers.id, 1 FROM servers WHERE servers.id = $1 AND {IN_SCOPE}"
        " ON CONFLICT (server_id) DO UPDATE SET revision = check_lists.revision + 1 RETURNING revision"
    )
    return bool(await rows(within, query, server_id))


async def lock_list(within: Scope, server_id: UUID) -> None:
    """Until the transaction ends, nobody else changes this list."""
    query: LiteralString = f"SELECT revision FROM check_lists WHERE server_id = $1 AND {BY_SERVER} FOR UPDATE"  # noqa: S608 - constants
    await rows(within, query, server_id)


async def revision(server_id: UUID) -> int | None:
    """None when this server never had a check."""
    found = await _rows("SELECT revision FROM check_lists WHERE server_id = $1", server_id)
    return int(found[0][0]) if found else None


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
