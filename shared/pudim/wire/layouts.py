"""What a frame's values mean: a layout lists series, a source is one stream of frames of a server.

Both are known by the first 16 bytes of the SHA-256 of their encoding as it was sent (fields that a newer agent
appended included), so that they are sent once a session and a frame carries only its source's hash, times and
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pudim.wire.codec import bounded, is_labels, is_text, misshapen, pack

HASH_BYTES = 16
MAX_SERIES = 2048
MAX_LABELS = 32
MAX_TEXT = 256

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by key: hashable, and the same for the same labels."""


def labels_of(mapping: Mapping[str, str]) -> Labels:
    return tuple(sorted(mapping.items()))


@dataclass(frozen=True, order=True)
class Series:
    """One measured quantity: an OpenTelemetry metric name, its unit (UCUM) and labels."""

    metric: str
    unit: str
    labels: Labels = ()


def _hash(encoding: Any) -> bytes:
    return sha256(pack(encoding)).digest()[:HASH_BYTES]


@dataclass(frozen=True)
class Layout:
    """The order of a frame's values. Known by `hash`."""

    series: tuple[Series, ...]
    hash: bytes = b""

    def encoded(self) -> list[Any]:
        return [[one.metric, one.unit, dict(one.labels)] for one in self.series]

    def __post_init__(self) -> None:
        if not self.hash:
            object.__setattr__(self, "hash", _hash(self.encoded()))


@dataclass(frozen=True)
class Source:
    """One stream of frames of a server, for instance `host`, or `process` with the label of its group."""

    name: str
    labels: Labels
    layout: Layout
    hash: bytes = b""

    def encoded(self) -> list[Any]:
        return [self.name, dict(self.labels), self.layout.hash]

    def __post_init__(self) -> None:
        if not self.hash:
            object.__setattr__(self, "hash", _hash(self.encoded()))


def encode_declaration(sources: Iterable[Source]) -> tuple[list[Any], list[Any]]:
    """`(layouts, sources)` as a Declare message carries them, each layout once."""
    wanted = list(sources)
    layouts = {source.layout.hash: source.layout.encoded() for source in wanted}
    return list(layouts.values()), [source.encoded() for source in wanted]


def decode_layout(value: Any) -> Layout:
    """Raises Malformed or TooDeep."""
    if not isinstance(value, tuple) or not 0 < len(value) <= MAX_SERIES:
        raise misshapen(value, f"a layout is a list of 1 to {MAX_SERIES} series")
    return Layout(tuple(map(_decode_series, value)), _hash(bounded(value)))


def _decode_series(value: Any) -> Series:
    match value:
        case (metric, unit, labels, *_) if (
            is_text(metric, MAX_TEXT)
            and metric
            and is_text(unit, MAX_TEXT)
            and is_labels(labels, MAX_LABELS, MAX_TEXT)
        ):
            return Series(metric, unit, labels_of(labels))
    raise misshapen(value, "a series is [metric, unit, labels]")


def decode_source(value: Any, layouts: Mapping[bytes, Layout]) -> Source:
    """Raises Malformed or TooDeep, also when the layout was not declared before."""
    match value:
        case (name, labels, bytes(layout), *_) if (
            is_text(name, MAX_TEXT) and name and is_labels(labels, MAX_LABELS, MAX_TEXT) and layout in layouts
        ):
            return Source(name, labels_of(labels), layouts[layout], _hash(bounded(value)))
    raise misshapen(value, "a source is [name, labels, hash of a declared layout]")
