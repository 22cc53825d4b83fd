"""Storage at the HTTP edge. Sizes are bytes, durations days."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from pudim_collector.features.storage import rules
from pudim_collector.features.storage.service import Loss, StorageView, TierView

TierName = Literal["raw", "minute", "hour"]


class TierLimit(Struct, forbid_unknown_fields=True):
    """A tier is dropped beyond so many days, and beyond so many bytes; null is as much as there is."""

    days: Annotated[int, Meta(ge=1, le=rules.MOST_DAYS)]
    bytes: Annotated[int, Meta(ge=rules.LEAST_BYTES, lt=1 << 62)] | None = None


class StorageLimits(Struct, forbid_unknown_fields=True):
    """How long and how large each tier is kept; a coarser one at least as long as the one it is made of."""

    raw: TierLimit
    minute: TierLimit
    hour: TierLimit

    def plain(self) -> dict[str, rules.Limit]:
        found = {"raw": self.raw, "minute": self.minute, "hour": self.hour}
        return {tier: rules.Limit(limit.days, limit.bytes) for tier, limit in found.items()}


class StorageForecast(Struct):
    """At this rate the tier comes to `bytes` in `in_days` and then reaches `days` back; `bound` ends it there."""

    days: float
    bytes: int
    in_days: float
    bound: rules.Bound


class StorageTier(Struct):
    """A tier as it is. Rows and samples were counted at the last measurement, some minutes ago."""

    tier: TierName
    bytes: int
    rows: int
    samples: int
    bytes_per_sample: float | None
    oldest: datetime | None
    newest: datetime | None
    days: float
    limit: TierLimit
    bytes_per_day: float | None
    forecast: StorageForecast | None

    @classmethod
    def of(cls, view: TierView) -> StorageTier:
        ahead = view.forecast
        return cls(
            _name(view.tier),
            view.bytes,
            view.rows,
            view.samples,
            view.bytes_per_sample,
            view.oldest,
            view.newest,
            view.days,
            TierLimit(view.limit.days, view.limit.bytes),
            view.daily_bytes,
            StorageForecast(ahead.days, ahead.bytes, ahead.in_days, ahead.bound) if ahead else None,
        )


class StorageDisk(Struct):
    """The disk of the embedded database."""

    free: int
    total: int


class StorageDay(Struct):
    """Sizes at the end of a day."""

    day: date
    raw: int
    minute: int
    hour: int
    database: int


class StorageDatabase(Struct):
    """`backend` is how frames are kept; `timescaledb` and its licence are null where it is not used."""

    backend: str
    postgresql: str
    timescaledb: str | None
    licence: str | None
    bytes: int


class StorageWork(Struct):
    """What waits to be rolled up: notes of commits, hours of sources; everything recent is done up to `rolled_until`."""

    notes: int
    hours: int
    rolled_until: datetime | None
    age_seconds: float | None


class StorageHolding(Struct):
    """What is kept beside samples, with its indexes."""

    name: str
    bytes: int


class StorageStatus(Struct):
    measured_at: datetime
    tiers: list[StorageTier]
    database: StorageDatabase
    disk: StorageDisk | None
    disk_full_in_days: float | None
    history: list[StorageDay]
    rollups: StorageWork
    pool: dict[str, int]
    others: list[StorageHolding]

    @classmethod
    def of(cls, view: StorageView) -> StorageStatus:
        until = view.waiting.rolled_until
        return cls(
            view.now,
            [StorageTier.of(tier) for tier in view.tiers],
            StorageDatabase(view.backend, *view.edition, view.database_bytes),
            StorageDisk(view.disk.free, view.disk.total) if view.disk else None,
            view.disk_full_in,
            [StorageDay(*day) for day in view.history],
            StorageWork(
                view.waiting.notes,
                view.waiting.units,
                until,
                (view.now - until).total_seconds() if until else None,
            ),
            dict(view.pool),
            [StorageHolding(name, size) for name, size in view.others.items()],
        )


class StorageLoss(Struct):
    """What would be dropped now of a tier: everything before `until`, so many days of it."""

    tier: TierName
    bytes: int
    days: float
    until: datetime

    @classmethod
    def of(cls, loss: Loss) -> StorageLoss:
        return cls(_name(loss.tier), loss.bytes, loss.days, loss.until)


class LimitsForm(Struct):
    """As people type it; csrf_token is checked by the gate. `confirmed` once what is lost was shown."""

    raw_days: str = ""
    raw_bytes: str = ""
    minute_days: str = ""
    minute_bytes: str = ""
    hour_days: str = ""
    hour_bytes: str = ""
    confirmed: str = ""
    csrf_token: str = ""

    def limits(self) -> dict[str, rules.Limit]:
        """Raises BadLimit, naming the field."""
        return {
            tier: rules.Limit(
                rules.parse_days(getattr(self, f"{tier}_days"), f"{tier}_days"),
                rules.parse_bytes(getattr(self, f"{tier}_bytes"), f"{tier}_bytes"),
            )
            for tier in rules.TIERS
        }


def _name(tier: str) -> TierName:
    found: dict[str, TierName] = {"raw": "raw", "minute": "minute", "hour": "hour"}
    return found[tier]
