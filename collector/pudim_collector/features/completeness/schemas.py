"""Completeness at the HTTP edge."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from pudim_collector.features.completeness import rules
from pudim_collector.features.completeness.queries import JudgedDay
from pudim_collector.features.completeness.rules import Reason, State, percent
from pudim_collector.features.completeness.service import ServerDay

_EPOCH = datetime.fromtimestamp(0, UTC)


class Gap(Struct, rename={"start": "from", "end": "to"}):
    """A time in which `missing` samplings are not stored, or one in which `late` of the stored ones came late."""

    start: datetime
    end: datetime
    reason: Reason
    missing: int
    late: int

    @classmethod
    def of(cls, gap: rules.Gap) -> Gap:
        start, end = (_EPOCH + timedelta(milliseconds=time) for time in (gap.start, gap.end))
        return cls(start, end, gap.reason, gap.missing, gap.late)


class DayCompleteness(Struct):
    """A day (UTC) of one server: samplings that were expected and are stored, in percent never rounded up.

    Of many gaps the `gaps_left_out` smallest are not told. `computed_at` is null for a day that was not judged.
    """

    day: date
    state: State
    percent: float | None
    expected: int
    stored: int
    late: int
    gaps: list[Gap]
    gaps_left_out: int
    computed_at: datetime | None

    @classmethod
    def of(cls, judged: JudgedDay) -> DayCompleteness:
        found = judged.found
        share = percent(found.stored, found.expected)
        gaps = [Gap.of(gap) for gap in found.gaps]
        computed_at = judged.computed_at if found.expected else None
        return cls(
            judged.day,
            judged.state,
            share,
            found.expected,
            found.stored,
            found.late,
            gaps,
            judged.gaps_left_out,
            computed_at,
        )


class ServerCompleteness(Struct, rename={"first": "from", "last": "to"}):
    """One server's days, oldest first."""

    server: UUID
    first: date
    last: date
    days: list[DayCompleteness]


class FleetMember(DayCompleteness):
    """A server's day among the others'."""

    server: UUID
    name: str

    @classmethod
    def among(cls, one: ServerDay) -> FleetMember:
        day = DayCompleteness.of(one.judged)
        fields = {name: getattr(day, name) for name in DayCompleteness.__struct_fields__}
        return cls(**fields, server=one.judged.server_id, name=one.name)


class FleetCompleteness(Struct):
    """A day of all servers, the worst first."""

    day: date
    items: list[FleetMember]
