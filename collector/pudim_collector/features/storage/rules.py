"""What the store's sizes mean: how fast a tier grows, how far back it will reach, when a disk is full. Values in, values out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from pudim.vocabulary.errors import PudimError

TIERS = ("raw", "minute", "hour")
NAMES = {"raw": "Raw frames", "minute": "Minutes", "hour": "Hours"}
MOST_DAYS = 36_500
LEAST_BYTES = 64 << 20
"""A tier's empty tables and the day that is written need some space; less than this drops everything but today."""
_DAY = timedelta(days=1)
_RECENT = timedelta(days=7)
_LEAST_HISTORY = timedelta(hours=1)
"""Growth that was watched for less is unknown, and a stretch that lacks less at its beginning is whole."""
_UNITS: dict[str, int] = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("KMGT", 1)},
    **{f"{prefix}IB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}
_SHOWN = ("B", "KiB", "MiB", "GiB", "TiB")
_SIZE = re.compile(r"([0-9]{1,16}(?:[.,][0-9]{1,6})?)\s*((?:[KMGT]i?)?B)?", re.IGNORECASE)


class BadLimit(PudimError):
    """These limits cannot be kept to."""

    code = "bad_limit"
    status = 422

    def __init__(self, detail: str, field: str = "form") -> None:
        super().__init__(detail)
        self.field = field


@dataclass(frozen=True)
class Limit:
    """How many days a tier is kept, and within how many bytes; None is as much as there is."""

    days: int
    bytes: int | None


@dataclass(frozen=True)
class Stretch:
    """A tier's pieces of one time together."""

    start: datetime
    end: datetime
    bytes: int


class Bound(StrEnum):
    """What ends a tier's growth."""

    AGE = "age"
    BYTES = "bytes"


@dataclass(frozen=True)
class Forecast:
    """At this rate the tier comes to `bytes` in `in_days` and then reaches `days` back; `bound` ends it there."""

    days: float
    bytes: int
    in_days: float
    bound: Bound


@dataclass(frozen=True)
class Grown:
    """A tier as the disk sees it: bytes a day, until it has grown by so many bytes."""

    daily: float
    most: float


def check_limits(limits: Mapping[str, Limit]) -> None:
    """Raises BadLimit. A coarser tier is kept at least as long as the one it is made of."""
    for tier, limit in limits.items():
        if not 1 <= limit.days <= MOST_DAYS:
            raise BadLimit(f"{NAMES[tier]}: between 1 and {MOST_DAYS} days.", f"{tier}_days")
        if limit.bytes is not None and not LEAST_BYTES <= limit.bytes < 1 << 62:
            raise BadLimit(f"{NAMES[tier]}: at least {say_bytes(LEAST_BYTES)}, or no limit.", f"{tier}_bytes")
    for finer, coarser in pairwise(TIERS):
        if limits[coarser].days < limits[finer].days:
            raise BadLimit(
                f"{NAMES[coarser]} must be kept at least as long as {NAMES[finer].lower()}: {limits[finer].days} days.",
                f"{coarser}_days",
            )


def parse_bytes(text: str, field: str) -> int | None:
    """A size such as "20 GB" or "1.5TiB"; a bare number is in GiB, nothing is no limit. Raises BadLimit."""
    if not text.strip():
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BadLimit("Write a size such as 20 GiB, or nothing for no limit.", field)
    unit = _UNITS[(found[2] or "GiB").upper()]
    return round(float(found[1].replace(",", ".")) * unit)


def parse_days(text: str, field: str) -> int:
    """Raises BadLimit."""
    if not re.fullmatch(r"[0-9]{1,6}", text.strip()):
        raise BadLimit("Write a whole number of days.", field)
    return int(text)


def daily_growth(stretches: Sequence[Stretch], oldest: datetime | None, now: datetime) -> float | None:
    """Bytes a day that a tier takes: of its last whole stretches, which are compact, else of all since `oldest`."""
    if oldest is None:
        return None
    whole = [one for one in stretches if one.end <= now and one.start >= oldest - _LEAST_HISTORY]
    newest = max((one.end for one in whole), default=oldest)
    recent = [one for one in whole if one.end > max(oldest, newest - _RECENT)]
    if recent:
        return sum(one.bytes for one in recent) / (
            sum((one.end - one.start for one in recent), timedelta()) / _DAY
        )
    age = now - oldest
    return sum(one.bytes for one in stretches) / (age / _DAY) if age >= _LEAST_HISTORY else None


def loose_bytes(
    stretches: Sequence[Stretch], daily: float | None, oldest: datetime | None, now: datetime
) -> float:
    """What the stretch that is written now takes beyond its days: rows that are not compact yet, and space ahead."""
    unfinished = [one for one in stretches if one.end > now]
    begun = [now - max(one.start, oldest or now) for one in unfinished if one.start < now]
    expected = (daily or 0.0) * (max(begun, default=timedelta()) / _DAY)
    return max(0.0, sum(one.bytes for one in unfinished) - expected)


def forecast(
    held: int, daily: float | None, limit: Limit, days: float, loose: float = 0.0
) -> Forecast | None:
    """Where a tier of `held` bytes and `days` ends at `daily` bytes a day; None when nobody can know.

    `loose` bytes are there whatever the age.
    """
    if daily is None or daily <= 0:
        return None
    by_age = daily * limit.days + loose
    if limit.bytes is not None and limit.bytes < by_age:
        reached = max(0.0, limit.bytes - loose) / daily
        return Forecast(reached, limit.bytes, max(0.0, (limit.bytes - held) / daily), Bound.BYTES)
    return Forecast(float(limit.days), round(by_age), max(0.0, limit.days - days), Bound.AGE)


def disk_full_in(free: int, growing: Sequence[Grown]) -> float | None:
    """Days until `free` bytes are gone, each tier growing until it may not any more; None if that never comes."""
    elapsed, left = 0.0, float(free)
    waiting = sorted(
        (one for one in growing if one.daily > 0 and one.most > 0), key=lambda one: one.most / one.daily
    )
    while waiting:
        rate = sum(one.daily for one in waiting)
        until = waiting[0].most / waiting[0].daily
        if left <= rate * (until - elapsed):
            return elapsed + left / rate
        left -= rate * (until - elapsed)
        elapsed = until
        waiting = waiting[1:]
    return None


def say_bytes(size: float) -> str:
    """In the largest unit that leaves at least one whole of it, with three digits."""
    power = 0
    while size >= 999.5 and power < len(_SHOWN) - 1:  # noqa: PLR2004 - would be said with four digits
        size, power = size / 1024, power + 1
    digits = 0 if power == 0 or size >= 99.95 else 1 if size >= 9.995 else 2  # noqa: PLR2004 - three digits
    return f"{size:.{digits}f} {_SHOWN[power]}"


def type_bytes(size: int | None) -> str:
    """As it would be typed to mean exactly this."""
    if size is None:
        return ""
    for unit in ("TiB", "TB", "GiB", "GB", "MiB", "MB"):
        scale = _UNITS[unit.upper()]
        if size >= scale and size * 100 % scale == 0:
            return f"{size // scale}.{size * 100 // scale % 100:02} {unit}".replace(".00", "")
    return f"{size} B"


def say_days(days: float) -> str:
    """As a person would: hours, days, then years."""
    if days < 2 / 24:
        return f"{max(0, round(days * 1440))} minutes"
    if days < 2:  # noqa: PLR2004 - of days
        return f"{round(days * 24)} hours"
    if days < 10:  # noqa: PLR2004
        return f"{math.floor(days * 10) / 10:g} days"
    if days < 1000:  # noqa: PLR2004
        return f"{round(days)} days"
    return f"{days / 365.25:.1f} years"
