"""All reads and writes of passkeys; a challenge is answered once, by deleting it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pudim_collector.features.passkeys.tables import Passkey, PasskeyChallenge
from pudim_collector.infra.database import database

_DROP_OLDEST = """
DELETE FROM passkey_challenges WHERE expires_at <= $1 OR expires_at < (
    SELECT expires_at FROM passkey_challenges ORDER BY expires_at DESC OFFSET $2 LIMIT 1
)
"""
_TAKE = """
DELETE FROM passkey_challenges
WHERE challenge = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3::uuid AND expires_at > $4
RETURNING challenge
"""
_COUNTED = """
UPDATE passkeys SET sign_count = $2, last_used_at = $3
WHERE id = $1 AND (sign_count < $2 OR (sign_count = 0 AND $2 = 0)) RETURNING id
"""


@dataclass(frozen=True)
class PasskeyRecord:
    id: UUID
    user_id: UUID
    name: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    created_at: datetime
    last_used_at: datetime | None


async def add_challenge(
    challenge: bytes, purpose: str, user_id: UUID | None, *, now: datetime, expires_at: datetime, most: int
) -> None:
    async with database.transaction() as transaction:
        await transaction.connection.execute(_DROP_OLDEST, [now, most])
        await PasskeyChallenge.insert(
            PasskeyChallenge(challenge=challenge, purpose=purpose, user_id=user_id, expires_at=expires_at)
        )


async def take_challenge(challenge: bytes, purpose: str, user_id: UUID | None, now: datetime) -> bool:
    """Whether it waited for this answer; it does not any more."""
    async with database.connection() as connection:
        cursor = await connection.execute(_TAKE, [challenge, purpose, user_id, now])
        return await cursor.fetchone() is not None


async def list_passkeys(user_id: UUID) -> Sequence[PasskeyRecord]:
    rows = await Passkey.select().where(Passkey.user_id == user_id).order_by(Passkey.created_at)
    return [_passkey(row) for row in rows]


async def has_passkeys(user_id: UUID) -> bool:
    return bool(await Passkey.exists().where(Passkey.user_id == user_id))


async def find_passkey(credential_id: bytes) -> PasskeyRecord | None:
    row = await Passkey.select().where(Passkey.credential_id == credential_id).first()
    return _passkey(row) if row else None


async def add_passkey(passkey: PasskeyRecord) -> None:
    await Passkey.insert(
        Passkey(**{name: getattr(passkey, name) for name in PasskeyRecord.__dataclass_fields__})
    )


async def count_use(passkey_id: UUID, sign_count: int, now: datetime) -> bool:
    """Whether the counter went on; authenticators without one stay at zero."""
    async with database.connection() as connection:
        cursor = await connection.execute(_COUNTED, [passkey_id, sign_count, now])
        return await cursor.fetchone() is not None


async def remove_passkey(user_id: UUID, passkey_id: UUID) -> bool:
    gone = (
        await Passkey.delete()
        .where(Passkey.id == passkey_id, Passkey.user_id == user_id)
        .returning(Passkey.id)
    )
    return bool(gone)


def _passkey(row: dict[str, Any]) -> PasskeyRecord:
    known = {name: row[name] for name in PasskeyRecord.__dataclass_fields__}
    return PasskeyRecord(**known | {name: bytes(row[name]) for name in ("credential_id", "public_key")})
