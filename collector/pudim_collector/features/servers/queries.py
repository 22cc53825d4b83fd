"""The only reads and writes of servers and enrolment tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from pudim_collector.features.servers.rules import Named, ServerKind
from pudim_collector.features.servers.tables import EnrolmentToken, Server
from pudim_collector.infra.api.selectors import Selector
from pudim_collector.infra.database import database

_AFTER = (
    "SELECT * FROM servers WHERE tags @> $1::text[] AND ($2::text IS NULL OR (name, id) > ($2, $3::uuid))"
)


@dataclass(frozen=True)
class ServerRecord:
    """A server as it is kept. Facts are short texts by OpenTelemetry's resource names."""

    id: UUID
    name: str
    public_key: bytes | None
    enrolled_at: datetime
    revoked_at: datetime | None
    agent_version: str | None
    facts: dict[str, str]
    kind: ServerKind = ServerKind.AGENT
    seen_at: datetime | None = None
    tags: Sequence[str] = ()
    opened_at: datetime | None = None


@dataclass(frozen=True)
class TokenRecord:
    id: UUID
    name: str | None
    expires_at: datetime
    used_at: datetime | None


def _server(row: dict[str, Any]) -> ServerRecord:
    return ServerRecord(
        row["id"],
        row["name"],
        None if row["public_key"] is None else bytes(row["public_key"]),
        row["enrolled_at"],
        row["revoked_at"],
        row["agent_version"],
        msgspec.json.decode(row["facts"], type=dict[str, str]),
        ServerKind(row["kind"]),
        row["seen_at"],
        row["tags"],
        row["opened_at"],
    )


async def all_servers() -> list[ServerRecord]:
    return [_server(row) for row in await Server.select().order_by(Server.name, Server.id)]


async def servers_after(
    place: tuple[str, UUID] | None, tags: Sequence[str], selector: Selector, most: int
) -> list[ServerRecord]:
    """By name, those that come after `place`."""
    condition, asked = selector.condition("tags", 5)
    query: Any = f"{_AFTER} AND {condition} ORDER BY name, id LIMIT $4"  # its values are parameters
    parameters = [list(tags), *(place or (None, None)), most, *asked]
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, parameters)
        return [_server(row) for row in await cursor.fetchall()]


async def find_server(server_id: UUID, *, lock: bool = False) -> ServerRecord | None:
    found = Server.select().where(Server.id == server_id).first()
    row = await (found.lock_rows("UPDATE") if lock else found)
    return None if row is None else _server(row)


async def find_servers(server_ids: Sequence[UUID]) -> list[ServerRecord]:
    rows = await Server.select().where(Server.id.is_in(list(server_ids))).order_by(Server.name, Server.id)
    return [_server(row) for row in rows]


async def insert_server(
    server_id: UUID, name: str, public_key: bytes, facts: dict[str, str], now: datetime
) -> None:
    encoded = msgspec.json.encode(facts).decode()
    await Server.insert(
        Server(id=server_id, name=name, public_key=public_key, enrolled_at=now, facts=encoded)
    )


async def insert_outside(server_id: UUID, name: str, made_by: UUID, now: datetime) -> None:
    await Server.insert(
        Server(
            id=server_id,
            name=name,
            public_key=None,
            kind=ServerKind.OUTSIDE.value,
            made_by=made_by,
            enrolled_at=now,
            facts="{}",
        )
    )


async def lock_outside() -> None:
    """Until the transaction ends, nobody else makes servers from outside: else one would be made twice."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('servers from outside', 0))")


async def named(names: Sequence[str]) -> list[Named]:
    rows = await Server.select(
        Server.id, Server.name, Server.kind, Server.revoked_at, Server.enrolled_at
    ).where(Server.name.is_in(list(names)))
    return [
        Named(
            row["id"], row["name"], ServerKind(row["kind"]), row["revoked_at"] is not None, row["enrolled_at"]
        )
        for row in rows
    ]


async def count_made_by(sender_id: UUID) -> int:
    return int(await Server.count().where(Server.made_by == sender_id, Server.revoked_at.is_null()))


async def set_seen(servers: Sequence[UUID], now: datetime) -> None:
    await Server.update({Server.seen_at: now}).where(Server.id.is_in(list(servers)))


async def update_opened(server_id: UUID, agent_version: str, facts: dict[str, str], now: datetime) -> None:
    await Server.update(
        {
            Server.agent_version: agent_version,
            Server.facts: msgspec.json.encode(facts).decode(),
            Server.opened_at: now,
        }
    ).where(Server.id == server_id)


async def set_revoked(server_id: UUID, now: datetime) -> bool:
    """False if there is no such server, or it was revoked before."""
    changed = (
        await Server.update({Server.revoked_at: now})
        .where(Server.id == server_id, Server.revoked_at.is_null())
        .returning(Server.id)
    )
    return bool(changed)


async def delete_servers(servers: Sequence[UUID]) -> None:
    """With the tokens that they were enrolled by."""
    if servers:
        await EnrolmentToken.delete().where(EnrolmentToken.server_id.is_in(list(servers)))
        await Server.delete().where(Server.id.is_in(list(servers)))


async def set_name_and_tags(server_id: UUID, name: str | None, tags: Sequence[str] | None) -> bool:
    """What is None stays. False if there is no such server."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "UPDATE servers SET name = coalesce($2::text, name), tags = coalesce($3::text[], tags) WHERE id = $1",
            [server_id, name, None if tags is None else list(tags)],
        )
        return bool(cursor.rowcount)


async def server_ids() -> list[UUID]:
    return [row["id"] for row in await Server.select(Server.id)]


async def tagged_servers(tags: Sequence[str]) -> list[UUID]:
    """Those with all of `tags`."""
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT id FROM servers WHERE tags @> $1::text[]", [list(tags)])
        return [row[0] for row in await cursor.fetchall()]


async def revoked_servers() -> list[UUID]:
    rows = await Server.select(Server.id).where(Server.revoked_at.is_not_null())
    return [row["id"] for row in rows]


async def insert_token(
    token_id: UUID, token_hash: bytes, name: str | None, now: datetime, expires_at: datetime
) -> None:
    await EnrolmentToken.insert(
        EnrolmentToken(id=token_id, token_hash=token_hash, name=name, created_at=now, expires_at=expires_at)
    )


async def find_token(token_hash: bytes) -> TokenRecord | None:
    row = await EnrolmentToken.select().where(EnrolmentToken.token_hash == token_hash).first()
    return None if row is None else TokenRecord(row["id"], row["name"], row["expires_at"], row["used_at"])


async def claim_token(token_id: UUID, server_id: UUID, now: datetime) -> bool:
    """Use the token up; False if another enrolment was faster."""
    claimed = (
        await EnrolmentToken.update({EnrolmentToken.used_at: now, EnrolmentToken.server_id: server_id})
        .where(EnrolmentToken.id == token_id, EnrolmentToken.used_at.is_null())
        .returning(EnrolmentToken.id)
    )
    return bool(claimed)
