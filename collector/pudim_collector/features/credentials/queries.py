"""All reads and writes of links by mail; a link is used by deleting it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pudim_collector.features.credentials.tables import EmailChange, PasswordReset
from pudim_collector.infra.database import database


async def replace_reset(link_id: UUID, user_id: UUID, secret_hash: bytes, expires_at: datetime) -> None:
    async with database.transaction():
        await PasswordReset.delete().where(PasswordReset.user_id == user_id)
        await PasswordReset.insert(
            PasswordReset(id=link_id, user_id=user_id, secret_hash=secret_hash, expires_at=expires_at)
        )


async def reset_user(secret_hash: bytes, now: datetime) -> UUID | None:
    row = (
        await PasswordReset.select(PasswordReset.user_id)
        .where(PasswordReset.secret_hash == secret_hash, PasswordReset.expires_at > now)
        .first()
    )
    found: UUID | None = row["user_id"] if row else None
    return found


async def use_reset(secret_hash: bytes, now: datetime) -> bool:
    """Whether it was this call that used it."""
    used = (
        await PasswordReset.delete()
        .where(PasswordReset.secret_hash == secret_hash, PasswordReset.expires_at > now)
        .returning(PasswordReset.id)
    )
    return bool(used)


async def void_resets(user_id: UUID) -> None:
    await PasswordReset.delete().where(PasswordReset.user_id == user_id)


async def replace_change(
    link_id: UUID, user_id: UUID, email: str, secret_hash: bytes, expires_at: datetime
) -> None:
    async with database.transaction():
        await EmailChange.delete().where(EmailChange.user_id == user_id)
        await EmailChange.insert(
            EmailChange(
                id=link_id, user_id=user_id, email=email, secret_hash=secret_hash, expires_at=expires_at
            )
        )


async def use_change(secret_hash: bytes, user_id: UUID, now: datetime) -> str | None:
    """The address that it confirms, for the one who asked for it."""
    used = (
        await EmailChange.delete()
        .where(
            EmailChange.secret_hash == secret_hash,
            EmailChange.user_id == user_id,
            EmailChange.expires_at > now,
        )
        .returning(EmailChange.email)
    )
    found: str | None = used[0]["email"] if used else None
    return found
