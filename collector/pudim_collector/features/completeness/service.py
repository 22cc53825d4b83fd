"""Judging days: what should be stored of each server against what is, while a day lasts and when frames come late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from pudim_collector.features.completeness import queries
from pudim_collector.features.completeness.queries import JudgedDay
from pudim_collector.features.completeness.rules import (
    DAY,
    LATE,
    MINUTE,
    Arrival,
    Boot,
    Completeness,
    Gap,
    Known,
    Reason,
    Span,
    State,
    begin,
    completeness,
    due,
    holes,
    percent,
)
from pudim_collector.features.servers.service import Enrolment, Servers
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.attendance import Attendance
from pudim_collector.series.presence import Minutes, Presence, Wanted

GRACE = timedelta(minutes=2)
"""Clocks may differ by a minute, and a commit takes its time: what is younger is not expected yet."""
REMEMBERED = timedelta(days=60)
"""How far back a day is judged again, which needs the minutes' tier."""
MOST_GAPS = 100
STRIP_DAYS = 90
_MONTH = 30
_STRIP_GAPS = 5
_CHUNK = 48
"""Days judged at once; each takes some milliseconds."""
_PATIENCE = 20.0
_HOUR = 3_600_000
_ROLLING = timedelta(hours=1)
"""The hours before the last one are rolled up already, unless there is a backlog."""
_NOTHING = Completeness(0, 0, 0, [])


@dataclass(frozen=True)
class ServerDay:
    """One server's day with the server's name."""

    name: str
    judged: JudgedDay


@dataclass(frozen=True)
class StripGap:
    """Times of the day in UTC."""

    start: str
    end: str
    reason: Reason
    missing: int
    late: int

    @classmethod
    def of(cls, gap: Gap) -> StripGap:
        start, end = (f"{_moment(time):%H:%M:%S}".removesuffix(":00") for time in (gap.start, gap.end))
        return cls(start, "24:00" if gap.end % DAY == 0 else end, gap.reason, gap.missing, gap.late)


@dataclass(frozen=True)
class StripDay:
    """A cell of the strip; its largest gaps, in order of time."""

    day: date
    title: str
    state: State
    percent: float | None
    expected: int
    stored: int
    late: int
    gaps: list[StripGap]
    gaps_left_out: int

    @classmethod
    def of(cls, judged: JudgedDay) -> StripDay:
        found = judged.found
        shown = _largest(found, _STRIP_GAPS)
        return cls(
            judged.day,
            f"{judged.day:%a} {judged.day.day} {judged.day:%b %Y}",
            judged.state,
            percent(found.stored, found.expected),
            found.expected,
            found.stored,
            found.late,
            [StripGap.of(gap) for gap in shown],
            judged.gaps_left_out + len(found.gaps) - len(shown),
        )


@dataclass(frozen=True)
class Strip:
    """Days, oldest first, and what is stored of the last 30 and of all in percent; None: nothing was expected."""

    days: list[StripDay]
    month: float | None
    quarter: float | None


@dataclass(frozen=True)
class _Facts:
    """What the ledger knows of servers."""

    boots: Mapping[UUID, Sequence[Boot]]
    arrivals: Mapping[UUID, Sequence[Arrival]]
    collectors: Sequence[Span]


@dataclass(frozen=True)
class _Task:
    server: Enrolment
    day: date

    @property
    def span(self) -> Span:
        start = _milliseconds(self.day)
        return Span(start, start + DAY)


@dataclass(frozen=True)
class DayLedger:
    """`refresh` is called each few minutes by one process; the rest answers requests."""

    presence: Presence
    attendance: Attendance
    servers: Servers
    clock: Clock
    grace: timedelta = GRACE
    late_after: timedelta = timedelta(milliseconds=LATE)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def days(self, within: Scope, server_id: UUID, first: date, last: date) -> list[JudgedDay]:
        """Each day from `first` to `last`; today as it is now. Raises NoSuchServer."""
        (server,) = await self.servers.enrolments(within, [server_id])
        kept = {one.day: one for one in await queries.days_of(within, server_id, first, last)}
        today = self.clock.now().date()
        facts = await self._facts([server_id])
        if first <= today <= last and server.with_agent:
            (kept[today],) = await self._judge([_Task(server, today)], facts)
        expected = self._expected_days(server, facts)
        return [kept.get(day) or self._unjudged(server_id, day, expected) for day in _days(first, last)]

    async def strip(self, within: Scope, server_id: UUID) -> Strip:
        """The last days for a person's eyes. Raises NoSuchServer."""
        today = self.clock.now().date()
        days = await self.days(within, server_id, today - timedelta(days=STRIP_DAYS - 1), today)
        return Strip([StripDay.of(day) for day in days], _share(days[-_MONTH:]), _share(days))

    async def fleet(self, day: date, scope: Scope) -> list[ServerDay]:
        """The day of every server within the scope, the worst first."""
        servers = await self.servers.enrolments(scope)
        kept = {one.server_id: one for one in await queries.servers_of(scope, day)}
        facts = await self._facts([])
        found = [
            ServerDay(
                server.name,
                kept.get(server.id) or self._unjudged(server.id, day, self._expected_days(server, facts)),
            )
            for server in servers
        ]
        return sorted(found, key=lambda one: (_badness(one.judged), one.name))

    async def refresh(self) -> None:
        """Judge every day that is not over for long, or that something touches that came since."""
        async with self._one_at_a_time:
            started, now = self.clock.monotonic(), self.clock.now()
            facts = await self._facts(None)
            tasks = await self._due(facts, now)
            for start in range(0, len(tasks), _CHUNK):
                judged = await self._judge(tasks[start : start + _CHUNK], facts)
                await queries.save(judged, now)
                if self.clock.monotonic() - started > _PATIENCE:
                    break  # the newest days are done; the others wait for the next time
            await queries.forget(now.date())
            await self.attendance.forget(now - REMEMBERED)

    async def _due(self, facts: _Facts, now: datetime) -> list[_Task]:
        """The newest days first."""
        oldest = (now - REMEMBERED).date()
        computed = await queries.judged_since(oldest)
        waiting = await self.attendance.waiting(now - _ROLLING)
        tasks = []
        for server in await self.servers.every_enrolment():
            days = self._expected_days(server, facts)
            events = list(_events(facts, server.id))
            for day in _days(max(days[0], oldest), min(days[1], now.date())):
                at = computed.get((server.id, day))
                task = _Task(server, day)
                if any(task.span.common(Span(*hour)) for hour in waiting.get(server.id, ())):
                    continue  # it stays due until what has come is rolled up
                if due(task.span, None if at is None else _milliseconds(at), events):
                    tasks.append(task)
        return sorted(tasks, key=lambda task: (task.day, task.server.id), reverse=True)

    async def _facts(self, servers: Sequence[UUID] | None) -> _Facts:
        since = self.clock.now() - REMEMBERED
        boots = await self.attendance.boots(servers)
        arrivals = await self.attendance.arrivals(since, servers)
        return _Facts(
            {server: [Boot(*one) for one in found] for server, found in boots.items()},
            {server: [Arrival(*one) for one in found] for server, found in arrivals.items()},
            [Span(*one) for one in await self.attendance.collectors(since)],
        )

    async def _judge(self, tasks: Sequence[_Task], facts: _Facts) -> list[JudgedDay]:
        now = self.clock.now()
        found = await self.presence.minutes([wanted for task in tasks for wanted in _wanted(task, facts)])
        return await asyncio.to_thread(
            lambda: [self._judged(task, facts, found.get(task.server.id, Minutes()), now) for task in tasks]
        )

    def _judged(self, task: _Task, facts: _Facts, minutes: Minutes, now: datetime) -> JudgedDay:
        server = task.server
        boots = facts.boots.get(server.id, ())
        end = min(now - self.grace, server.revoked_at or now)
        known = Known(
            begin(_milliseconds(server.enrolled_at), boots),
            _milliseconds(end) // MINUTE * MINUTE,
            minutes.counts,
            minutes.said,
            boots,
            facts.arrivals.get(server.id, ()),
            facts.collectors,
            self.late_after // timedelta(milliseconds=1),
        )
        whole = completeness(known, task.span)
        told = replace(whole, gaps=_largest(whole, MOST_GAPS))
        return JudgedDay(server.id, task.day, told, whole.state, len(whole.gaps) - len(told.gaps), now)

    def _expected_days(self, server: Enrolment, facts: _Facts) -> tuple[date, date]:
        """The first and the last day on which frames are expected; the last before the first: on none."""
        if not server.with_agent:
            return date.max, date.min
        start = begin(_milliseconds(server.enrolled_at), facts.boots.get(server.id, ()))
        return _moment(start).date(), (server.revoked_at or self.clock.now()).date()

    def _unjudged(self, server_id: UUID, day: date, expected: tuple[date, date]) -> JudgedDay:
        state = State.UNKNOWN if expected[0] <= day <= expected[1] else State.NOT_EXPECTED
        return JudgedDay(server_id, day, _NOTHING, state, 0, self.clock.now())


def _wanted(task: _Task, facts: _Facts) -> Iterator[Wanted]:
    """The day with an hour around it, and the minutes on both sides of what touches it, however far away."""
    server_id, span = task.server.id, task.span
    yield Wanted(server_id, span.start - _HOUR, span.end + _HOUR)
    for hole in holes(facts.boots.get(server_id, ()), facts.arrivals.get(server_id, ())):
        if hole.common(span):
            for side in hole:
                yield Wanted(server_id, side, side + 1)


def _events(facts: _Facts, server_id: UUID) -> Iterator[tuple[Span, int]]:
    """What changes days that have passed, and when it came."""
    boots, arrivals = facts.boots.get(server_id, ()), facts.arrivals.get(server_id, ())
    yield from ((hole, hole.end) for hole in holes(boots, ()))
    for one in arrivals:
        start = one.first if one.after is None else min(one.after, one.first)
        yield Span(start, one.last + 1), one.came


def _largest(found: Completeness, most: int) -> list[Gap]:
    """The gaps in which most is missing, in order of time."""
    by_size = sorted(found.gaps, key=lambda gap: (gap.missing, gap.late, gap.end - gap.start))
    return sorted(by_size[-most:])


def _share(days: Sequence[JudgedDay]) -> float | None:
    return percent(sum(day.found.stored for day in days), sum(day.found.expected for day in days))


_ORDER = [
    State.MISSING,
    State.NO_CONTACT,
    State.UNKNOWN,
    State.PARTIAL,
    State.LATE,
    State.COMPLETE,
    State.NOT_EXPECTED,
]


def _badness(judged: JudgedDay) -> tuple[int, float]:
    found = judged.found
    return _ORDER.index(judged.state), found.stored / found.expected if found.expected else 1.0


def _days(first: date, last: date) -> list[date]:
    return (
        [first + timedelta(days=number) for number in range((last - first).days + 1)] if first <= last else []
    )


def _milliseconds(moment: datetime | date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
