"""How much of what a server should have sent is stored, and why the rest is missing: values in, gaps out.

All times are milliseconds since the epoch. A minute is known by its beginning. `causes` names the stretches of time
that the ledger can explain; what it cannot, the minutes on both sides of a gap may.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

MINUTE = 60_000
DAY = 86_400_000
DEFAULT_INTERVAL = 10_000
STARTING = 120_000
"""How long after its enrolment an agent may take to send its first frame before that counts as missing."""
LATE = 120_000
"""What arrives later than this after it was sampled has waited in the agent's spool."""
RECONNECTING = 75_000
"""Agents wait up to a minute between attempts, so a collector that is back is not met at once."""
HOLE = 60_000
"""Shorter pauses in a boot are no event of their own; their minutes tell."""
SETTLING = 600_000
"""By then what came is rolled up, and a day that is over can be judged for good."""
CLOCKS = 5_000
"""How much the host's uptime and its wall clock may disagree on when it started."""
COMPLETE_FROM = 0.999
"""A busy host misses a tick now and then; a day with this share of its samples counts as complete."""


class Reason(StrEnum):
    """Why frames are missing, or came late."""

    AGENT_DOWN = "agent_down"
    HOST_DOWN = "host_down"
    NETWORK = "network"
    COLLECTOR_DOWN = "collector_down"
    SPOOL_OVERFLOW = "spool_overflow"
    CLOCK_JUMP = "clock_jump"
    PAUSED = "paused"
    NO_CONTACT = "no_contact"
    UNKNOWN = "unknown"


class State(StrEnum):
    """What a day was like, in one word. unknown: not looked at yet."""

    COMPLETE = "complete"
    LATE = "late"
    PARTIAL = "partial"
    MISSING = "missing"
    NO_CONTACT = "no_contact"
    NOT_EXPECTED = "not_expected"
    UNKNOWN = "unknown"


class Span(NamedTuple):
    """From `start` until before `end`."""

    start: int
    end: int

    def common(self, other: Span) -> int:
        """For how long they overlap."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))


class Boot(NamedTuple):
    """One run of an agent: its oldest and newest stored frame, and its sampling interval."""

    first: int
    last: int
    interval: int


class Arrival(NamedTuple):
    """A run of batches that came late or after a pause, or one batch that came after lost ones. `after`: the frame
    stored before them.
    """

    after: int | None
    first: int
    last: int
    lost: int
    came: int


class Vitals(NamedTuple):
    """What a minute's frames say of host and agent: the host's least uptime in seconds, and the lowest and highest
    of the agent's counters of clock jumps and of missed ticks, which begin at 0 with its process. NaN: not said.
    """

    uptime: float = math.nan
    jumps_low: float = math.nan
    jumps_high: float = math.nan
    missed_low: float = math.nan
    missed_high: float = math.nan


class Gap(NamedTuple):
    """A time in which samplings are `missing`, or else one in which `late` ones came late; a minute may be in both."""

    start: int
    end: int
    reason: Reason
    missing: int
    late: int


@dataclass(frozen=True)
class Known:
    """All that is known of one server. Frames are expected from `begin` until before `end`.

    `counts` has the frames of each minute that has any, `vitals` what makes its Vitals. `collectors` are the times when a collector ran.
    """

    begin: int
    end: int
    counts: Mapping[int, int]
    vitals: Mapping[int, Sequence[float]]
    boots: Sequence[Boot] = ()
    arrivals: Sequence[Arrival] = ()
    collectors: Sequence[Span] = ()
    late_after: int = LATE

    def vital(self, time: int) -> Vitals:
        """What the minute of this time says."""
        return Vitals(*self.vitals.get(time - time % MINUTE, ()))

    @cached_property
    def in_order(self) -> Sequence[Boot]:
        return sorted(self.boots)

    @cached_property
    def newest(self) -> int | None:
        """Of the frames; None if there never was one."""
        frames = [boot.last for boot in self.boots] or [minute + MINUTE - 1 for minute in self.counts]
        return max(frames, default=None)

    @cached_property
    def downs(self) -> Sequence[Span]:
        """When no collector ran, until agents found back to one; nothing is known before the first one."""
        runs = sorted(self.collectors)
        found = []
        seen = runs[0].end if runs else 0
        for run in runs:
            if run.start > seen:
                found.append(Span(seen, run.start + RECONNECTING))
            seen = max(seen, run.end)
        return found

    def is_late(self, arrival: Arrival) -> bool:
        return arrival.came - arrival.last > self.late_after


@dataclass(frozen=True)
class Completeness:
    """How many samplings were expected and are stored, `late` of them afterwards; gaps in order of time."""

    expected: int
    stored: int
    late: int
    gaps: Sequence[Gap]

    @property
    def state(self) -> State:
        if not self.expected:
            return State.NOT_EXPECTED
        if any(gap.reason is Reason.NO_CONTACT for gap in self.gaps):
            return State.NO_CONTACT
        if not self.stored:
            return State.MISSING
        if self.stored < self.expected * COMPLETE_FROM:
            return State.PARTIAL
        return State.LATE if self.late else State.COMPLETE


def percent(stored: int, expected: int) -> float | None:
    """Never rounded up: 100 is said only where nothing is missing. None where nothing was expected."""
    return math.floor(stored * 10_000 / expected) / 100 if expected else None


class Cause(NamedTuple):
    """A stretch of time that something explains."""

    span: Span
    reason: Reason


class _Minute(NamedTuple):
    """So many samplings are missing, or came late."""

    start: int
    number: int
    cause: Cause | None


def due(span: Span, computed: int | None, events: Iterable[tuple[Span, int]]) -> bool:
    """Whether a day must be judged (again): it is not long over, or what came since touches it.

    `computed` is when it was last, `events` are times that something explains and when that became known.
    """
    if computed is None:
        return True
    touched = [came for event, came in events if event.common(span)]
    return computed < max([span.end, *touched]) + SETTLING


def begin(enrolled: int, boots: Iterable[Boot], counts: Iterable[int] = ()) -> int:
    """From when on a server's frames are expected; `counts` are minutes that have some."""
    return min([enrolled + STARTING, *[boot.first for boot in boots], *counts])


def completeness(known: Known, span: Span) -> Completeness:
    """What is stored of `span` out of what was expected."""
    span = Span(max(span.start, known.begin), min(span.end, known.end))
    explained, lates = causes(known), late_causes(known)
    expected = stored = 0
    missing, behind = [], []
    for minute, wanted in _grid(known, span):
        here = min(known.counts.get(minute, 0), wanted)
        expected, stored = expected + wanted, stored + here
        if here < wanted:
            missing.append(_Minute(minute, wanted - here, _most(explained, minute)))
        if here and lates and (cause := _most(lates, minute)):
            behind.append(_Minute(minute, here, cause))
    gaps = [*_gaps(known, missing), *_stretches(behind)]
    return Completeness(expected, stored, sum(one.number for one in behind), sorted(gaps))


def _grid(known: Known, span: Span) -> Iterator[tuple[int, int]]:
    """Each minute of `span` in which samplings were expected, and how many: whole multiples of the interval."""
    boots = known.in_order
    number, interval = 0, boots[0].interval if boots else DEFAULT_INTERVAL
    for minute in range(span.start - span.start % MINUTE, span.end, MINUTE):
        while number < len(boots) and boots[number].first <= minute:
            interval = boots[number].interval
            number += 1
        start, end = max(minute, span.start), min(minute + MINUTE, span.end)
        wanted = -(-end // interval) - -(-start // interval)
        if wanted:
            yield minute, wanted


def causes(known: Known) -> list[Cause]:
    """What the ledger explains: losses, restarts, pauses, and the silence before the first and after the last frame."""
    newest = known.newest
    if newest is None:
        return [Cause(Span(known.begin, known.end), Reason.NO_CONTACT)]
    found = [*_losses(known), *_restarts(known), *_pauses(known)]
    if newest < known.end:
        found.append(Cause(Span(newest, known.end), Reason.NO_CONTACT))
    return [cause for cause in found if cause.span.start < cause.span.end]


def holes(boots: Sequence[Boot], arrivals: Sequence[Arrival]) -> list[Span]:
    """Times between two stored frames that something may explain: the minutes of both tell more."""
    found = [Span(before, boot.first) for before, boot in _successions(sorted(boots)) if before is not None]
    found += [Span(one.after, one.first) for one in arrivals if one.after is not None and _is_hole(one)]
    return [span for span in found if span.start < span.end]


def late_causes(known: Known) -> list[Cause]:
    """When what was sampled could not be sent at once."""
    return [
        Cause(part, Reason.COLLECTOR_DOWN if down else Reason.NETWORK)
        for arrival in known.arrivals
        if known.is_late(arrival)
        for part, down in _divided(known, Span(arrival.first, arrival.last + 1))
    ]


def _successions(boots: Sequence[Boot]) -> Iterator[tuple[int | None, Boot]]:
    """Each boot with the newest frame of all before it."""
    newest: int | None = None
    for boot in boots:
        yield newest, boot
        newest = boot.last if newest is None else max(newest, boot.last)


def _losses(known: Known) -> Iterator[Cause]:
    """Batches that the agent gave up: because nobody took them for long, or though somebody would have."""
    for arrival in known.arrivals:
        if not arrival.lost:
            continue
        if arrival.after is None:
            before = [boot.last for boot in known.boots if boot.last < arrival.first]
            start = max(before, default=known.begin)
        else:
            start = arrival.after
        cut_off = Reason.NETWORK if known.is_late(arrival) else Reason.SPOOL_OVERFLOW
        # Until its last frame, for a batch of minutes' means stands for those before it that gave way to it.
        for part, down in _divided(known, Span(start, arrival.last)):
            yield Cause(part, Reason.COLLECTOR_DOWN if down else cut_off)


def _restarts(known: Known) -> Iterator[Cause]:
    for before, boot in _successions(known.in_order):
        start = known.begin if before is None else before
        yield Cause(Span(start, boot.first), _restart_reason(known, before, boot.first))


def _restart_reason(known: Known, before: int | None, first: int) -> Reason:
    vitals = known.vital(first)
    if before is None:
        return Reason.AGENT_DOWN
    if first - vitals.uptime * 1000 > before - CLOCKS:
        return Reason.HOST_DOWN
    # Its process had seen a jump already: the agent did not restart, it began anew because its clock went back.
    return Reason.CLOCK_JUMP if vitals.jumps_low >= 1 else Reason.AGENT_DOWN


def _is_hole(arrival: Arrival) -> bool:
    return arrival.after is not None and not arrival.lost and arrival.first - arrival.after > HOLE


def _pauses(known: Known) -> Iterator[Cause]:
    for arrival in known.arrivals:
        if arrival.after is not None and _is_hole(arrival):
            reason = _pause_reason(known.vital(arrival.after), known.vital(arrival.first))
            yield Cause(Span(arrival.after, arrival.first), reason)


def _pause_reason(before: Vitals, after: Vitals) -> Reason:
    """What the agent's counters say of a pause in one boot."""
    if after.jumps_high > before.jumps_high:
        return Reason.CLOCK_JUMP
    return Reason.PAUSED if after.missed_high > before.missed_high else Reason.UNKNOWN


def _divided(known: Known, span: Span) -> Iterator[tuple[Span, bool]]:
    """`span` in parts in which a collector ran, and in which none did (True)."""
    at = span.start
    for down in known.downs:
        start, end = max(down.start, at), min(down.end, span.end)
        if start < end:
            if at < start:
                yield Span(at, start), False
            yield Span(start, end), True
            at = end
    if at < span.end:
        yield Span(at, span.end), False


def _most(found: Iterable[Cause], minute: int) -> Cause | None:
    """The cause that explains most of a minute, the first of equals."""
    span = Span(minute, minute + MINUTE)
    best = max(found, key=lambda cause: cause.span.common(span), default=None)
    return best if best and best.span.common(span) else None


def _gaps(known: Known, missing: Sequence[_Minute]) -> Iterator[Gap]:
    """Neighbours of one cause are one gap."""
    for run in _runs(missing, lambda one: one.cause):
        span = Span(run[0].start, run[-1].start + MINUTE)
        cause = run[0].cause or Cause(span, _told_by_minutes(known, span))
        # What the ledger explains has times of frames, which tell more than minutes.
        start, end = max(span.start, cause.span.start), min(span.end, cause.span.end)
        yield Gap(start, end, cause.reason, sum(one.number for one in run), 0)


def _stretches(late: Sequence[_Minute]) -> Iterator[Gap]:
    """Neighbours of one reason are one stretch."""
    for run in _runs(late, lambda one: one.cause and one.cause.reason):
        if run[0].cause is not None:
            number = sum(one.number for one in run)
            yield Gap(run[0].start, run[-1].start + MINUTE, run[0].cause.reason, 0, number)


def _runs(marked: Sequence[_Minute], kind: Callable[[_Minute], object]) -> Iterator[list[_Minute]]:
    run: list[_Minute] = []
    for one in marked:
        if run and (run[-1].start + MINUTE != one.start or kind(run[-1]) != kind(one)):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def _told_by_minutes(known: Known, span: Span) -> Reason:
    """What the nearest minutes around a gap say that the ledger does not explain."""
    inside = [minute for minute in (span.start, span.end - MINUTE) if minute in known.vitals]
    before = _nearest(known, [*range(span.start - MINUTE, span.start - DAY, -MINUTE), *inside])
    after = _nearest(known, [*range(span.end, span.end + DAY, MINUTE), *reversed(inside)])
    if before is None or after is None:
        return Reason.UNKNOWN
    earlier, later = known.vital(before), known.vital(after)
    if after - later.uptime * 1000 > before + MINUTE:
        return Reason.HOST_DOWN
    if before < after and later.missed_low < earlier.missed_high:
        return Reason.AGENT_DOWN
    if before in inside:  # its highest counts may be those after the gap
        earlier = earlier._replace(jumps_high=earlier.jumps_low, missed_high=earlier.missed_low)
    return _pause_reason(earlier, later)


def _nearest(known: Known, minutes: Iterable[int]) -> int | None:
    return next((minute for minute in minutes if minute in known.vitals), None)
