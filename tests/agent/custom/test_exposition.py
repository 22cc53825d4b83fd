"""Prometheus' text is read as it is meant, or refused by line; hostile text costs little and is never quoted."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pudim_agent.custom.exposition import LONGEST_LINE, BadExposition, label_pairs, samples


def read(text: str, **options: bool) -> list[tuple[str, dict[str, str], float]]:
    return [
        (one.name.decode(), dict(label_pairs(one)), one.value) for one in samples(text.encode(), **options)
    ]


def exhaust(text: bytes, **options: bool) -> None:
    for one in samples(text, **options):
        list(label_pairs(one))


def fault(text: bytes, **options: bool) -> str:
    with pytest.raises(BadExposition) as caught:
        exhaust(text, **options)
    return caught.value.detail


def test_the_example_of_the_format() -> None:
    assert read(
        """
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\\\DIR\\\\FILE.TXT",error="Cannot find file:\\n\\"FILE.TXT\\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
"""
    ) == [
        ("http_requests_total", {"method": "post", "code": "200"}, 1027),
        ("http_requests_total", {"method": "post", "code": "400"}, 3),
        (
            "msdos_file_access_time_seconds",
            {"path": "C:\\DIR\\FILE.TXT", "error": 'Cannot find file:\n"FILE.TXT"'},
            1.458255915e9,
        ),
        ("metric_without_timestamp_and_labels", {}, 12.47),
        ("something_weird", {"problem": "division by zero"}, math.inf),
        ("http_request_duration_seconds_bucket", {"le": "0.05"}, 24054),
        ("http_request_duration_seconds_bucket", {"le": "+Inf"}, 144320),
        ("http_request_duration_seconds_sum", {}, 53423),
        ("http_request_duration_seconds_count", {}, 144320),
    ]


def test_openmetrics_with_units_exemplars_and_an_end() -> None:
    text = (
        "# TYPE foo_seconds histogram\n# UNIT foo_seconds seconds\n# HELP foo_seconds help \\n text\n"
        'foo_seconds_bucket{le="1.0"} 17 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789\n'
        "foo_seconds_count 17 1520879607.789\nfoo_seconds_created 1520430000.123\n# EOF\n"
    )
    assert read(text, openmetrics=True) == [
        ("foo_seconds_bucket", {"le": "1.0"}, 17),
        ("foo_seconds_count", {}, 17),
        ("foo_seconds_created", {}, 1520430000.123),
    ]
    assert fault(text.replace("# EOF\n", "").encode(), openmetrics=True) == "line 6: ends without # EOF"
    assert fault((text + "foo 1\n").encode(), openmetrics=True) == "line 8: something follows # EOF"


@pytest.mark.parametrize(
    ("line", "value"),
    [("a NaN", math.nan), ("a nan", math.nan), ("a -Inf", -math.inf), ("a +inf", math.inf), ("a 1e-3", 0.001),
     ("a .5", 0.5), ("\ta\t2\t", 2.0), ("a{} 3", 3.0), ('a { b = "c" , } 4', 4.0), ('a{b="}"} 5\r', 5.0)],
)  # fmt: skip
def test_values_and_white_space(line: str, value: float) -> None:
    ((_, _, found),) = read(f"{line}\n")
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize(
    "line",
    ["x", "a b", "a 1_000", "a 0x10", "1a 2", "a{b=c} 1", 'a{b="c} 1', 'a{b="c"}', 'a{b="c"x="d"} 1', "a 1 2 3",
     'a{b="\\x"} 1', 'a{="c"} 1', "<html>", "a.b 1", "a 1 1e", "# TYPE a banana", "a 1 # no exemplar", "a\x001 2"],
)  # fmt: skip
def test_what_is_none_of_it_is_refused_by_line_and_not_quoted(line: str) -> None:
    found = fault(f"good 1\n{line}\n".encode())
    assert found.startswith("line 2: ")
    assert line not in found


def test_a_second_type_of_one_metric() -> None:
    text = b"# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n"
    assert fault(text) == "line 3: a second TYPE of the same metric"


def test_not_utf8() -> None:
    assert fault(b'a{b="\xff"} 1\n').startswith("line 1: a label that is not UTF-8")


def test_half_a_file() -> None:
    assert fault(b"a 1\nb 12").startswith("line 2: ends without a line end")
    assert read("") == []


@pytest.mark.parametrize(
    "middle",
    [b"{" + b"x" * LONGEST_LINE, b'{"' + b'\\"' * 8000, b'{a="' + b"\\" * 16000, b" " * 16000 + b"x?", b"{" + b'""' * 8000,
     b" 1" + b" " * 16000 + b"?", b" " + b"9" * 16000 + b"?", b" 1 " + b"9" * 16000 + b"?", b"{" + b'a="b",' * 2600 + b"}"],
)  # fmt: skip
def test_no_line_takes_more_than_a_look_at_each_character(middle: bytes) -> None:
    """Would be minutes with a pattern that goes back and forth; the run of the tests has an end."""
    text = b"\n".join(b"a" + middle for _ in range(20)) + b"\n"
    assert fault(text).startswith("line ")


@given(st.binary(max_size=300))
@example(b'a{b="\\')
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    for openmetrics in (False, True):
        with suppress(BadExposition):
            exhaust(text, openmetrics=openmetrics)


LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True), st.text(max_size=8), max_size=4
)


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z_:][a-z0-9_:]{0,8}", fullmatch=True), LABELS, st.floats()), max_size=5
    )
)
def test_what_is_written_after_the_format_comes_back(wanted: list[tuple[str, dict[str, str], float]]) -> None:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    def pairs(labels: dict[str, str]) -> str:
        return ",".join(f'{key}="{escaped(value)}"' for key, value in labels.items())

    text = "".join(f"{name}{{{pairs(labels)}}} {value!r}\n" for name, labels, value in wanted)
    assert repr(read(text)) == repr(wanted)
