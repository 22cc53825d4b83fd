"""The only reads and writes of API tokens; who may ask was decided before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, NamedTuple, cast
from uuid import UUID

from pudim_collector.features.tokens.rules import Kind
from pudim_collector.features.tokens.tables import ApiToken
from pudim_collector.infra.api.token_scopes import Narrowing
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.database.prepared import Prepared
from pudim_collector.infra.scoping import IN_SCOPE, Scope, rows
from pudim_collector.infra.standing import Standing, read_grants
from pudim_collector.series.statements import fetch

_SQL = Path(__file__).parent / "sql"
_TOKEN = Prepared("token_of_secret", (_SQL / "token.sql").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class ShownToken:
    """A token whose secret was shown. `secret_ends_at` is set where that is the one before it was renewed."""

    id: UUID
    name: str
    expires_at: datetime | None
    secret_ends_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    narrowing: Narrowing
    standing: Standing


@dataclass(frozen=True)
class TokenRecord:
    """`made_by` is as whom it acts, None for a service's; `maker` is what who made it is called."""

    id: UUID
    team_id: UUID
    made_by: UUID | None
    name: str
    prefix: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    last_used_address: str | None = None
    own_role: UUID | None = None
    operator: bool = False
    scopes: Sequence[str] | None = None
    only_servers: Sequence[UUID] | None = None
    only_tags: Sequence[str] | None = None
    previous_ends_at: datetime | None = None
    maker: str | None = None
    own: Sequence[str] | None = None
    networks: Sequence[str] | None = None

    @property
    def kind(self) -> Kind:
        return Kind.SERVICE if self.made_by is None else Kind.PERSONAL

    @property
    def narrowing(self) -> Narrowing:
        return Narrowing.to(self.scopes, self.only_servers, self.only_tags)

    @property
    def told(self) -> Mapping[str, Any]:
        """As the audit log shows it."""
        return {
            "name": self.name,
            "scopes": _array(self.scopes),
            "only_servers": None if self.only_servers is None else list(map(str, self.only_servers)),
            "only_tags": _array(self.only_tags),
            "expires_at": self.expires_at.isoformat() if self.expires_at else None,
        }


class Ending(NamedTuple):
    """A token that is about to end; `made_by` is as in its record."""

    id: UUID
    team_id: UUID
    team: str
    name: str
    made_by: UUID | None
    expires_at: datetime


class Reachable(NamedTuple):
    """A member who may have to be told; `own` are the permissions of a team's own role."""

    email: str
    language: str | None
    role: str
    own: Sequence[str] | None


async def find_token(secret_hash: bytes) -> ShownToken | None:
    # Asked with each request of a program: one statement for all that decides over it.
    async with database.connection() as connection:
        found = await _TOKEN.rows(connection, secret_hash)
    if not found:
        return None
    token_id, team_id, name, expires_at, secret_ends_at, used_at, revoked_at, *rest = found[0]
    scopes, servers, tags, role, own_name, own, grants, tenancy, operator, lacks_factor = rest
    standing = Standing(team_id, role, own_name, own, read_grants(grants), tenancy, operator, lacks_factor)
    narrowing = Narrowing.to(scopes, servers, tags)
    return ShownToken(token_id, name, expires_at, secret_ends_at, used_at, revoked_at, narrowing, standing)


async def tokens_of(
    principal: Principal, *, everybodys: bool, token_id: UUID | None = None
) -> list[TokenRecord]:
    """The newest first: everybody's in the team, or those of who asks."""
    found = await rows(Scope(principal.team_id), _statement("tokens"), everybodys, principal.id, token_id)
    return [TokenRecord(*row) for row in found]


async def add_token(
    token: TokenRecord, secret_hash: bytes, created_by: UUID | None, warned: int | None
) -> None:
    await ApiToken.insert(
        ApiToken(
            id=token.id,
            team=token.team_id,
            made_by=token.made_by,
            created_by=created_by,
            name=token.name,
            prefix=token.prefix,
            secret_hash=secret_hash,
            role=token.role,
            created_at=token.created_at,
            expires_at=token.expires_at,
            warned=warned,
            own_role=token.own_role,
            operator=token.operator,
            scopes=_array(token.scopes),
            only_servers=_array(token.only_servers),
            only_tags=_array(token.only_tags),
        )
    )


async def lock_token(team_id: UUID, token_id: UUID) -> bool:
    """Whether it is there; nobody else changes it until the transaction ends."""
    found = (
        await ApiToken.select(ApiToken.id)
        .where(ApiToken.id == token_id, ApiToken.team == team_id, ApiToken.revoked_at.is_null())
        .lock_rows("UPDATE")
    )
    return bool(found)


async def set_token(team_id: UUID, token_id: UUID, name: str, narrowing: Narrowing) -> None:
    changes: dict[Any, Any] = {
        ApiToken.name: name,
        ApiToken.scopes: _array(narrowing.scopes),
        ApiToken.only_servers: _array(narrowing.servers),
        ApiToken.only_tags: _array(narrowing.tags),
    }
    await ApiToken.update(changes).where(ApiToken.id == token_id, ApiToken.team == team_id)


async def set_secret(
    token: TokenRecord, secret_hash: bytes, ends_at: datetime | None, warned: int | None
) -> None:
    """The secret that it had is good until `ends_at`, for nothing where that is None."""
    query: LiteralString = (
        "UPDATE api_tokens SET previous_hash = CASE WHEN $4::timestamptz IS NULL THEN NULL ELSE secret_hash END,"
        " previous_ends_at = $4, secret_hash = $3, prefix = $5, expires_at = $6, warned = $7"
        " WHERE team = {team} AND id = $1 AND revoked_at IS NULL AND created_at = $2"
    )
    await rows(
        Scope(token.team_id),
        query,
        token.id,
        token.created_at,
        secret_hash,
        ends_at,
        token.prefix,
        token.expires_at,
        warned,
    )


async def touch_token(token_id: UUID, now: datetime, address: str | None) -> None:
    changes: dict[Any, Any] = {ApiToken.last_used_at: now, ApiToken.last_used_address: address}
    await ApiToken.update(changes).where(ApiToken.id == token_id)


async def revoke_token(team_id: UUID, token_id: UUID, now: datetime) -> None:
    await ApiToken.update({ApiToken.revoked_at: now}).where(
        ApiToken.id == token_id, ApiToken.team == team_id, ApiToken.revoked_at.is_null()
    )


async def revoke_tokens_of_nobody(name: str, now: datetime) -> None:
    await ApiToken.update({ApiToken.revoked_at: now}).where(
        ApiToken.made_by.is_null(),
        ApiToken.created_by.is_null(),
        ApiToken.name == name,
        ApiToken.revoked_at.is_null(),
    )


async def servers_of(within: Scope, most: int) -> list[tuple[UUID, str]]:
    """The first so many that somebody reaches, by name."""
    query: LiteralString = f"SELECT id, name FROM servers WHERE {IN_SCOPE} ORDER BY name, id LIMIT $1"  # noqa: S608 - constants
    return [(row[0], row[1]) for row in await rows(within, query, most)]


async def ending(now: datetime, first: datetime, last: datetime) -> list[Ending]:
    """What ends before `first`, and of what was told already only what ends before `last`."""
    async with database.connection() as connection:
        return [Ending(*row) for row in await fetch(connection, _statement("ending"), [now, first, last])]


async def members_of(team_id: UUID, user_id: UUID | None) -> list[Reachable]:
    """All of the team's, or the one."""
    query: LiteralString = (
        "SELECT users.email, users.language, memberships.role, roles.permissions"
        " FROM memberships JOIN users ON users.id = memberships.user_id"
        " LEFT JOIN roles ON roles.id = memberships.own_role"
        " WHERE memberships.team_id = {team} AND ($1::uuid IS NULL OR users.id = $1) ORDER BY users.id"
    )
    return [Reachable(*row) for row in await rows(Scope(team_id), query, user_id)]


async def claim_warning(team_id: UUID, token_id: UUID, days: int) -> bool:
    """Whether it is this call that tells."""
    told = (
        await ApiToken.update({ApiToken.warned: days})
        .where(
            ApiToken.id == token_id,
            ApiToken.team == team_id,
            ApiToken.revoked_at.is_null(),
            (ApiToken.warned.is_null()) | (ApiToken.warned > days),
        )
        .returning(ApiToken.id)
    )
    return bool(told)


@cache
def _statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (_SQL / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)


def _array(values: Sequence[object] | None) -> list[object] | None:
    """As the driver takes an array: a tuple would be a row."""
    return None if values is None else list(values)
