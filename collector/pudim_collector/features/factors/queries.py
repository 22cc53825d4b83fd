"""All reads and writes of second factors; each use of a code is one conditional statement."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from pudim_collector.features.factors.tables import RecoveryKey, TotpSecret
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import Scope, rows

_USE_STEP = """
UPDATE totp_secrets SET last_step = $2 WHERE id = $1 AND (last_step IS NULL OR last_step < $2) RETURNING id
"""
_USE_CODE = "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2 RETURNING user_id"
_ADD_CODES = "INSERT INTO recovery_codes (user_id, code_hash) SELECT $1, unnest($2::bytea[])"
_COUNT_CODES = "SELECT count(*) FROM recovery_codes WHERE user_id = $1"
_DEMANDED_OF = """
SELECT FROM memberships JOIN teams ON teams.id = memberships.team_id
WHERE memberships.user_id = $1 AND teams.second_factor_required LIMIT 1
"""


@dataclass(frozen=True)
class TotpRecord:
    id: UUID
    sealed: bytes
    confirmed_at: datetime | None


@dataclass(frozen=True)
class TeamDemand:
    """Whether a team demands a second factor of its `members`, and how many are `without` one."""

    demanded: bool
    members: int
    without: int


async def find_totp(user_id: UUID, *, confirmed: bool) -> TotpRecord | None:
    state = TotpSecret.confirmed_at.is_not_null() if confirmed else TotpSecret.confirmed_at.is_null()
    row = (
        await TotpSecret.select(TotpSecret.id, TotpSecret.sealed, TotpSecret.confirmed_at)
        .where(TotpSecret.user_id == user_id, state)
        .first()
    )
    return TotpRecord(row["id"], bytes(row["sealed"]), row["confirmed_at"]) if row else None


async def replace_pending(totp_id: UUID, user_id: UUID, sealed: bytes, now: datetime) -> None:
    async with database.transaction():
        await TotpSecret.delete().where(TotpSecret.user_id == user_id, TotpSecret.confirmed_at.is_null())
        await TotpSecret.insert(TotpSecret(id=totp_id, user_id=user_id, sealed=sealed, created_at=now))


async def confirm_totp(totp_id: UUID, user_id: UUID, now: datetime) -> None:
    """The one before is void."""
    async with database.transaction():
        await TotpSecret.delete().where(TotpSecret.user_id == user_id, TotpSecret.id != totp_id)
        await TotpSecret.update({TotpSecret.confirmed_at: now}).where(TotpSecret.id == totp_id)


async def remove_totp(user_id: UUID) -> None:
    await TotpSecret.delete().where(TotpSecret.user_id == user_id)


async def use_step(totp_id: UUID, step: int) -> bool:
    """Whether nobody used this step or a later one before."""
    async with database.connection() as connection:
        return await (await connection.execute(_USE_STEP, [totp_id, step])).fetchone() is not None


async def find_recovery_key(user_id: UUID) -> bytes | None:
    """Sealed."""
    row = await RecoveryKey.select(RecoveryKey.sealed).where(RecoveryKey.user_id == user_id).first()
    return bytes(row["sealed"]) if row else None


async def replace_codes(user_id: UUID, sealed: bytes, hashes: Collection[bytes], now: datetime) -> None:
    """All codes from before are void."""
    async with database.transaction() as transaction:
        await RecoveryKey.delete().where(RecoveryKey.user_id == user_id)
        await RecoveryKey.insert(RecoveryKey(user_id=user_id, sealed=sealed, created_at=now))
        await transaction.connection.execute(_ADD_CODES, [user_id, list(hashes)])


async def remove_codes(user_id: UUID) -> None:
    await RecoveryKey.delete().where(RecoveryKey.user_id == user_id)


async def use_code(user_id: UUID, code_hash: bytes) -> bool:
    """Whether it was this call that used it."""
    async with database.connection() as connection:
        return await (await connection.execute(_USE_CODE, [user_id, code_hash])).fetchone() is not None


async def count_codes(user_id: UUID) -> int:
    async with database.connection() as connection:
        row = await (await connection.execute(_COUNT_CODES, [user_id])).fetchone()
    return int(row[0]) if row else 0


# What teams demand


async def team_demand(team: Scope) -> TeamDemand:
    query: LiteralString = (
        "SELECT (SELECT second_factor_required FROM teams WHERE id = {team}), count(*), count(*) FILTER (WHERE NOT EXISTS ("
        "SELECT FROM people_with_factor AS able WHERE able.user_id = memberships.user_id))"
        " FROM memberships WHERE team_id = {team}"
    )
    ((demanded, members, without),) = await rows(team, query)
    return TeamDemand(bool(demanded), members, without)


async def lock_demand(team: Scope) -> bool:
    found = await rows(team, "SELECT second_factor_required FROM teams WHERE id = {team} FOR UPDATE")
    return bool(found and found[0][0])


async def set_demand(team: Scope, *, demanded: bool) -> None:
    await rows(team, "UPDATE teams SET second_factor_required = $1 WHERE id = {team}", demanded)


async def is_demanded_of(user_id: UUID) -> bool:
    """By any team that he is in."""
    async with database.connection() as connection:
        cursor = await connection.execute(_DEMANDED_OF, [user_id])
        return await cursor.fetchone() is not None
