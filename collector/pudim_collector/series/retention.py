"""How far back each tier reaches: what has to go is decided by a pure rule, in whole pieces, and dropped by one process.

A tier is never shorter than the one it is made of: a reader takes the coarser tier over a longer range, and would meet a
hole where the finer one still has everything. So bytes of minutes are given back only where raw frames are gone as well.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from psycopg import errors

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.telemetry import counter
from pudim_collector.series.backends import EPOCH, RAW, TIERS, Backend, Connection, Piece
from pudim_collector.series.statements import run
from pudim_collector.series.store import Store

log = logging.getLogger(__name__)

BOOTS_KEPT = timedelta(days=90)
"""Far longer than any spool: a boot whose last batch is so old sends nothing again, so its place in the ledger is free."""
_BY_END = attrgetter("end")

dropped_bytes = counter("pudim_retention_dropped_bytes_total", "Bytes given back by retention.", ["tier"])


class Limit(NamedTuple):
    """How long a tier is kept, and within how many bytes; None is as much as there is."""

    days: int
    bytes: int | None = None


Limits = Mapping[str, Limit]


class Kept(NamedTuple):
    """What retention goes by. Raw frames before `raw_since` are given up already."""

    limits: Limits
    raw_since: datetime = EPOCH


def cutoffs(pieces: Sequence[Piece], kept: Kept, now: datetime) -> dict[str, datetime]:
    """For each tier the moment up to which pieces have to go: those that end there or before, oldest first."""
    found: dict[str, datetime] = {}
    latest = now
    for tier in TIERS:
        limit = kept.limits[tier]
        aged = now - timedelta(days=limit.days)
        first = max(aged, kept.raw_since) if tier == RAW else aged
        own = [piece for piece in pieces if piece.table.tier == tier]
        latest = found[tier] = _within_bytes(own, limit.bytes, min(first, latest), latest)
    return found


def to_drop(pieces: Sequence[Piece], kept: Kept, now: datetime) -> list[Piece]:
    """The pieces that have to go, oldest first; never one that holds `now` or what comes later."""
    ends = cutoffs(pieces, kept, now)
    return sorted((piece for piece in pieces if piece.end <= ends[piece.table.tier]), key=_BY_END)


def _within_bytes(pieces: Sequence[Piece], most: int | None, cutoff: datetime, latest: datetime) -> datetime:
    """`cutoff`, moved on, but not beyond `latest`, until what remains fits."""
    remaining = sorted((piece for piece in pieces if piece.end > cutoff), key=_BY_END)
    held = sum(piece.bytes for piece in remaining)
    for end, group in groupby(remaining, _BY_END):
        if most is None or held <= most or end > latest:
            break
        cutoff, held = end, held - sum(piece.bytes for piece in group)
    return cutoff


async def read_kept(connection: Connection) -> Kept:
    rows = await run(connection, "retention")
    return Kept({tier: Limit(days, most) for tier, days, most, _ in rows}, rows[0][3] or EPOCH)


async def write_limits(connection: Connection, limits: Limits) -> None:
    for tier, limit in limits.items():
        await connection.execute(
            "UPDATE retention SET days = $2, bytes = $3 WHERE tier = $1", [tier, limit.days, limit.bytes]
        )


class Retention:
    """`run_once` is called every few minutes in the elected process, never while it rolls up.

    `moved` tells every process that the store takes less old frames now.
    """

    def __init__(self, database: PsycopgEngine, store: Store, moved: Callable[[], Awaitable[None]]) -> None:
        self._database, self._store, self._moved = database, store, moved

    async def run_once(self, now: datetime) -> list[Piece]:
        """Drop what has to go, and return it. What somebody reads just now stays until the next time."""
        backend = self._store.backend
        if backend is None:
            return []
        async with self._database.connection() as connection:
            going = to_drop(await backend.pieces(connection), await read_kept(connection), now)
        await self._give_up_raw([piece.end for piece in going if piece.table.tier == RAW], now)
        dropped = []
        # All of a tier that ends at one moment goes at once: half a day's raw frames would make other rollups.
        for _, group in groupby(going, lambda piece: (piece.end, piece.table.tier)):
            dropped += await self._drop(backend, list(group))
        await self._forget_boots(now)
        return dropped

    async def _give_up_raw(self, ends: Sequence[datetime], now: datetime) -> None:
        """Before anything is dropped: from now on no process takes older frames, and their rollups are final.

        Also where only their age counts, so that a longer limit later does not let late frames into a range whose
        other frames are gone.
        """
        if not ends:
            return
        async with self._database.transaction(), self._database.connection() as connection:
            raised = await run(connection, "give_up_raw", max(ends))
        if raised:
            await self._store.prepare(now)
            await self._moved()

    async def _drop(self, backend: Backend, pieces: list[Piece]) -> list[Piece]:
        try:
            async with self._database.transaction(), self._database.connection() as connection:
                for piece in pieces:
                    await backend.drop(connection, piece)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            log.info("%s is in use; it is dropped later", pieces[0].name)
            return []
        for piece in pieces:
            log.info("dropped %s: %s to %s, %d bytes", piece.name, piece.start, piece.end, piece.bytes)
            dropped_bytes.labels(piece.table.tier).inc(piece.bytes)
        return pieces

    async def _forget_boots(self, now: datetime) -> None:
        """Sources stay, however old: sessions hold their ids in memory, and the hours' tier may still name them."""
        async with self._database.connection() as connection:
            await run(connection, "forget_boots", now - BOOTS_KEPT)
