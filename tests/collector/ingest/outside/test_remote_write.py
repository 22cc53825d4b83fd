"""Remote write 1.0 as samples: names stay, targets are told apart, hostile labels are refused by name."""

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.vocabulary.prometheus import unit_of
from pudim.wire.layouts import Series
from pudim_collector.ingest.outside import samples
from pudim_collector.ingest.outside.messages import Label, WriteRequest
from pudim_collector.ingest.outside.refusals import BadName, TooManySamples, Undecodable, UnknownType
from pudim_collector.ingest.outside.remote_write import (
    KnownSeries,
    check_type,
    decode_write,
    host_of,
)
from pudim_collector.ingest.outside.samples import Push, Target
from tests.collector.ingest.outside.made import write_request

TARGET = {"job": "node", "instance": "web-1:9100"}
UP = {"__name__": "up", **TARGET}


def decoded(*series: tuple[dict[str, str], list[tuple[int, float]]]) -> Push:
    return decode_write(write_request(*series), KnownSeries())


def test_a_series_keeps_its_name_and_its_target_goes_into_the_source() -> None:
    push = decoded(
        ({**UP, "__name__": "http_seconds_bucket", "le": "0.5", "empty": ""}, [(1000, 3.0), (2000, 4.0)]),
        (UP, [(1000, 1.0)]),
    )
    ((target, arrival),) = push.arrivals.items()
    assert target == Target(
        "prometheus", "web-1", "node/web-1:9100", "instance", (("instance", "web-1:9100"), ("job", "node"))
    )
    assert arrival.series == [
        Series("http_seconds_bucket", "1", (("le", "0.5"),)),
        Series("up", "", ()),
    ]
    assert list(zip(arrival.index, arrival.times, arrival.values, strict=True)) == [
        (0, 1000, 3.0),
        (0, 2000, 4.0),
        (1, 1000, 1.0),
    ]
    assert (push.points, push.refused.total) == (3, 0)


def test_each_target_is_apart() -> None:
    push = decoded(
        (UP, [(1, 1.0)]), ({**UP, "instance": "web-2:9100"}, [(1, 0.0)]), ({"__name__": "x"}, [(1, 1)])
    )
    assert [(target.host, target.name) for target in push.arrivals] == [
        ("web-1", "node/web-1:9100"),
        ("web-2", "node/web-2:9100"),
        ("", ""),
    ]


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("web-1:9100", "web-1"),
        ("web-1", "web-1"),
        ("[2001:db8::1]:9100", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("https://x.example/probe", "https://x.example/probe"),
        (":9100", ""),
        ("", ""),
    ],
)
def test_the_host_is_what_stands_before_the_port(instance: str, host: str) -> None:
    assert host_of(instance) == host


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("process_cpu_seconds_total", "s"),
        ("node_memory_MemFree_bytes", "By"),
        ("http_request_duration_seconds_sum", "s"),
        ("http_request_duration_seconds_count", "1"),
        ("http_request_duration_seconds_bucket", "1"),
        ("http_requests_total", ""),
        ("up", ""),
        ("go_gc_ratio", "1"),
    ],
)
def test_units_are_read_from_names(metric: str, unit: str) -> None:
    assert unit_of(metric) == unit


@pytest.mark.parametrize(
    ("labels", "code", "words"),
    [
        ({"job": "x"}, "bad_name", "without a name"),
        ({"__name__": "a\0b"}, "bad_name", "cannot be shown"),
        ({"__name__": "a\x1b[2J"}, "bad_name", r"\\x1b"),
        ({"__name__": "x" * 257}, "text_too_long", "257"),
        ({"__name__": "x", "k" * 257: "v"}, "text_too_long", "at most 256"),
        ({"__name__": "x", "": "v"}, "bad_name", "label without a name"),
        ({"__name__": "x", "path": "v" * 513}, "text_too_long", "'path'"),
        ({"__name__": "x", "path": "v\0"}, "bad_name", "NUL"),
        ({"__name__": "x", "instance": "i" * 300}, "text_too_long", "server"),
        ({"__name__": "x", **{f"l{n}": "v" for n in range(41)}}, "too_many_labels", "41"),
    ],
)
def test_hostile_labels_are_refused_by_name_and_the_rest_is_taken(
    labels: dict[str, str], code: str, words: str
) -> None:
    push = decoded((labels, [(1, 1.0), (2, 2.0)]), (UP, [(1, 1.0)]))
    assert push.refused.points == {code: 2}
    assert words.replace("\\\\", "\\") in push.refused.said[code]
    assert push.refused.said[code].isprintable()
    assert [len(arrival.times) for arrival in push.arrivals.values()] == [1]


def test_a_label_of_ours_is_renamed() -> None:
    push = decoded(({**UP, "pudim.sender": "agent"}, [(1, 1.0)]))
    (arrival,) = push.arrivals.values()
    assert arrival.series == [Series("up", "", (("exported_pudim.sender", "agent"),))]


def test_labels_that_come_twice_are_refused() -> None:
    request = WriteRequest()
    series = request.timeseries.add()
    series.labels.extend(Label(name="__name__", value=name).SerializeToString() for name in "ab")
    series.samples.add(timestamp=1, value=1.0)
    assert decode_write(request.SerializeToString(), KnownSeries()).refused.points == {"bad_name": 1}


def test_native_histograms_are_refused_and_the_series_samples_taken() -> None:
    request = WriteRequest.FromString(write_request((UP, [(1, 1.0)])))
    request.timeseries[0].histograms.append(b"anything")
    push = decode_write(request.SerializeToString(), KnownSeries())
    assert push.refused.points == {"native_histogram": 1}
    assert len(push.arrivals) == 1


def test_labels_glued_together_are_another_series_than_apart() -> None:
    """Else one sender's garbage could name another one's series."""
    known = KnownSeries()
    apart = [
        Label(name="__name__", value="a").SerializeToString(),
        Label(name="x", value="y").SerializeToString(),
    ]
    glued = [b"".join(apart)]
    with pytest.raises(BadName, match="without a name"):
        known.of(glued)
    assert known.of(apart)[1] == Series("a", "", (("x", "y"),))


def test_what_is_known_stays_within_bounds() -> None:
    known = KnownSeries(most=3)
    for number in range(10):
        known.of([Label(name="__name__", value=f"m{number}").SerializeToString()])
        assert len(known._found) <= 3
    long = [Label(name="__name__", value="m").SerializeToString()]
    long += [Label(name=f"k{n}", value="v" * 500).SerializeToString() for n in range(20)]
    before = len(known._found)
    known.of(long)
    assert len(known._found) == before


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-protobuf",
        "application/x-protobuf;proto=prometheus.WriteRequest",
        "Application/X-Protobuf ; a=b",
    ],
)
def test_remote_write_1_is_taken(kind: str) -> None:
    check_type(kind)


@pytest.mark.parametrize(
    "kind", ["", "application/json", "application/x-protobuf;proto=io.prometheus.write.v2.Request"]
)
def test_anything_else_is_named_an_unknown_type(kind: str) -> None:
    with pytest.raises(UnknownType) as refused:
        check_type(kind)
    assert refused.value.status == 415


def test_more_samples_than_allowed_are_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_SAMPLES", 10)
    assert decoded((UP, [(n, 1.0) for n in range(10)])).points == 10
    with pytest.raises(TooManySamples):
        decoded((UP, [(n, 1.0) for n in range(11)]))
    with pytest.raises(TooManySamples):
        decoded(({"job": "nameless"}, [(n, 1.0) for n in range(11)]))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(Undecodable):
        assert decode_write(body, KnownSeries()).refused.sentence().isprintable()


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=4),
            st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats()), max_size=3),
        ),
        max_size=5,
    )
)
def test_any_request_is_taken_or_counted(
    series: list[tuple[dict[str, str], list[tuple[int, float]]]],
) -> None:
    push = decoded(*series)
    taken = sum(len(arrival.times) for arrival in push.arrivals.values())
    empty = sum(1 for _, given_samples in series if not given_samples)
    assert taken + push.refused.total - push.points in range(empty + 1)
    for arrival in push.arrivals.values():
        assert all(one.metric.isprintable() for one in arrival.series)
        assert not any(math.isnan(index) for index in arrival.index)
