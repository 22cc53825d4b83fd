"""Times, ranges and places out of URLs and headers: what they mean, and that nothing but a named refusal comes out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pudim_collector.features.metrics.rules import (
    LONGEST_RANGE,
    BadRange,
    BadTime,
    Place,
    parse_place,
    parse_range,
    parse_time,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
EPOCH = datetime.fromtimestamp(0, UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", NOW),
        ("now", NOW),
        ("-0s", NOW),
        ("-90s", NOW - timedelta(seconds=90)),
        ("-15m", NOW - timedelta(minutes=15)),
        ("-1h", NOW - timedelta(hours=1)),
        ("-7d", NOW - timedelta(days=7)),
        ("-2w", NOW - timedelta(weeks=2)),
        ("0", EPOCH),
        ("-1", EPOCH - timedelta(seconds=1)),
        ("1777896000", NOW),
        ("1777896000.25", NOW + timedelta(milliseconds=250)),
        ("2026-05-04T12:00:00Z", NOW),
        ("2026-05-04T12:00:00", NOW),
        ("2026-05-04T12:00", NOW),
        ("2026-05-04 12:00", NOW),
        ("2026-05-04", NOW.replace(hour=0)),
        ("2026-05-04T14:00:00+02:00", NOW),
        ("2026-05-04T14:00:00 02:00", NOW),
        ("2026-05-04 14:00:00+02:00", NOW),
        ("2026-05-04T10:00:00-02:00", NOW),
    ],
)
def test_a_time_means(text: str, meant: datetime) -> None:
    assert parse_time(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "1h", "+1h", "-1y", "-h", "--1h", "-1.5h", "1e9", "nan", "inf", "0x10", "1,5"),
        *(
            "2026-13-01",
            "2026-02-30",
            "2026-05-04T25:00",
            "2026-05-04T12:00:00+25:00",
            "24:00",
            "\x00",
            "\u0661\u0662",
        ),
        *("9" * 30, "-999999w", "9" * 400, "-" + "9" * 400, "999999999999", "-62135596801", " now", "NOW"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadTime):
        parse_time(text, NOW)


TEXTS = st.one_of(
    st.text(max_size=64),
    st.text("0123456789-+:.TZ smhdwe", max_size=64),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.floats().map(str),
    st.integers().map(str),
    st.from_regex(r"-[0-9]{1,6}[smhdw]", fullmatch=True),
)


@given(TEXTS, TEXTS, st.datetimes(timezones=st.just(UTC)))
@example("9999-12-31T23:59:59-23:59", "now", NOW)
@example("0001-01-01T00:00:00+23:59", "0001-01-02", NOW)
@example("-999999w", "now", datetime.min.replace(tzinfo=UTC))
def test_a_range_is_a_range_or_refused_by_name(start: str, end: str, now: datetime) -> None:
    try:
        found = parse_range(start, end, now)
    except (BadTime, BadRange):
        return
    assert found.start < found.end
    assert found.end - found.start <= LONGEST_RANGE
    assert found.start.tzinfo is not None
    found.start.timestamp(), found.end.timestamp()


@given(st.datetimes(), st.integers(-1439, 1439))
def test_an_iso_time_is_read_as_written_also_when_its_plus_became_a_space(
    local: datetime, offset: int
) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse_time(moment.isoformat(), NOW) == moment
    assert parse_time(moment.isoformat().replace("+", " "), NOW) == moment


@pytest.mark.parametrize(
    ("start", "end"),
    [("now", "now"), ("now", "-1h"), ("-1s", "-1s"), ("-367d", "now"), ("0", "now"), ("-53w", "now")],
)
def test_what_is_no_range(start: str, end: str) -> None:
    with pytest.raises(BadRange):
        parse_range(start, end, NOW)


def test_a_year_is_a_range() -> None:
    assert parse_range("-366d", "now", NOW).end == NOW


@given(st.integers(0, 10**14), st.integers(0, 2**31 - 1))
def test_an_event_id_names_its_place(milliseconds: int, source_id: int) -> None:
    place = Place(EPOCH + timedelta(milliseconds=milliseconds), source_id)
    assert parse_place(place.event_id) == place


@given(st.one_of(st.none(), st.text(), st.from_regex(r"[0-9]+-[0-9]+", fullmatch=True)))
@example("9" * 15 + "-1")
@example("9" * 5000 + "-1")
@example("1-\u0661")
@example("1-1\n")
def test_any_event_id_is_a_place_or_none(event_id: str | None) -> None:
    found = parse_place(event_id)
    assert found is None or isinstance(found, Place)


@pytest.mark.parametrize("event_id", ["", "1", "-1", "1-", "-1-1", "1.5-1", "1-1-1", " 1-1", "1-1\n", "a-b"])
def test_what_is_no_place(event_id: str) -> None:
    assert parse_place(event_id) is None
