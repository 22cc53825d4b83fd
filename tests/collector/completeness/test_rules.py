"""What is missing of a day and why: every reason, and what holds whatever was sampled, lost, late or restarted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pudim_collector.features.completeness.rules import (
    DAY,
    MINUTE,
    RECONNECTING,
    SETTLING,
    Arrival,
    Boot,
    Completeness,
    Gap,
    Known,
    Reason,
    Span,
    State,
    Vitals,
    begin,
    completeness,
    due,
    holes,
    percent,
)
from tests.collector.completeness.moments import MIDNIGHT, TICK, at

WHOLE = Span(MIDNIGHT, MIDNIGHT + DAY)


@dataclass
class Story:
    """A server that samples each ten seconds all day, with what a test takes away from it."""

    begin: int = MIDNIGHT
    end: int = MIDNIGHT + DAY
    away: list[Span] = field(default_factory=list)
    boots: list[Boot] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    collectors: list[Span] = field(default_factory=lambda: [Span(MIDNIGHT - DAY, MIDNIGHT + 2 * DAY)])
    booted: int = MIDNIGHT - DAY
    steps: dict[int, Vitals] = field(default_factory=dict)

    def known(self) -> Known:
        times = [
            time
            for time in range(self.begin, self.end, TICK)
            if not any(span.start < time < span.end for span in self.away)
        ]
        counts: dict[int, int] = {}
        for time in times:
            counts[time - time % MINUTE] = counts.get(time - time % MINUTE, 0) + 1
        vitals = {minute: Vitals((minute - self.booted) / 1000, 0, 0, 0, 0) for minute in counts}
        boots = self.boots or ([Boot(times[0], times[-1], TICK)] if times else [])
        return Known(self.begin, self.end, counts, vitals | self.steps, boots, self.arrivals, self.collectors)

    def told(self) -> Completeness:
        return completeness(self.known(), WHOLE)


def vitals(uptime: float = 86_400, jumps: float = 0, missed: float = 0) -> Vitals:
    return Vitals(uptime, jumps, jumps, missed, missed)


AWAY = Span(at(9, 59, 50), at(11))
LASTING = Boot(at(0), at(23, 59, 50), TICK)
RESTARTED = [Boot(at(0), AWAY.start, TICK), Boot(AWAY.end, at(23, 59, 50), TICK)]
MISSING = 360
LATE_AGAIN = Arrival(AWAY.start, AWAY.end, at(11, 30), 360, at(13))
"""The first batches behind lost ones came late too: the agent had been cut off."""


@pytest.mark.parametrize(
    ("reason", "story"),
    [
        (Reason.AGENT_DOWN, Story(away=[AWAY], boots=RESTARTED)),
        (Reason.HOST_DOWN, Story(away=[AWAY], boots=RESTARTED, steps={at(11): vitals(uptime=40)})),
        (Reason.CLOCK_JUMP, Story(away=[AWAY], boots=RESTARTED, steps={at(11): vitals(jumps=1)})),
        (
            Reason.CLOCK_JUMP,
            Story(
                away=[AWAY],
                boots=[LASTING],
                arrivals=[Arrival(AWAY.start, AWAY.end, AWAY.end, 0, AWAY.end)],
                steps={at(11): vitals(jumps=1)},
            ),
        ),
        (
            Reason.PAUSED,
            Story(
                away=[AWAY],
                boots=[LASTING],
                arrivals=[Arrival(AWAY.start, AWAY.end, AWAY.end, 0, AWAY.end)],
                steps={at(11): vitals(missed=360)},
            ),
        ),
        (
            Reason.UNKNOWN,
            Story(
                away=[AWAY],
                boots=[LASTING],
                arrivals=[Arrival(AWAY.start, AWAY.end, AWAY.end, 0, AWAY.end)],
            ),
        ),
        (Reason.NETWORK, Story(away=[AWAY], boots=[LASTING], arrivals=[LATE_AGAIN])),
        (
            Reason.SPOOL_OVERFLOW,
            Story(
                away=[AWAY],
                boots=[LASTING],
                arrivals=[Arrival(AWAY.start, AWAY.end, AWAY.end, 360, AWAY.end + 1000)],
            ),
        ),
        (
            Reason.COLLECTOR_DOWN,
            Story(
                away=[AWAY],
                boots=[LASTING],
                arrivals=[LATE_AGAIN],
                collectors=[Span(MIDNIGHT - DAY, at(9, 50)), Span(at(12, 59), MIDNIGHT + 2 * DAY)],
            ),
        ),
        (Reason.NO_CONTACT, Story(away=[Span(AWAY.start, MIDNIGHT + DAY)], end=AWAY.end)),
        (Reason.UNKNOWN, Story(away=[AWAY], boots=[LASTING])),
        # What the ledger does not explain, the minutes on both sides may: of frames without boots, for instance.
        (Reason.CLOCK_JUMP, Story(away=[AWAY], boots=[LASTING], steps={at(11): vitals(jumps=1)})),
        (Reason.PAUSED, Story(away=[AWAY], boots=[LASTING], steps={at(11): vitals(missed=360)})),
        (Reason.HOST_DOWN, Story(away=[AWAY], boots=[LASTING], steps={at(11): vitals(uptime=40)})),
        (
            Reason.AGENT_DOWN,
            Story(away=[AWAY], boots=[LASTING], steps={at(9, 59): vitals(missed=7), at(11): vitals()}),
        ),
    ],
)
def test_a_gap_has_its_reason(reason: Reason, story: Story) -> None:
    found = story.told()
    assert [(gap.reason, gap.missing) for gap in found.gaps if gap.missing] == [(reason, MISSING)]
    (gap,) = [gap for gap in found.gaps if gap.missing]
    assert (AWAY.start <= gap.start <= at(10), gap.end) == (True, AWAY.end)
    assert found.expected - found.stored == MISSING


def test_a_whole_day_is_complete_and_says_nothing() -> None:
    found = Story().told()
    assert found == Completeness(8640, 8640, 0, [])
    assert (found.state, percent(found.stored, found.expected)) == (State.COMPLETE, 100.0)


def test_what_came_late_is_complete_all_the_same() -> None:
    late = Arrival(at(8, 59, 50), at(9), at(9, 59, 50), 0, at(10, 30))
    found = Story(boots=[LASTING], arrivals=[late]).told()
    assert (found.stored, found.late, found.state) == (8640, 360, State.LATE)
    assert found.gaps == [Gap(at(9), at(10), Reason.NETWORK, 0, 360)]


def test_what_came_late_since_nobody_took_it() -> None:
    late = Arrival(at(8, 59, 50), at(9), at(11, 59, 50), 0, at(12, 30))
    away = [Span(MIDNIGHT - DAY, at(9)), Span(at(10) - RECONNECTING, MIDNIGHT + 2 * DAY)]
    found = Story(boots=[LASTING], arrivals=[late], collectors=away).told()
    assert found.gaps == [
        Gap(at(9), at(10), Reason.COLLECTOR_DOWN, 0, 360),
        Gap(at(10), at(12), Reason.NETWORK, 0, 720),
    ]


def test_before_the_first_word_of_any_collector_nothing_is_blamed_on_it() -> None:
    late = Arrival(at(8, 59, 50), at(9), at(9, 59, 50), 0, at(10, 30))
    for collectors in ([], [Span(at(20), at(24))]):
        (gap,) = Story(boots=[LASTING], arrivals=[late], collectors=collectors).told().gaps
        assert gap.reason is Reason.NETWORK


def test_each_loss_in_a_time_without_collector_is_told_apart_from_the_cut_line() -> None:
    collectors = [Span(MIDNIGHT - DAY, at(10)), Span(at(10, 30) - RECONNECTING, MIDNIGHT + 2 * DAY)]
    found = Story(away=[AWAY], boots=[LASTING], arrivals=[LATE_AGAIN], collectors=collectors).told()
    assert [(gap.reason, gap.missing) for gap in found.gaps if gap.missing] == [
        (Reason.COLLECTOR_DOWN, 180),
        (Reason.NETWORK, 180),
    ]


def test_an_agent_that_restarts_within_a_minute() -> None:
    away = Span(at(10, 0, 10), at(10, 0, 40))
    boots = [Boot(at(0), away.start, TICK), Boot(away.end, at(23, 59, 50), TICK)]
    found = Story(away=[away], boots=boots).told()
    assert found.gaps == [Gap(away.start, away.end, Reason.AGENT_DOWN, 2, 0)]
    assert found.state is State.COMPLETE, "two of 8640"
    assert percent(found.stored, found.expected) == 99.97


def test_the_reason_of_a_gap_over_midnight_is_the_same_on_both_days() -> None:
    away = Span(at(23), at(24) + 3_600_000)
    boots = [Boot(at(0), away.start, TICK), Boot(away.end, at(47, 59, 50), TICK)]
    known = Story(
        away=[away], boots=boots, end=MIDNIGHT + 2 * DAY, steps={away.end: vitals(uptime=5)}
    ).known()
    first, second = (completeness(known, Span(MIDNIGHT + n * DAY, MIDNIGHT + (n + 1) * DAY)) for n in (0, 1))
    assert [(gap.reason, gap.end) for gap in first.gaps] == [(Reason.HOST_DOWN, at(24))]
    assert [(gap.reason, gap.end) for gap in second.gaps] == [(Reason.HOST_DOWN, away.end)]


def test_a_tick_missed_here_and_there_is_not_the_end_of_completeness() -> None:
    away = [Span(at(hour, 7, 20), at(hour, 7, 40)) for hour in (3, 5)]
    steps = {at(hour, minute): vitals(missed=n) for n, hour in ((1, 3), (2, 5)) for minute in (7, 8)}
    steps[at(5, 6)] = vitals(missed=1)
    found = Story(away=away, boots=[LASTING], steps=steps).told()
    assert found.gaps == [Gap(at(hour, 7), at(hour, 8), Reason.PAUSED, 1, 0) for hour in (3, 5)]
    assert found.state is State.COMPLETE


def test_a_pause_in_the_first_minute_of_all() -> None:
    away = Span(at(0, 0, 10), at(0, 0, 50))
    steps = {at(0, minute): Vitals(80_000, 0, 0, 0 if minute == 0 else 3, 3) for minute in range(3)}
    found = Story(away=[away], boots=[LASTING], steps=steps).told()
    assert found.gaps == [Gap(at(0), at(0, 1), Reason.PAUSED, 3, 0)]


def test_more_frames_than_expected_are_no_more_than_complete() -> None:
    known = Story().known()
    busy = replace(known, counts=dict.fromkeys(known.counts, 60))
    assert completeness(busy, WHOLE) == completeness(known, WHOLE)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(100, 864_000), (1000, 86_400), (7000, 12_343), (300_000, 288), (3_600_000, 24)],
)
def test_what_is_expected_follows_the_agents_interval(interval: int, expected: int) -> None:
    times = list(range(-(-MIDNIGHT // interval) * interval, MIDNIGHT + DAY, interval))
    counts: dict[int, int] = {}
    for time in times:
        counts[time - time % MINUTE] = counts.get(time - time % MINUTE, 0) + 1
    known = Known(MIDNIGHT, MIDNIGHT + DAY, counts, {}, [Boot(MIDNIGHT, MIDNIGHT + DAY, interval)])
    found = completeness(known, WHOLE)
    assert (found.expected, found.stored, found.gaps) == (expected, expected, [])
    assert len(times) == expected


def test_an_interval_that_changes_with_a_boot() -> None:
    boots = [Boot(at(0), at(11, 59, 50), TICK), Boot(at(12), at(23, 59), MINUTE)]
    known = Story(boots=boots).known()
    assert completeness(known, WHOLE).expected == 12 * 360 + 12 * 60


def test_nothing_is_expected_before_the_beginning_or_after_the_end() -> None:
    known = Story(begin=at(6), end=at(18)).known()
    assert completeness(known, WHOLE).expected == 12 * 360
    for span in (Span(MIDNIGHT - DAY, MIDNIGHT), Span(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY)):
        found = completeness(known, span)
        assert (found.state, found.gaps, percent(found.stored, found.expected)) == (
            State.NOT_EXPECTED,
            [],
            None,
        )


def test_a_server_that_never_said_anything() -> None:
    found = completeness(Known(at(6), at(18), {}, {}), WHOLE)
    assert found.gaps == [Gap(at(6), at(18), Reason.NO_CONTACT, 12 * 360, 0)]
    assert found.state is State.NO_CONTACT


def test_an_agent_that_starts_long_after_its_enrolment() -> None:
    boots = [Boot(at(10), at(23, 59, 50), TICK)]
    assert begin(at(6), boots) == at(6, 2)
    assert begin(at(9, 59), boots) == at(10)
    assert begin(at(12), boots) == at(10)
    assert begin(at(12), [], [at(3), at(4)]) == at(3)
    known = replace(Story(begin=at(6), away=[Span(at(6) - 1, at(10))]).known(), boots=boots)
    assert completeness(known, WHOLE).gaps == [Gap(at(6), at(10), Reason.AGENT_DOWN, 4 * 360, 0)]


@pytest.mark.parametrize(
    ("expected", "stored", "late", "reason", "state"),
    [
        (0, 0, 0, None, State.NOT_EXPECTED),
        (1000, 1000, 0, None, State.COMPLETE),
        (1000, 999, 0, Reason.PAUSED, State.COMPLETE),
        (1000, 998, 0, Reason.PAUSED, State.PARTIAL),
        (1000, 1000, 1, None, State.LATE),
        (1000, 998, 400, Reason.NETWORK, State.PARTIAL),
        (1000, 1, 0, Reason.UNKNOWN, State.PARTIAL),
        (1000, 0, 0, Reason.AGENT_DOWN, State.MISSING),
        (1000, 0, 0, Reason.NO_CONTACT, State.NO_CONTACT),
        (1000, 999, 0, Reason.NO_CONTACT, State.NO_CONTACT),
    ],
)
def test_a_day_in_one_word(
    expected: int, stored: int, late: int, reason: Reason | None, state: State
) -> None:
    gaps = [Gap(0, MINUTE, reason, expected - stored, 0)] if reason else []
    assert Completeness(expected, stored, late, gaps).state is state


def test_a_share_is_never_rounded_up() -> None:
    assert percent(99_999, 100_000) == 99.99
    assert percent(0, 3) == 0
    assert percent(3, 3) == 100


BEFORE, AFTER = Span(MIDNIGHT - DAY, MIDNIGHT), Span(MIDNIGHT + DAY, MIDNIGHT + 2 * DAY)


@pytest.mark.parametrize(
    ("computed", "events", "wanted"),
    [
        (None, [], True),
        (at(12), [], True),
        (at(24) + SETTLING - 1, [], True),
        (at(24) + SETTLING, [], False),
        (at(90), [(BEFORE, at(95)), (AFTER, at(95))], False),
        (at(90), [(Span(at(20), at(30)), at(80))], False),
        (at(90), [(Span(at(20), at(30)), at(95))], True),
        (at(95), [(Span(at(20), at(30)), at(95))], True),
        (at(96), [(Span(at(20), at(30)), at(95))], False),
    ],
)
def test_a_day_is_judged_until_nothing_can_change_it(
    computed: int | None, events: Sequence[tuple[Span, int]], wanted: bool
) -> None:
    assert due(WHOLE, computed, events) is wanted


def test_the_holes_to_look_at() -> None:
    boots = [Boot(500_000, 900_000, TICK), Boot(100_000, 400_000, TICK), Boot(600_000, 700_000, TICK)]
    arrivals = [
        Arrival(None, 1, 2, 0, 3),
        Arrival(1_000_000, 1_070_000, 1_070_000, 0, 1_070_000),
        Arrival(2_000_000, 2_010_000, 2_010_000, 0, 9_000_000),
        Arrival(3_000_000, 3_900_000, 3_900_000, 5, 3_900_000),
    ]
    assert holes(boots, arrivals) == [Span(400_000, 500_000), Span(1_000_000, 1_070_000)]


def test_the_guide_explains_every_state_and_reason() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/completeness.md").read_text()
    explained = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert explained == {*State, *Reason}
