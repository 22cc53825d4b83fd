"""The only reads and writes of servers and enrolment tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from pudim_collector.features.servers.rules import Named, ServerKind
from pudim_collector.features.servers.tables import EnrolmentToken, Server
from pudim_collector.infra.api.selectors import Selector
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import IN_SCOPE, OF_TEAM, Scope, rows
from pudim_collector.series.statements import fetch


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
    team_id: UUID


_COLUMNS: LiteralString = (
    "servers.id, servers.name, servers.public_key, servers.enrolled_at, servers.revoked_at, servers.agent_version,"
    " servers.facts::text, servers.kind, servers.seen_at, servers.tags, servers.opened_at"
)
_BY_NAME: LiteralString = "ORDER BY servers.name, servers.id"
_AFTER: LiteralString = (
    f"SELECT {_COLUMNS} FROM servers WHERE {IN_SCOPE} AND tags @> $1::text[]"  # noqa: S608 - constants
    " AND ($2::text IS NULL OR (name, id) > ($2, $3::uuid))"
)


def _server(row: Sequence[Any]) -> ServerRecord:
    server_id, name, key, enrolled_at, revoked_at, agent_version, facts, kind, *rest = row
    return ServerRecord(
        server_id,
        name,
        None if key is None else bytes(key),
        enrolled_at,
        revoked_at,
        agent_version,
        msgspec.json.decode(facts, type=dict[str, str]),
        ServerKind(kind),
        *rest,
    )


async def all_servers(scope: Scope) -> list[ServerRecord]:
    query: LiteralString = f"SELECT {_COLUMNS} FROM servers WHERE {IN_SCOPE} {_BY_NAME}"  # noqa: S608 - constants
    return [_server(row) for row in await rows(scope, query)]


async def every_server() -> list[ServerRecord]:
    """Of all teams: for the system's own work."""
    query: LiteralString = f"SELECT {_COLUMNS} FROM servers {_BY_NAME}"  # noqa: S608 - constants
    return await _found(query)


async def servers_after(
    scope: Scope, place: tuple[str, UUID] | None, tags: Sequence[str], selector: Selector, most: int
) -> list[ServerRecord]:
    """By name, those within the scope that come after `place`."""
    condition, asked = selector.condition("tags", 5)
    query: Any = f"{_AFTER} AND {condition} {_BY_NAME} LIMIT $4"  # its values are parameters
    parameters = [list(tags), *(place or (None, None)), most, *asked]
    return [_server(row) for row in await rows(scope, query, *parameters)]


async def find_server(within: Scope, server_id: UUID, *, lock: bool = False) -> ServerRecord | None:
    query: LiteralString = f"SELECT {_COLUMNS} FROM servers WHERE servers.id = $1 AND {IN_SCOPE}"  # noqa: S608 - constants
    found = await rows(within, f"{query} FOR UPDATE" if lock else query, server_id)
    return _server(found[0]) if found else None


async def find_servers(within: Scope, server_ids: Sequence[UUID]) -> list[ServerRecord]:
    query: LiteralString = (
        f"SELECT {_COLUMNS} FROM servers WHERE servers.id = ANY ($1) AND {IN_SCOPE} {_BY_NAME}"  # noqa: S608 - constants
    )
    return [_server(row) for row in await rows(within, query, list(server_ids))]


async def find_agents_server(server_id: UUID) -> ServerRecord | None:
    """The one whose agent shows its key."""
    query: LiteralString = f"SELECT {_COLUMNS} FROM servers WHERE servers.id = $1"  # noqa: S608 - constants
    return next(iter(await _found(query, server_id)), None)


async def _found(query: LiteralString, *parameters: object) -> list[ServerRecord]:
    async with database.connection() as connection:
        return [_server(row) for row in await fetch(connection, query, parameters)]


async def fleets() -> tuple[int, dict[UUID, dict[UUID, frozenset[str]]]]:
    """Each team's servers with their tags, and the version as of which it is so."""
    query: LiteralString = (
        "SELECT tenancy.version, servers.team_id, servers.id, servers.tags"
        " FROM tenancy LEFT JOIN servers ON true"
    )
    found: dict[UUID, dict[UUID, frozenset[str]]] = {}
    version = 0
    async with database.connection() as connection:
        for version, team_id, server_id, tags in await fetch(connection, query):  # noqa: B007 - the same in each
            if server_id is not None:
                found.setdefault(team_id, {})[server_id] = frozenset(tags)
    return version, found


async def insert_server(  # noqa: PLR0917 - a server's parts
    server_id: UUID,
    name: str,
    public_key: bytes,
    facts: dict[str, str],
    now: datetime,
    team_id: UUID | None = None,
) -> None:
    """Of the installation's first team if none is named."""
    query: LiteralString = (
        "INSERT INTO servers (id, team_id, name, public_key, facts, enrolled_at)"
        " VALUES ($1, coalesce($2, (SELECT id FROM teams ORDER BY created_at, id LIMIT 1)), $3, $4, $5::jsonb, $6)"
    )
    encoded = msgspec.json.encode(facts).decode()
    async with database.connection() as connection:
        await fetch(connection, query, [server_id, team_id, name, public_key, encoded, now])


async def insert_outside(server_id: UUID, team_id: UUID, name: str, made_by: UUID, now: datetime) -> None:
    query: LiteralString = (
        "INSERT INTO servers (id, team_id, name, kind, made_by, facts, enrolled_at)"
        " VALUES ($1, $2, $3, 'outside', $4, '{}', $5)"
    )
    async with database.connection() as connection:
        await fetch(connection, query, [server_id, team_id, name, made_by, now])


async def lock_outside() -> None:
    """Until the transaction ends, nobody else makes servers from outside: else one would be made twice."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('servers from outside', 0))")


async def named(team_id: UUID, names: Sequence[str]) -> list[Named]:
    """A team's servers of these names; another team's may be called the same."""
    query: LiteralString = (
        f"SELECT id, name, kind, revoked_at, enrolled_at FROM servers WHERE {OF_TEAM} AND name = ANY ($1)"  # noqa: S608 - constants
    )
    return [
        Named(server_id, name, ServerKind(kind), revoked_at is not None, enrolled_at)
        for server_id, name, kind, revoked_at, enrolled_at in await rows(Scope(team_id), query, list(names))
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


async def set_revoked(within: Scope, server_id: UUID, now: datetime) -> bool:
    """False if there is no such server, or it was revoked before."""
    query: LiteralString = (
        f"UPDATE servers SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND {IN_SCOPE} RETURNING id"  # noqa: S608 - constants
    )
    return bool(await rows(within, query, server_id, now))


async def delete_servers(servers: Sequence[UUID]) -> None:
    """With the tokens that they were enrolled by."""
    if servers:
        await EnrolmentToken.delete().where(EnrolmentToken.server_id.is_in(list(servers)))
        await Server.delete().where(Server.id.is_in(list(servers)))


async def set_name_and_tags(
    within: Scope, server_id: UUID, name: str | None, tags: Sequence[str] | None
) -> bool:
    """What is None stays. False if there is no such server."""
    query: LiteralString = (
        "UPDATE servers SET name = coalesce($2::text, name), tags = coalesce($3::text[], tags)"  # noqa: S608 - constants
        f" WHERE id = $1 AND {IN_SCOPE} RETURNING id"
    )
    return bool(await rows(within, query, server_id, name, None if tags is None else list(tags)))


async def revoked_servers() -> list[UUID]:
    found = await Server.select(Server.id).where(Server.revoked_at.is_not_null())
    return [row["id"] for row in found]


async def insert_token(  # noqa: PLR0917 - a token's parts
    token_id: UUID,
    token_hash: bytes,
    name: str | None,
    now: datetime,
    expires_at: datetime,
    team_id: UUID | None,
) -> None:
    """For the installation's first team if none is named."""
    query: LiteralString = (
        "INSERT INTO enrolment_tokens (id, token_hash, name, created_at, expires_at, team_id)"
        " VALUES ($1, $2, $3, $4, $5, coalesce($6, (SELECT id FROM teams ORDER BY created_at, id LIMIT 1)))"
    )
    async with database.connection() as connection:
        await fetch(connection, query, [token_id, token_hash, name, now, expires_at, team_id])


async def find_token(token_hash: bytes) -> TokenRecord | None:
    """Who shows the token needs nothing else: it says which team its server will belong to."""
    row = await EnrolmentToken.select().where(EnrolmentToken.token_hash == token_hash).first()
    if row is None:
        return None
    return TokenRecord(row["id"], row["name"], row["expires_at"], row["used_at"], row["team_id"])


async def claim_token(token_id: UUID, server_id: UUID, now: datetime) -> bool:
    """Use the token up; False if another enrolment was faster."""
    claimed = (
        await EnrolmentToken.update({EnrolmentToken.used_at: now, EnrolmentToken.server_id: server_id})
        .where(EnrolmentToken.id == token_id, EnrolmentToken.used_at.is_null())
        .returning(EnrolmentToken.id)
    )
    return bool(claimed)
