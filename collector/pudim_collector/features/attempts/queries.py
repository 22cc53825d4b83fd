"""The counts of failed attempts: each change is one statement, so that processes need not agree on anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString

from pudim_collector.infra.database import database
from pudim_collector.kernel.throttling import Patience


@dataclass(frozen=True)
class Counted:
    """One count that an attempt is part of; where it is its `own` a success forgets it, else takes one failure off."""

    key: bytes
    patience: Patience
    own: bool = True


async def begin(counts: Sequence[Counted], now: datetime) -> float:
    """The seconds to wait; 0 where the attempt may be made, which is counted as failed then."""
    patience = [one.patience for one in counts]
    parameters: list[Any] = [
        [one.key for one in counts],
        [one.free for one in patience],
        [one.first.total_seconds() for one in patience],
        [one.most.total_seconds() for one in patience],
        [one.forgotten_after.total_seconds() for one in patience],
        now,
    ]
    async with database.connection() as connection:
        row = await (await connection.execute(_statement("begin"), parameters)).fetchone()
    return float(row[0]) if row else 0.0


async def succeeded(counts: Sequence[Counted]) -> None:
    own = [one.key for one in counts if one.own]
    others = [one.key for one in counts if not one.own]
    async with database.connection() as connection:
        await connection.execute(_statement("succeeded"), [own, others])


async def tidy(before: datetime, most: int) -> None:
    async with database.connection() as connection:
        await connection.execute(_statement("tidy"), [before, most])


@cache
def _statement(name: str) -> LiteralString:
    """The statement in `sql/<name>.sql`; the file is ours, so it counts as a literal."""
    text: Any = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    found: LiteralString = text
    return found
