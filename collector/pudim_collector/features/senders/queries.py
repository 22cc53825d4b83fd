"""All reads and writes of senders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from pudim_collector.features.senders.tables import Sender
from pudim_collector.infra.scoping import OF_TEAM, Scope, rows


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


_COLUMNS: LiteralString = ", ".join(SenderRecord.__dataclass_fields__)
_LIVE: LiteralString = f"{OF_TEAM} AND revoked_at IS NULL"
_TEAMS: LiteralString = f"SELECT {_COLUMNS} FROM senders WHERE {_LIVE}"  # noqa: S608 - constants


async def add_sender(sender: SenderRecord, secret_hash: bytes) -> None:
    await Sender.insert(
        Sender(
            id=sender.id,
            team_id=sender.team_id,
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
    """Who shows the secret needs nothing else: it says which team it is of."""
    row = await Sender.select().where(Sender.secret_hash == secret_hash, Sender.revoked_at.is_null()).first()
    return SenderRecord(**{name: row[name] for name in SenderRecord.__dataclass_fields__}) if row else None


async def list_senders(within: Scope) -> Sequence[SenderRecord]:
    query: LiteralString = f"{_TEAMS} ORDER BY name, created_at"
    return [SenderRecord(*row) for row in await rows(within, query)]


async def get_sender(within: Scope, sender_id: UUID, *, lock: bool) -> SenderRecord | None:
    """None for a revoked one, too."""
    query: LiteralString = f"{_TEAMS} AND id = $1"
    found = await rows(within, f"{query} FOR UPDATE" if lock else query, sender_id)
    return SenderRecord(*found[0]) if found else None


async def set_caps(within: Scope, sender_id: UUID, most_series: int, most_servers: int) -> bool:
    query: LiteralString = (
        f"UPDATE senders SET most_series = $2, most_servers = $3 WHERE id = $1 AND {_LIVE} RETURNING id"  # noqa: S608 - constants
    )
    return bool(await rows(within, query, sender_id, most_series, most_servers))


async def revoke_sender(within: Scope, sender_id: UUID, now: datetime) -> bool:
    query: LiteralString = f"UPDATE senders SET revoked_at = $2 WHERE id = $1 AND {_LIVE} RETURNING id"  # noqa: S608 - constants
    return bool(await rows(within, query, sender_id, now))


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
