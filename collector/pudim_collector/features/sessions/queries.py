"""All reads and writes of half sessions and known devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pudim_collector.features.sessions.tables import HalfSession, KnownDevice
from pudim_collector.infra.database import database

_DROP_OLDEST_HALVES = """
DELETE FROM half_sessions WHERE user_id = $1 AND id NOT IN (
    SELECT id FROM half_sessions WHERE user_id = $1 ORDER BY created_at DESC LIMIT $2
)
"""
_DROP_OLDEST_DEVICES = """
DELETE FROM known_devices WHERE user_id = $1 AND id NOT IN (
    SELECT id FROM known_devices WHERE user_id = $1 ORDER BY last_seen_at DESC LIMIT $2
)
"""


@dataclass(frozen=True)
class Half:
    """Who proved one thing, what he owes, and where he wanted to go."""

    id: UUID
    user_id: UUID
    step: str
    path: str


async def add_half(half: Half, secret_hash: bytes, now: datetime, expires_at: datetime, most: int) -> None:
    async with database.transaction() as transaction:
        await HalfSession.delete().where(HalfSession.expires_at <= now)
        await HalfSession.insert(
            HalfSession(
                id=half.id,
                user_id=half.user_id,
                secret_hash=secret_hash,
                step=half.step,
                path=half.path,
                created_at=now,
                expires_at=expires_at,
            )
        )
        await transaction.connection.execute(_DROP_OLDEST_HALVES, [half.user_id, most])


async def find_half(secret_hash: bytes, now: datetime) -> Half | None:
    row = (
        await HalfSession.select(HalfSession.id, HalfSession.user_id, HalfSession.step, HalfSession.path)
        .where(HalfSession.secret_hash == secret_hash, HalfSession.expires_at > now)
        .first()
    )
    return Half(**row) if row else None


async def use_half(half_id: UUID, now: datetime) -> bool:
    """Whether it was this call that used it."""
    used = (
        await HalfSession.delete()
        .where(HalfSession.id == half_id, HalfSession.expires_at > now)
        .returning(HalfSession.id)
    )
    return bool(used)


async def remove_halves(user_id: UUID) -> None:
    await HalfSession.delete().where(HalfSession.user_id == user_id)


async def find_device(secret_hash: bytes, user_id: UUID) -> UUID | None:
    row = (
        await KnownDevice.select(KnownDevice.id)
        .where(KnownDevice.secret_hash == secret_hash, KnownDevice.user_id == user_id)
        .first()
    )
    found: UUID | None = row["id"] if row else None
    return found


async def has_devices(user_id: UUID) -> bool:
    return bool(await KnownDevice.exists().where(KnownDevice.user_id == user_id))


async def touch_device(device_id: UUID, now: datetime) -> None:
    await KnownDevice.update({KnownDevice.last_seen_at: now}).where(KnownDevice.id == device_id)


async def add_device(device_id: UUID, user_id: UUID, secret_hash: bytes, now: datetime, most: int) -> None:
    async with database.transaction() as transaction:
        await KnownDevice.insert(
            KnownDevice(
                id=device_id, user_id=user_id, secret_hash=secret_hash, created_at=now, last_seen_at=now
            )
        )
        await transaction.connection.execute(_DROP_OLDEST_DEVICES, [user_id, most])


async def remove_devices(user_id: UUID) -> None:
    await KnownDevice.delete().where(KnownDevice.user_id == user_id)
