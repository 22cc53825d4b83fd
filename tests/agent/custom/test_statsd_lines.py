"""StatsD's and DogStatsD's lines are read as they are meant, or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.custom.statsd_lines import MOST_VALUES, BadLine, Line, line, name_of, tag_pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"gorets:1|c", Line(b"gorets", (b"1",), b"c", 1.0, b"")),
        (b"gorets:1|c|@0.1", Line(b"gorets", (b"1",), b"c", 0.1, b"")),
        (b"glork:320|ms|@0.1", Line(b"glork", (b"320",), b"ms", 0.1, b"")),
        (b"gaugor:+4|g", Line(b"gaugor", (b"+4",), b"g", 1.0, b"")),
        (b"gaugor:-10|g", Line(b"gaugor", (b"-10",), b"g", 1.0, b"")),
        (b"uniques:765|s", Line(b"uniques", (b"765",), b"s", 1.0, b"")),
        (b"users.online:1|c|#country:china", Line(b"users.online", (b"1",), b"c", 1.0, b"country:china")),
        (b"a:1:2.5:-3|h|#x|@0.5", Line(b"a", (b"1", b"2.5", b"-3"), b"h", 0.5, b"x")),
        (b"a:1|d|#x:y|c:ci-00000000|T1656581400", Line(b"a", (b"1",), b"d", 1.0, b"x:y")),
        (b"u:any:text|s", Line(b"u", (b"any:text",), b"s", 1.0, b"")),
        (b"a:.5e-3|c", Line(b"a", (b".5e-3",), b"c", 1.0, b"")),
    ],
)
def test_a_line(text: bytes, expected: Line) -> None:
    assert line(text) == expected


@pytest.mark.parametrize(
    "text",
    [b"", b"a", b"a:", b"a:1", b":1|c", b"a:1|m", b"a:1|", b"a:x|c", b"a:nan|g", b"a:inf|c", b"a:1_0|c", b"a:0x1|c",
     b"a:1|c|@0", b"a:1|c|@2", b"a:1|c|@nan", b"a:1|c|@-1", b"_e{5,4}:title|text", b"_sc|name|0", b"a:1::2|c",
     b"a" + b":1" * (MOST_VALUES + 1) + b"|c", b"a:1 |c"],
)  # fmt: skip
def test_what_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(BadLine):
        line(text)


def test_tags_are_labels() -> None:
    assert dict(tag_pairs(b"env:prod,canary,url:http://x,,a:1,a:2")) == {
        "env": "prod", "canary": "true", "url": "http://x", "a": "2",
    }  # fmt: skip
    assert dict(tag_pairs(b"")) == {}


def test_what_cannot_be_shown_is_replaced() -> None:
    assert name_of(b"a\x1b[31m\xff") == "a\ufffd[31m\ufffd"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        found = line(text)
    except BadLine:
        return
    assert found.name
    assert 0 < found.rate <= 1
    dict(tag_pairs(found.tags))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0.001, 1.0))
def test_numbers_come_back(value: float, rate: float) -> None:
    found = line(f"a:{value!r}|ms|@{rate!r}".encode())
    assert (float(found.values[0]), found.rate) == (value, rate)
