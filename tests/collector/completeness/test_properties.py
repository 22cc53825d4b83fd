"""What holds of gaps whatever was sampled, lost, late or restarted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.completeness.rules import (
    MINUTE,
    Arrival,
    Boot,
    Gap,
    Known,
    Reason,
    Span,
    State,
    Vitals,
    completeness,
)
from tests.collector.completeness.moments import TICK, at

MINUTES = st.integers(-30, 150)
TIMES = MINUTES.map(lambda minute: at(10) + minute * MINUTE) | st.integers(at(9), at(13))
SPANS = st.tuples(TIMES, TIMES).map(lambda pair: Span(min(pair), max(pair) + 1))
HOUR = Span(at(10), at(12))
INTERVALS = st.sampled_from([1000, TICK, 7000, 300_000])
BOOTS = st.tuples(SPANS, INTERVALS).map(lambda one: Boot(one[0].start, one[0].end, one[1]))
ARRIVALS = st.tuples(st.none() | TIMES, SPANS, st.integers(0, 3), st.integers(0, 4_000_000)).map(
    lambda one: Arrival(one[0], one[1].start, one[1].end, one[2], one[1].end + one[3])
)
NUMBERS = st.just(math.nan) | st.integers(0, 3).map(float) | st.integers(0, 100_000).map(float)
VITALS = st.builds(Vitals, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)


@st.composite
def known_things(draw: st.DrawFn) -> Known:
    start, end = draw(SPANS)
    counts = draw(st.dictionaries(MINUTES.map(lambda minute: at(10) + minute * MINUTE), st.integers(1, 70)))
    said = {minute: draw(VITALS) for minute in counts if draw(st.booleans())}
    return Known(
        start,
        end,
        counts,
        said,
        draw(st.lists(BOOTS, max_size=4)),
        draw(st.lists(ARRIVALS, max_size=4)),
        draw(st.lists(SPANS, max_size=3)),
    )


def minutes_of(gaps: Sequence[Gap]) -> set[int]:
    return {minute for gap in gaps for minute in range(gap.start - gap.start % MINUTE, gap.end, MINUTE)}


@given(known_things())
def test_gaps_cover_exactly_what_is_missing_once_with_one_reason_each(known: Known) -> None:
    found = completeness(known, HOUR)
    assert 0 <= found.late <= found.stored <= found.expected
    assert sum(gap.missing for gap in found.gaps) == found.expected - found.stored
    assert sum(gap.late for gap in found.gaps) == found.late
    for kind in ([gap for gap in found.gaps if gap.missing], [gap for gap in found.gaps if gap.late]):
        for before, after in pairwise(kind):
            assert before.end <= after.start
    for gap in found.gaps:
        assert (
            max(HOUR.start, known.begin - MINUTE) <= gap.start < gap.end <= max(HOUR.end, known.end + MINUTE)
        )
        assert (gap.missing > 0) != (gap.late > 0)
        assert isinstance(gap.reason, Reason)
    whole = {minute for minute, count in known.counts.items() if count >= 60}
    assert not whole & minutes_of([gap for gap in found.gaps if gap.missing])


@given(
    known_things(), st.lists(BOOTS, max_size=2), st.lists(ARRIVALS, max_size=3), st.lists(SPANS, max_size=2)
)
def test_knowing_more_never_makes_the_missing_complete(
    known: Known, boots: Sequence[Boot], arrivals: Sequence[Arrival], runs: Sequence[Span]
) -> None:
    less = replace(known, arrivals=[], collectors=[], vitals={})
    more = replace(known, arrivals=[*known.arrivals, *arrivals], collectors=[*known.collectors, *runs])
    before, after = completeness(less, HOUR), completeness(more, HOUR)
    assert (before.expected, before.stored) == (after.expected, after.stored)
    assert before.state is not State.COMPLETE or after.state in {State.COMPLETE, State.LATE}
    assert (before.expected - before.stored > 0) == any(gap.missing for gap in after.gaps)
    usual = replace(known, boots=[boot._replace(interval=TICK) for boot in known.boots])
    restarted = replace(usual, boots=[*usual.boots, *[boot._replace(interval=TICK) for boot in boots]])
    told, retold = completeness(usual, HOUR), completeness(restarted, HOUR)
    assert (told.expected, told.stored) == (retold.expected, retold.stored)


@given(known_things(), st.integers(1, 119))
def test_two_parts_of_a_time_have_what_the_whole_has(known: Known, minute: int) -> None:
    cut = HOUR.start + minute * MINUTE
    whole = completeness(known, HOUR)
    parts = [completeness(known, Span(HOUR.start, cut)), completeness(known, Span(cut, HOUR.end))]
    assert whole.expected == sum(part.expected for part in parts)
    assert whole.stored == sum(part.stored for part in parts)
    assert whole.late == sum(part.late for part in parts)
