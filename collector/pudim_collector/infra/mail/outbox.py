"""The mails that wait for the mail server, and those that it would not take: the only reads and writes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.sealing import SealedColumn

MIGRATIONS = MigrationApp("mail", Path(__file__).parent / "migrations")
SEALED_MAIL = SealedColumn("mail_outbox", "content", "id", "mail")
MOST_WAITING = 10_000
MOST_LISTED = 200
_REMOVE = "DELETE FROM mail_outbox WHERE id = $1 RETURNING id"
_PUT_OFF = "UPDATE mail_outbox SET next_at = $2, failed = $3, failed_said = $4 WHERE id = $1"
_GIVE_UP = "UPDATE mail_outbox SET dead_at = $2, failed = $3, failed_said = $4 WHERE id = $1"
_COUNTS = "SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NOT NULL) FROM mail_outbox"
_FORGET = "DELETE FROM mail_outbox WHERE dead_at < $1"


@dataclass(frozen=True)
class Due:
    """A mail that is this process' to send until its lease ends; `attempts` counts this one."""

    id: UUID
    recipient: str
    template: str
    content: bytes
    made_at: datetime
    expires_at: datetime
    attempts: int


@dataclass(frozen=True)
class Waiting:
    """A mail in a list; `dead_at` is set where it was given up. `failed_said` is the mail server's word."""

    id: UUID
    recipient: str
    template: str
    made_at: datetime
    attempts: int
    next_at: datetime
    dead_at: datetime | None
    failed: str | None
    failed_said: str | None


class Outbox:
    """`put` belongs to the caller's transaction: a mail goes out when what it tells of was committed, and not otherwise."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database

    async def put(
        self,
        mail_id: UUID,
        recipient: str,
        template: str,
        content: bytes,
        *,
        made_at: datetime,
        expires_at: datetime,
    ) -> bool:
        """Whether there was room."""
        values = [mail_id, recipient, template, content, made_at, expires_at, MOST_WAITING]
        return bool(await self._run(_statement("put"), values))

    async def claim(self, now: datetime, lease: timedelta) -> Due | None:
        rows = await self._run(_statement("claim"), [now, now + lease])
        return Due(*rows[0]) if rows else None

    async def remove(self, mail_id: UUID) -> bool:
        return bool(await self._run(_REMOVE, [mail_id]))

    async def put_off(self, mail_id: UUID, until: datetime, failed: str, said: str) -> None:
        await self._run(_PUT_OFF, [mail_id, until, failed, said])

    async def give_up(self, mail_id: UUID, now: datetime, failed: str, said: str) -> None:
        await self._run(_GIVE_UP, [mail_id, now, failed, said])

    async def forget_dead(self, before: datetime) -> None:
        await self._run(_FORGET, [before])

    async def counts(self) -> tuple[int, int]:
        """How many wait, and how many were given up."""
        ((waiting, dead),) = await self._run(_COUNTS, [])
        return waiting, dead

    async def listed(self) -> Sequence[Waiting]:
        """The given-up ones first, then what waits longest."""
        return [Waiting(*row) for row in await self._run(_statement("listed"), [MOST_LISTED])]

    async def revive(self, mail_id: UUID | None, now: datetime, expires_at: datetime) -> int:
        """Let given-up mails, one or all, be tried again from the start. How many there were."""
        return len(await self._run(_statement("revive"), [mail_id, now, expires_at]))

    async def _run(self, query: LiteralString, values: Sequence[object]) -> list[tuple[Any, ...]]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []


@cache
def _statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)
