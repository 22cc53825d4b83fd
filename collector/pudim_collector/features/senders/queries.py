"""All reads and writes of senders; who may ask was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pudim_collector.features.senders.tables import Sender


@dataclass(frozen=True)
class SenderRecord:
    """A sender, what it sent when it was last heard of, and what was refused of it."""

    id: UUID
    team_id: UUID
    made_by: UUID | None
    name: str
    prefix: str
    most_series: int
    most_servers: int
    created_at: datetime
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    series: int = 0
    refused_points: int = 0
    refused_at: datetime | None = None
    refused_said: str | None = None


def _sender(row: dict[str, Any]) -> SenderRecord:
    return SenderRecord(
        team_id=row["team"],
        **{name: row[name] for name in SenderRecord.__dataclass_fields__ if name != "team_id"},
    )


async def add_sender(sender: SenderRecord, secret_hash: bytes) -> None:
    await Sender.insert(
        Sender(
            id=sender.id,
            team=sender.team_id,
            made_by=sender.made_by,
            name=sender.name,
            prefix=sender.prefix,
            secret_hash=secret_hash,
            most_series=sender.most_series,
            most_servers=sender.most_servers,
            created_at=sender.created_at,
        )
    )


async def find_sender(secret_hash: bytes) -> SenderRecord | None:
    row = await Sender.select().where(Sender.secret_hash == secret_hash, Sender.revoked_at.is_null()).first()
    return _sender(row) if row else None


async def list_senders(team_id: UUID) -> Sequence[SenderRecord]:
    rows = (
        await Sender.select()
        .where(Sender.team == team_id, Sender.revoked_at.is_null())
        .order_by(Sender.name, Sender.created_at)
    )
    return [_sender(row) for row in rows]


async def get_sender(team_id: UUID, sender_id: UUID, *, lock: bool) -> SenderRecord | None:
    """None for a revoked one, too."""
    found = (
        Sender.select()
        .where(Sender.id == sender_id, Sender.team == team_id, Sender.revoked_at.is_null())
        .first()
    )
    row = await (found.lock_rows("UPDATE") if lock else found)
    return _sender(row) if row else None


async def set_caps(team_id: UUID, sender_id: UUID, most_series: int, most_servers: int) -> bool:
    changed = (
        await Sender.update({Sender.most_series: most_series, Sender.most_servers: most_servers})
        .where(Sender.id == sender_id, Sender.team == team_id, Sender.revoked_at.is_null())
        .returning(Sender.id)
    )
    return bool(changed)


async def revoke_sender(team_id: UUID, sender_id: UUID, now: datetime) -> bool:
    revoked = (
        await Sender.update({Sender.revoked_at: now})
        .where(Sender.id == sender_id, Sender.team == team_id, Sender.revoked_at.is_null())
        .returning(Sender.id)
    )
    return bool(revoked)


async def set_used(sender_id: UUID, used_at: datetime, series: int) -> None:
    await Sender.update({Sender.used_at: used_at, Sender.series: series}).where(Sender.id == sender_id)


async def add_refused(sender_id: UUID, refused_at: datetime, points: int, said: str) -> None:
    await Sender.update(
        {
            Sender.refused_points: Sender.refused_points + points,
            Sender.refused_at: refused_at,
            Sender.refused_said: said,
        }
    ).where(Sender.id == sender_id)
