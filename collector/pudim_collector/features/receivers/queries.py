"""All reads and writes of receivers; who may ask was decided before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from pudim_collector.infra.database import database


@dataclass(frozen=True)
class Receiver:
    """Where entries are sent to, and how far it is."""

    id: UUID
    chain: UUID
    name: str
    kind: str
    settings: Mapping[str, Any]
    sequence: int
    created_at: datetime
    sent_at: datetime | None
    failing_since: datetime | None
    failures: int
    next_try_at: datetime | None
    last_error: str | None


async def receivers(chain: UUID | None = None) -> list[Receiver]:
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            "SELECT * FROM audit_receivers WHERE chain = $1 OR $1::uuid IS NULL ORDER BY name, id", [chain]
        )
        rows = await cursor.fetchall()
    return [Receiver(**{**row, "settings": msgspec.json.decode(row["settings"])}) for row in rows]


async def add_receiver(one: Receiver) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO audit_receivers (id, chain, name, kind, settings, sequence, created_at)"
            " VALUES ($1, $2, $3, $4, $5::jsonb, $6, $7)",
            [
                one.id,
                one.chain,
                one.name,
                one.kind,
                msgspec.json.encode(one.settings).decode(),
                one.sequence,
                one.created_at,
            ],
        )


async def remove_receiver(chain: UUID, receiver_id: UUID) -> str | None:
    """Its name; None where there was none."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "DELETE FROM audit_receivers WHERE chain = $1 AND id = $2 RETURNING name", [chain, receiver_id]
        )
        row = await cursor.fetchone()
    return row[0] if row else None


async def has_sent(receiver_id: UUID, sequence: int, now: datetime) -> None:
    """It has everything up to this entry."""
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE audit_receivers SET sequence = $2, sent_at = $3, failing_since = NULL, failures = 0,"
            " next_try_at = NULL, last_error = NULL WHERE id = $1 AND sequence < $2",
            [receiver_id, sequence, now],
        )


async def has_failed(receiver_id: UUID, said: str, now: datetime, next_try_at: datetime) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE audit_receivers SET failing_since = coalesce(failing_since, $3), failures = failures + 1,"
            " next_try_at = $4, last_error = $2 WHERE id = $1",
            [receiver_id, said, now, next_try_at],
        )
