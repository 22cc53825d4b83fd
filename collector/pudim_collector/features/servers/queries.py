"""The only reads and writes of servers and enrolment tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from pudim_collector.features.servers.tables import EnrolmentToken, Server


@dataclass(frozen=True)
class ServerRecord:
    """A server as it is kept. Facts are short texts by OpenTelemetry's resource names."""

    id: UUID
    name: str
    public_key: bytes
    enrolled_at: datetime
    revoked_at: datetime | None
    agent_version: str | None
    facts: dict[str, str]


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
        bytes(row["public_key"]),
        row["enrolled_at"],
        row["revoked_at"],
        row["agent_version"],
        msgspec.json.decode(row["facts"], type=dict[str, str]),
    )


async def all_servers() -> list[ServerRecord]:
    return [_server(row) for row in await Server.select().order_by(Server.name, Server.id)]


async def find_server(server_id: UUID) -> ServerRecord | None:
    row = await Server.select().where(Server.id == server_id).first()
    return None if row is None else _server(row)


async def insert_server(
    server_id: UUID, name: str, public_key: bytes, facts: dict[str, str], now: datetime
) -> None:
    encoded = msgspec.json.encode(facts).decode()
    await Server.insert(
        Server(id=server_id, name=name, public_key=public_key, enrolled_at=now, facts=encoded)
    )


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


async def server_ids() -> list[UUID]:
    return [row["id"] for row in await Server.select(Server.id)]


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
