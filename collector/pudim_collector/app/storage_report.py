"""The figures of the storage page, for a terminal and for scripts."""

from __future__ import annotations

import msgspec

from pudim_collector.app.features import HOLDINGS
from pudim_collector.app.process import shared_database
from pudim_collector.app.settings import Settings
from pudim_collector.features.storage.rules import Bound, say_bytes, say_days
from pudim_collector.features.storage.schemas import StorageStatus
from pudim_collector.features.storage.service import Storage, StorageView, TierView
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.store import Store

_SOON = 0.5
"""Of a day: who is that near to his limit stays where he is."""
_HEAD = ("", "held", "samples", "bytes each", "reaches back", "kept for", "grows by", "at this rate")


async def measured(settings: Settings) -> StorageView:
    """Counted now, also where Pudim runs."""
    clock, store = SystemClock(), Store(database)
    async with shared_database(settings):
        await store.prepare(clock.now())
        folder = settings.data_dir if settings.database_url is None else None
        storage = Storage(database, store, Announcements(database, []), clock, folder, holdings=HOLDINGS)
        await storage.measure()
        return await storage.view()


def document(view: StorageView) -> str:
    return msgspec.json.format(msgspec.json.encode(StorageStatus.of(view)), indent=2).decode()


def table(view: StorageView) -> str:
    rows = [_HEAD, *(_row(tier) for tier in view.tiers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*lines, "", *_rest(view)])


def _row(tier: TierView) -> tuple[str, ...]:
    each = tier.bytes_per_sample
    limit = f"{tier.limit.days} days" + (f", {say_bytes(tier.limit.bytes)}" if tier.limit.bytes else "")
    return (
        tier.name,
        say_bytes(tier.bytes),
        f"{tier.samples:,}",
        "unknown" if each is None else f"{each:.2f}",
        say_days(tier.days) if tier.oldest else "nothing yet",
        limit,
        "unknown" if tier.daily_bytes is None else f"{say_bytes(tier.daily_bytes)} a day",
        _ahead(tier),
    )


def _ahead(tier: TierView) -> str:
    if tier.forecast is None:
        return "unknown"
    if tier.forecast.bound is Bound.BYTES:
        return f"reaches {say_days(tier.forecast.days)} back"
    size = say_bytes(tier.forecast.bytes)
    return (
        f"{size} in {say_days(tier.forecast.in_days)}" if tier.forecast.in_days >= _SOON else f"about {size}"
    )


def _rest(view: StorageView) -> list[str]:
    edition = view.edition
    with_extension = f" with TimescaleDB {edition.timescaledb}" if edition.timescaledb else ""
    lines = [
        f"PostgreSQL {edition.postgresql}{with_extension}, {view.backend}: {say_bytes(view.database_bytes)} in all."
    ]
    if view.disk:
        lines.append(f"{say_bytes(view.disk.free)} of {say_bytes(view.disk.total)} are free on its disk.")
    if view.disk_full_in is not None:
        lines.append(f"The disk is full in {say_days(view.disk_full_in)}, before these limits are reached.")
    waiting = view.waiting
    until = f"{waiting.rolled_until:%Y-%m-%d %H:%M:%S} UTC" if waiting.rolled_until else "never"
    lines.append(
        f"Rolled up until {until}; {waiting.units} hours of sources and {waiting.notes} commits wait."
    )
    lines += [f"{name}: {say_bytes(size)}." for name, size in view.others.items()]
    return lines
