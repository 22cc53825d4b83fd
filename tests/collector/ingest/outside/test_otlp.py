"""OTLP's metrics as samples, the same from protobuf and JSON; hostile ones are refused by name."""

import json
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from pudim.wire.layouts import Series
from pudim_collector.ingest.outside import otlp, samples
from pudim_collector.ingest.outside.messages import Status
from pudim_collector.ingest.outside.otlp import Form, accepted, decode_metrics, failed, form_of
from pudim_collector.ingest.outside.refusals import BodyTooLarge, TooManySamples, Undecodable, UnknownType
from pudim_collector.ingest.outside.samples import Push, Target
from tests.collector.ingest.outside.made import attributes, export, metric, ns, protobuf

AT = 1_700_000_000_000
DELTA, CUMULATIVE = 1, 2


def decoded(request: dict[str, Any]) -> Push:
    """From protobuf; what JSON gives must be the same."""
    push = decode_metrics(protobuf(request), Form.PROTOBUF)
    assert decode_metrics(json.dumps(request).encode(), Form.JSON) == push
    return push


def taken(request: dict[str, Any]) -> dict[str, float]:
    """Every sample of the only arrival as `metric{labels} unit`."""
    push = decoded(request)
    assert push.refused.said == {}
    (arrival,) = push.arrivals.values()
    assert set(arrival.times) == {AT}
    return {
        _said(arrival.series[index]): value
        for index, value in zip(arrival.index, arrival.values, strict=True)
    }


def _said(series: Series) -> str:
    labels = ",".join(f"{key}={value}" for key, value in series.labels)
    return f"{series.metric}{{{labels}}} {series.unit}".strip()


def refused(request: dict[str, Any]) -> dict[str, str]:
    return decoded(request).refused.said


def gauge(value: Any = 1.5, **more: Any) -> dict[str, Any]:
    return {"timeUnixNano": ns(AT), "asDouble": value, **more}


def test_a_gauge_stays_what_it_is() -> None:
    points = [
        gauge(attributes=attributes(state="used")),
        {"timeUnixNano": ns(AT), "asInt": "7", "attributes": attributes(state="free")},
    ]
    assert taken(export(metric("system.memory.usage", "gauge", *points, unit="By"))) == {
        "system.memory.usage{state=used} By": 1.5,
        "system.memory.usage{state=free} By": 7.0,
    }


def test_a_cumulative_sum_stays_and_a_delta_becomes_a_rate() -> None:
    point = {"timeUnixNano": ns(AT), "startTimeUnixNano": ns(AT - 4000), "asInt": "10"}
    for temporality, expected in ((CUMULATIVE, {"jobs{} {job}": 10}), (DELTA, {"jobs.rate{} {job}/s": 2.5})):
        given_metric = metric(
            "jobs", "sum", point, unit="{job}", aggregationTemporality=temporality, isMonotonic=True
        )
        assert taken(export(given_metric)) == expected
    unnamed = metric("jobs", "sum", point, aggregationTemporality=DELTA)
    assert taken(export(unnamed)) == {"jobs.rate{} 1/s": 2.5}


HISTOGRAM = {
    "timeUnixNano": ns(AT),
    "startTimeUnixNano": ns(AT - 10_000),
    "count": "10",
    "sum": 20.0,
    "explicitBounds": [0.5, 10],
    "bucketCounts": ["4", "5", "1"],
    "attributes": attributes(le="mine"),
}


def test_a_histogram_becomes_running_counts_by_upper_bound() -> None:
    given_metric = metric("wait", "histogram", HISTOGRAM, unit="s", aggregationTemporality=CUMULATIVE)
    assert taken(export(given_metric)) == {
        "wait.count{le=mine} 1": 10,
        "wait.sum{le=mine} s": 20,
        "wait.bucket{exported_le=mine,le=0.5} 1": 4,
        "wait.bucket{exported_le=mine,le=10} 1": 9,
        "wait.bucket{exported_le=mine,le=+Inf} 1": 10,
    }


def test_a_histogram_over_an_interval_becomes_rates() -> None:
    point = {name: value for name, value in HISTOGRAM.items() if name not in {"attributes", "sum"}}
    given_metric = metric("wait", "histogram", point, unit="s", aggregationTemporality=DELTA)
    assert taken(export(given_metric)) == {
        "wait.count.rate{} 1/s": 1,
        "wait.bucket.rate{le=0.5} 1/s": 0.4,
        "wait.bucket.rate{le=10} 1/s": 0.9,
        "wait.bucket.rate{le=+Inf} 1/s": 1,
    }


def test_an_exponential_histogram_becomes_one_with_bounds() -> None:
    point = {
        "timeUnixNano": ns(AT),
        "count": "11",
        "sum": 20.0,
        "scale": 0,
        "zeroCount": "2",
        "positive": {"offset": 0, "bucketCounts": ["3", "0", "4"]},
        "negative": {"offset": 1, "bucketCounts": ["2"]},
    }
    given_metric = metric("wait", "exponentialHistogram", point, unit="s", aggregationTemporality=CUMULATIVE)
    found = taken(export(given_metric))
    assert {name: value for name, value in found.items() if "bucket" in name} == {
        "wait.bucket{le=-2} 1": 2,
        "wait.bucket{le=0} 1": 4,
        "wait.bucket{le=2} 1": 7,
        "wait.bucket{le=4} 1": 7,
        "wait.bucket{le=8} 1": 11,
        "wait.bucket{le=+Inf} 1": 11,
    }


def test_a_summary_becomes_series_by_quantile() -> None:
    quantiles = [{"quantile": 0.5, "value": 3.0}, {"quantile": 0.99, "value": 9.0}]
    point = {"timeUnixNano": ns(AT), "count": "4", "sum": 12.0, "quantileValues": quantiles}
    assert taken(export(metric("wait", "summary", point, unit="s"))) == {
        "wait.count{} 1": 4,
        "wait.sum{} s": 12,
        "wait{quantile=0.5} s": 3,
        "wait{quantile=0.99} s": 9,
    }


def test_attributes_of_any_kind_become_short_texts() -> None:
    array = {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}
    tree = {"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}
    given_attributes = attributes(
        text="t", yes=True, whole=3, part=0.5, list=array, tree=tree, raw={"bytesValue": "AP8="}, none={}
    )
    assert taken(export(metric("m", "gauge", gauge(attributes=given_attributes)))) == {
        'm{list=[1,"b"],part=0.5,raw=AP8=,text=t,tree={"a":true},whole=3,yes=true}': 1.5
    }


def test_the_host_names_the_server_and_the_rest_the_source() -> None:
    push = decoded(
        export(
            metric("m", "gauge", gauge()),
            scope="lib",
            host_name="web-1",
            host_id="abc",
            service_name="shop",
            service_instance_id="1",
            os_type="linux",
            telemetry_sdk_name="otel",
            process_pid=12,
        )
    )
    labels = (("otel.scope.name", "lib"), ("service.instance.id", "1"), ("service.name", "shop"))
    assert list(push.arrivals) == [Target("otlp", "web-1", "web-1", "host.name", labels)]


@pytest.mark.parametrize(
    ("resource", "name", "labels"),
    [
        ({"host_id": "abc"}, "abc", {}),
        (
            {"service_namespace": "shop", "service_name": "cart"},
            "shop/cart",
            {"service.namespace": "shop", "service.name": "cart"},
        ),
        ({"service_name": "cart", "process_pid": 7}, "cart", {"service.name": "cart"}),
        (
            {"process_pid": 7, "process_executable_name": "sh"},
            "",
            {"process.pid": "7", "process.executable.name": "sh"},
        ),
        ({}, "", {}),
    ],
)
def test_without_a_host_the_service_names_the_server(
    resource: dict[str, Any], name: str, labels: dict[str, str]
) -> None:
    (target,) = decoded(export(metric("m", "gauge", gauge()), **resource)).arrivals
    assert (target.name, dict(target.labels)) == (name, labels)


def test_an_attribute_that_bears_the_sources_label_is_renamed() -> None:
    point = gauge(attributes=attributes(service_name="x", pudim_sender="y"))
    (arrival,) = decoded(export(metric("m", "gauge", point), service_name="cart")).arrivals.values()
    assert dict(arrival.series[0].labels) == {"exported_service.name": "x", "exported_pudim.sender": "y"}


def test_what_was_not_recorded_is_missing_and_not_refused() -> None:
    push = decoded(export(metric("m", "gauge", {"timeUnixNano": ns(AT), "flags": 1}), host_name="x"))
    assert (push.points, push.refused.total) == (1, 0)
    assert [list(arrival.values) for arrival in push.arrivals.values()] == [[]]


def _histogram(**changed: Any) -> dict[str, Any]:
    return metric("h", "histogram", {**HISTOGRAM, **changed}, aggregationTemporality=CUMULATIVE)


def _exponential(**changed: Any) -> dict[str, Any]:
    point = {"timeUnixNano": ns(AT), "count": "1", "scale": 0, **changed}
    return metric("h", "exponentialHistogram", point, aggregationTemporality=CUMULATIVE)


@pytest.mark.parametrize(
    ("given_metric", "code", "words"),
    [
        (metric("", "gauge", gauge()), "bad_name", "without a name"),
        (metric("m\nx", "gauge", gauge()), "bad_name", "cannot be shown"),
        (metric("m" * 257, "gauge", gauge()), "text_too_long", "257"),
        (metric("m", "gauge", gauge(), unit="u" * 65), "text_too_long", "unit"),
        (metric("m", "gauge", gauge(timeUnixNano="0")), "bad_point", "without a time"),
        (metric("m", "gauge", {"timeUnixNano": ns(AT)}), "bad_point", "without a value"),
        (metric("m", "sum", gauge()), "bad_point", "temporality"),
        (metric("m", "sum", gauge(), aggregationTemporality=DELTA), "bad_point", "interval"),
        (
            metric("m", "sum", gauge(startTimeUnixNano=ns(AT)), aggregationTemporality=DELTA),
            "bad_point",
            "interval",
        ),
        (metric("m", "gauge", gauge(attributes=attributes(a="v" * 513))), "text_too_long", "'a'"),
        (
            metric("m", "gauge", gauge(attributes=attributes(**{f"a{n}": "v" for n in range(41)}))),
            "too_many_labels",
            "41",
        ),
        (metric("m", "gauge", gauge(attributes=attributes(a="1") + attributes(a="2"))), "bad_name", "twice"),
        (_histogram(bucketCounts=["1"]), "bad_point", "do not match"),
        (_histogram(explicitBounds=[2, 1]), "bad_point", "ascend"),
        (_histogram(explicitBounds=["NaN", 1]), "bad_point", "ascend"),
        (
            _histogram(explicitBounds=list(range(201)), bucketCounts=["1"] * 202),
            "too_many_buckets",
            "201",
        ),
        (_exponential(scale=21), "bad_point", "scale 21"),
        (_exponential(positive={"bucketCounts": ["1"] * 1001}), "too_many_buckets", "1000"),
        (
            metric("m", "summary", {"timeUnixNano": ns(AT), "quantileValues": [{"quantile": 0}] * 201}),
            "too_many_buckets",
            "201",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name_and_the_rest_is_taken(
    given_metric: dict[str, Any], code: str, words: str
) -> None:
    push = decoded(export(given_metric, metric("fine", "gauge", gauge()), host_name="x"))
    assert push.refused.points == {code: 1}
    assert words in push.refused.said[code]
    assert push.refused.sentence().isprintable()
    (arrival,) = push.arrivals.values()
    assert [series.metric for series in arrival.series] == ["fine"]


def test_a_resource_that_cannot_be_kept_is_refused_with_all_its_points() -> None:
    points = [gauge(), gauge()]
    for resource in ({"host_name": "x\0y"}, {"host_name": "x" * 257}, {"service_tag": "v" * 513}):
        push = decoded(export(metric("m", "gauge", *points), **resource))
        assert push.refused.total == 2
        assert push.arrivals == {}


def test_empty_requests_and_metrics_of_unknown_kind_are_nothing() -> None:
    for request in ({}, {"resourceMetrics": []}, export({"name": "m"})):
        assert decoded(request).points == 0


def test_more_samples_than_allowed_are_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "MAX_SAMPLES", 10)
    fine = export(metric("m", "gauge", *[gauge()] * 10))
    assert decoded(fine).points == 10
    for hostile in (
        export(metric("m", "gauge", *[gauge()] * 11)),
        export(metric("", "gauge", *[gauge()] * 11)),
        export(*[_histogram()] * 3),
        export(metric("m", "gauge", *[gauge()] * 11), host_name="x" * 300),
    ):
        with pytest.raises(TooManySamples):
            decoded(hostile)


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return export(metric("m", "gauge", gauge(attributes=[{"key": "a", "value": value}])))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"null",
        b"[]",
        b'"x"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"resourceMetrics": 5}',
        b'{"resourceMetrics": [5]}',
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "\\ud800"}]}]}]}',
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"gauge": {"dataPoints": [{"asInt": "1e400"}]}}]}]}]}',
        b"\xff\xfe{}",
        json.dumps(_nested(60)).encode(),
    ],
)
def test_json_that_is_none_or_nested_too_deep_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_metrics(body, Form.JSON)


def test_protobuf_nested_too_deep_is_refused() -> None:
    inner = b""
    for _ in range(500):
        inner = b"\x2a" + _length(inner) + inner  # AnyValue.array_value
        inner = b"\x0a" + _length(inner) + inner  # ArrayValue.values
    body = inner
    for tag in (b"\x12", b"\x3a", b"\x0a", b"\x2a", b"\x12", b"\x12", b"\x0a"):
        body = tag + _length(body) + body
    with pytest.raises(Undecodable):
        decode_metrics(body, Form.PROTOBUF)


def _length(body: bytes) -> bytes:
    rest, encoded = len(body), b""
    while rest > 127:
        encoded += bytes([rest & 127 | 128])
        rest >>= 7
    return encoded + bytes([rest])


def test_json_may_be_small_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAX_JSON_BYTES", 10)
    with pytest.raises(BodyTooLarge):
        decode_metrics(b'{"a":     5}', Form.JSON)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for form in Form:
        with suppress(Undecodable):
            assert decode_metrics(body, form).refused.sentence().isprintable()


def test_forms_are_known_by_their_type() -> None:
    assert form_of("application/x-protobuf") is Form.PROTOBUF
    assert form_of("Application/JSON; charset=utf-8") is Form.JSON
    for other in ("", "text/plain", "application/protobuf"):
        with pytest.raises(UnknownType):
            form_of(other)


def test_answers_take_the_form_of_the_question() -> None:
    assert accepted(Form.PROTOBUF) == b""
    assert json.loads(accepted(Form.JSON)) == {}
    said = ExportMetricsServiceResponse.FromString(accepted(Form.PROTOBUF, 3, "why"))
    assert (said.partial_success.rejected_data_points, said.partial_success.error_message) == (3, "why")
    assert json.loads(accepted(Form.JSON, 3, "why")) == {
        "partialSuccess": {"rejectedDataPoints": "3", "errorMessage": "why"}
    }
    assert json_format.Parse(failed(Form.JSON, 429, "slow"), Status()) == Status(code=8, message="slow")
    assert Status.FromString(failed(Form.PROTOBUF, 418, "x")) == Status(code=13, message="x")
