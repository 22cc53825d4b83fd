"""Prometheus' remote write 1.0: a request's body as samples (prometheus.io/docs/specs/prw/remote_write_spec/)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from pudim.vocabulary.prometheus import unit_of
from pudim.wire.layouts import Series, labels_of
from pudim_collector.ingest.outside.labels import MAX_SERVER_NAME, checked_labels, checked_name
from pudim_collector.ingest.outside.messages import Label, WriteRequest
from pudim_collector.ingest.outside.refusals import (
    BadName,
    NativeHistogram,
    PartRefusal,
    Undecodable,
    UnknownType,
)
from pudim_collector.ingest.outside.samples import Push, Target

SOURCE = "prometheus"
_NAME = "__name__"
_TARGET = ("job", "instance")
_MOST_KNOWN = 200_000
_LARGEST_KNOWN = 8 << 10
_PROTO_V1 = "prometheus.WriteRequest"


@dataclass
class KnownSeries:
    """Series by their labels as they were sent; a Prometheus sends the same ones again and again."""

    most: int = _MOST_KNOWN
    _found: dict[tuple[bytes, ...], tuple[Target, Series]] = field(default_factory=dict)

    def of(self, labels: Iterable[bytes]) -> tuple[Target, Series]:
        """Raises a PartRefusal."""
        key = tuple(labels)
        found = self._found.get(key)
        if found is None:
            found = series_of(key)
            if sum(map(len, key)) <= _LARGEST_KNOWN:
                if len(self._found) >= self.most:
                    self._found.clear()
                self._found[key] = found
        return found


def check_type(content_type: str) -> None:
    """Raises UnknownType; remote write 2.0 is told that way to fall back to 1.0."""
    kind, _, parameters = content_type.partition(";")
    proto = dict(one.strip().partition("=")[::2] for one in parameters.split(";")).get("proto", _PROTO_V1)
    if kind.strip().lower() != "application/x-protobuf" or proto != _PROTO_V1:
        raise UnknownType(f"send application/x-protobuf;proto={_PROTO_V1}, which is remote write 1.0")


def decode_write(body: bytes, known: KnownSeries) -> Push:
    """Raises Undecodable or TooManySamples; what cannot be kept of a good request is in its `refused`."""
    try:
        request = WriteRequest.FromString(body)
    except DecodeError as error:
        raise Undecodable("not a WriteRequest of remote write 1.0") from error
    push = Push()
    for series in request.timeseries:
        _take(push, series, known)
    return push


def _take(push: Push, given: Any, known: KnownSeries) -> None:
    samples = given.samples
    try:
        target, series = known.of(given.labels)
    except PartRefusal as refusal:
        for _ in samples:
            push.next_point()
        push.refused.add(refusal, max(1, len(samples)))
        return
    for _ in given.histograms:
        push.next_point()
        push.refused.add(NativeHistogram(f"{series.metric} is a native histogram"))
    if samples:
        arrival = push.of(target)
        number = arrival.number(series)
        for sample in samples:
            arrival.add(number, sample.timestamp, sample.value, push.next_point())


def series_of(labels: Iterable[bytes]) -> tuple[Target, Series]:
    """The target and the series that the labels name. Raises a PartRefusal."""
    pairs = [_pair(one) for one in labels]
    named = dict(pairs)
    if len(named) != len(pairs):
        raise BadName("a label comes twice")
    metric = checked_name(named.pop(_NAME, ""))
    target = target_of({key: named.pop(key, "") for key in _TARGET})
    own = checked_labels(named.items(), target.labels)
    return target, Series(metric, unit_of(metric), own)


def _pair(label: bytes) -> tuple[str, str]:
    try:
        decoded = Label.FromString(label)
    except DecodeError as error:
        raise BadName("a label that is none") from error
    return decoded.name, decoded.value


def target_of(labels: dict[str, str]) -> Target:
    """Of `job` and `instance`. Raises a PartRefusal."""
    name = "/".join(filter(None, (labels[key] for key in _TARGET)))
    if name:
        checked_name(name, "server", MAX_SERVER_NAME)
    kept = checked_labels(labels_of(labels))
    return Target(
        SOURCE, host_of(labels["instance"]), name, "instance" if labels["instance"] else "job", kept
    )


def host_of(instance: str) -> str:
    """The host of `host:port`, of `[address]:port`, or of what has no port."""
    host, colon, port = instance.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        host = instance
    return host.removeprefix("[").removesuffix("]")
