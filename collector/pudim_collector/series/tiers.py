"""Which tier answers a question, in buckets of which width: decided from the range and from what is still kept."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from pudim_collector.series.rollups import HOUR, MINUTE

STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Widths of buckets in seconds that a person reads easily on an axis."""
_DAY = 86_400
_LATE = MINUTE
"""Milliseconds before the rollups' end of which frames may have come since."""


class Tier(StrEnum):
    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"

    @property
    def unit(self) -> int:
        """Milliseconds of one row; a raw row is one moment."""
        return {Tier.RAW: 1, Tier.MINUTE: MINUTE, Tier.HOUR: HOUR}[self]


class Kept(NamedTuple):
    """Since when each tier has rows, until when minutes are made, and until when whole hours; milliseconds since the epoch."""

    raw: int
    minute: int
    hour: int
    rolled: int
    hours: int

    def since(self, tier: Tier) -> int:
        return {Tier.RAW: self.raw, Tier.MINUTE: self.minute, Tier.HOUR: self.hour}[tier]


class Stretch(NamedTuple):
    """Rows of `tier` from `start` until before `end`, in milliseconds."""

    tier: Tier
    start: int
    end: int


class Plan(NamedTuple):
    """Buckets of `step` seconds, made of the rows of one stretch after the other."""

    tier: Tier
    step: int
    stretches: Sequence[Stretch]


def step_of(seconds: float, points: int) -> int:
    """The narrowest readable bucket with which `seconds` has at most `points` of them; at least one second."""
    for step in STEPS:
        if seconds / step <= points:
            return step
    days = -(-seconds // (points * _DAY))
    return int(days) * _DAY


def planned(start: int, end: int, step: int, kept: Kept) -> Plan:
    """How milliseconds from `start` until before `end` are read; wider than `step` where only wider rows are left.

    A tier's rows are whole: its first and last one reach over the range's ends.
    """
    tier, step = _tier(start, step, kept)
    unit = tier.unit
    first, last = start // unit * unit, -(-end // unit) * unit
    hours = (min(kept.hours, kept.rolled - _LATE)) // HOUR * HOUR if tier is Tier.HOUR else first
    minutes = (kept.rolled - _LATE) // MINUTE * MINUTE if tier is not Tier.RAW else first
    return Plan(tier, step, _stretches(first, last, hours, minutes))


def _stretches(first: int, last: int, hours: int, minutes: int) -> list[Stretch]:
    """Hours until `hours`, then minutes until `minutes`, then raw frames: rollups miss what came a moment ago."""
    found, start = [], first
    for tier, until in ((Tier.HOUR, hours), (Tier.MINUTE, minutes), (Tier.RAW, last)):
        end = min(until, last)
        if end > start:
            found.append(Stretch(tier, start, end))
            start = end
    return found


def _tier(start: int, step: int, kept: Kept) -> tuple[Tier, int]:
    """The coarsest tier whose rows fit into steps and reach back to `start`, else the next wider step that has one."""
    fitting = [tier for tier in (Tier.HOUR, Tier.MINUTE, Tier.RAW) if step * 1000 % tier.unit == 0]
    for tier in fitting:
        if kept.since(tier) <= start:
            return tier, step
    wider = [tier for tier in (Tier.MINUTE, Tier.HOUR) if tier not in fitting]
    reaching = [tier for tier in wider if kept.since(tier) <= start]
    tier = reaching[0] if reaching else min([*wider[::-1], *fitting], key=kept.since)
    seconds = max(tier.unit // 1000, 1)
    return tier, -(-step // seconds) * seconds
