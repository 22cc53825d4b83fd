"""What the store holds and how it grows, and the limits it is kept to."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.storage import events, queries, rules
from pudim_collector.features.storage.rules import Forecast, Grown, Limit, Stretch
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.database import Connection, PsycopgEngine
from pudim_collector.kernel.clock import Clock
from pudim_collector.series import retention, sizes
from pudim_collector.series.backends import FRAMES, BackendUnavailable, Piece
from pudim_collector.series.sizes import Counted, Edition, Waiting
from pudim_collector.series.store import Store

log = logging.getLogger(__name__)

LIMITS_CHANGED = "pudim_limits"
"""Announced when ingest has to read again which frames it takes."""
_HISTORY = timedelta(days=90)
_CHEAP = 256 << 20
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TierView:
    """One tier as it is; counts are as of the last measurement, None before the first one."""

    tier: str
    name: str
    bytes: int
    rows: int
    samples: int
    oldest: datetime | None
    newest: datetime | None
    days: float
    limit: Limit
    daily_bytes: float | None
    forecast: Forecast | None

    @property
    def bytes_per_sample(self) -> float | None:
        return self.bytes / self.samples if self.samples else None


@dataclass(frozen=True)
class Disk:
    free: int
    total: int


@dataclass(frozen=True)
class StorageView:
    now: datetime
    tiers: list[TierView]
    backend: str
    edition: Edition
    database_bytes: int
    disk: Disk | None
    disk_full_in: float | None
    history: list[queries.Day]
    waiting: Waiting
    pool: Mapping[str, int]
    others: Mapping[str, int]


@dataclass(frozen=True)
class Loss:
    """What limits would drop now of a tier: everything before `until`."""

    tier: str
    name: str
    pieces: int
    bytes: int
    days: float
    until: datetime


class Storage:
    """`folder` is on the database's disk, None where that is another machine's; `holdings` are tables of other features, by name."""

    def __init__(
        self,
        database: PsycopgEngine,
        store: Store,
        announcements: Announcements,
        clock: Clock,
        folder: Path | None,
        *,
        holdings: Mapping[str, Sequence[str]] | None = None,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._database, self._store, self._announcements = database, store, announcements
        self._clock, self._folder, self._emit = clock, folder, emit
        self._holdings = holdings or {}

    async def view(self) -> StorageView:
        now = self._clock.now()
        async with self._database.connection() as connection:
            pieces = await self._pieces(connection)
            kept = await retention.read_kept(connection)
            counts = await queries.counts(connection)
            edition, waiting = await sizes.edition(connection), await sizes.waiting(connection)
            database = await sizes.database_bytes(connection)
            history = await queries.days_since(connection, (now - _HISTORY).date())
            others = {
                name: await sizes.bytes_of(connection, tables) for name, tables in self._holdings.items()
            }
        limits = {tier: Limit(*limit) for tier, limit in kept.limits.items()}
        tiers = [_tier(tier, pieces, counts, limits[tier], now) for tier in rules.TIERS]
        disk = await asyncio.to_thread(_disk, self._folder)
        full = rules.disk_full_in(disk.free, [_grown(tier) for tier in tiers]) if disk else None
        backend = self._store.backend.name if self._store.backend else ""
        pool = self._database.statistics
        return StorageView(now, tiers, backend, edition, database, disk, full, history, waiting, pool, others)

    async def limits(self) -> dict[str, Limit]:
        async with self._database.connection() as connection:
            kept = await retention.read_kept(connection)
        return {tier: Limit(*limit) for tier, limit in kept.limits.items()}

    async def version(self, *, lock: bool = False) -> str:
        """Of the limits; with `lock` nobody else changes them until the transaction ends."""
        async with self._database.connection() as connection:
            if lock:
                await connection.execute("SELECT 1 FROM retention FOR UPDATE")
        return version_of(sorted((tier, one.days, one.bytes) for tier, one in (await self.limits()).items()))

    async def preview(self, limits: Mapping[str, Limit]) -> list[Loss]:
        """What these limits would drop now; nothing is changed. Raises BadLimit."""
        rules.check_limits(limits)
        async with self._database.connection() as connection:
            pieces = await self._pieces(connection)
            kept = await retention.read_kept(connection)
            counts = await queries.counts(connection)
        wanted = retention.Kept(_stored(limits), kept.raw_since)
        going = retention.to_drop(pieces, wanted, self._clock.now())
        return [
            loss
            for tier in rules.TIERS
            if (loss := _loss(tier, [piece for piece in going if piece.table.tier == tier], counts))
        ]

    async def change(self, limits: Mapping[str, Limit], who: str) -> None:
        """Keep to these limits from now on. Raises BadLimit."""
        rules.check_limits(limits)
        async with self._database.transaction(), self._database.connection() as connection:
            before = await retention.read_kept(connection)
            await retention.write_limits(connection, _stored(limits))
            self._emit(events.LimitsChanged(_told(before.limits), _told(limits)))
            await self._announcements.announce(LIMITS_CHANGED, "")
        said = ", ".join(f"{tier} {one.days} d {one.bytes or 'any'} bytes" for tier, one in limits.items())
        log.warning("limits of storage were changed by %s: %s", who, said)

    async def raw_moved(self) -> None:
        """Tell every process that the store takes less old frames now."""
        await self._announcements.announce(LIMITS_CHANGED, "")

    async def measure(self) -> None:
        """Count what has changed since the last time, and note today's sizes."""
        now = self._clock.now()
        async with self._database.connection() as connection:
            pieces = await self._pieces(connection)
            known = await queries.counts(connection)
            for piece in pieces:
                if _may_have_changed(piece, known):
                    await queries.write_count(connection, piece, await sizes.counted(connection, piece))
            await queries.forget_counts(connection, pieces)
            tiers = {tier: sum(one.bytes for one in pieces if one.table.tier == tier) for tier in rules.TIERS}
            database = await sizes.database_bytes(connection)
            await queries.write_day(connection, now.date(), tiers, database)

    async def _pieces(self, connection: Connection) -> list[Piece]:
        if self._store.backend is None:
            raise BackendUnavailable("the store is not prepared")
        return await self._store.backend.pieces(connection)


def _may_have_changed(piece: Piece, known: Mapping[str, tuple[int, Counted]]) -> bool:
    """Rows that were moved into blocks leave their space for a while, so frames are counted again while that is cheap."""
    cheap = piece.table is FRAMES and piece.bytes < _CHEAP
    return cheap or piece.name not in known or known[piece.name][0] != piece.bytes


def _told(limits: Mapping[str, Limit] | Mapping[str, retention.Limit]) -> dict[str, Any]:
    return {tier: {"days": one.days, "bytes": one.bytes} for tier, one in limits.items()}


def _stored(limits: Mapping[str, Limit]) -> dict[str, retention.Limit]:
    return {tier: retention.Limit(limit.days, limit.bytes) for tier, limit in limits.items()}


def _tier(
    tier: str,
    pieces: Sequence[Piece],
    counts: Mapping[str, tuple[int, Counted]],
    limit: Limit,
    now: datetime,
) -> TierView:
    own = [piece for piece in pieces if piece.table.tier == tier]
    found = [counts[piece.name][1] for piece in own if piece.name in counts]
    oldest = min((one.oldest for one in found if one.oldest), default=None)
    newest = max((one.newest for one in found if one.newest), default=None)
    held, days = sum(piece.bytes for piece in own), max(0.0, (now - oldest) / _DAY) if oldest else 0.0
    stretches = _stretches(own)
    daily = rules.daily_growth(stretches, oldest, now)
    loose = rules.loose_bytes(stretches, daily, oldest, now)
    return TierView(
        tier,
        rules.NAMES[tier],
        held,
        sum(one.rows for one in found),
        sum(one.samples for one in found),
        oldest,
        newest,
        days,
        limit,
        daily,
        rules.forecast(held, daily, limit, days, loose),
    )


def _stretches(pieces: Sequence[Piece]) -> list[Stretch]:
    ordered = sorted(pieces, key=lambda piece: (piece.start, piece.end))
    return [
        Stretch(start, end, sum(piece.bytes for piece in group))
        for (start, end), group in groupby(ordered, lambda piece: (piece.start, piece.end))
    ]


def _loss(tier: str, going: Sequence[Piece], counts: Mapping[str, tuple[int, Counted]]) -> Loss | None:
    """None where nothing goes but what is empty, as a new installation's first days are."""
    filled = [piece for piece in going if piece.name not in counts or counts[piece.name][1].rows]
    if not filled:
        return None
    until = max(piece.end for piece in filled)
    known = [counts[piece.name][1].oldest for piece in filled if piece.name in counts]
    oldest = min([one for one in known if one] or [piece.start for piece in filled])
    size = sum(piece.bytes for piece in going)
    return Loss(tier, rules.NAMES[tier], len(filled), size, (until - oldest) / _DAY, until)


def _grown(tier: TierView) -> Grown:
    if tier.forecast is None:
        return Grown(0.0, 0.0)
    return Grown(tier.daily_bytes or 0.0, tier.forecast.bytes - tier.bytes)


def _disk(folder: Path | None) -> Disk | None:
    if folder is None:
        return None
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.free, usage.total)
