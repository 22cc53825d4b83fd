"""What a frame's values mean: a layout lists series, a source is one stream of frames of a server.

Both are known by the first 16 bytes of the SHA-256 of their encoding, so that they are sent once a session
and a frame carries only its source's hash, times and values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from pudim.wire.codec import is_labels, is_text, misshapen, pack

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


@dataclass(frozen=True)
class Layout:
    """The order of a frame's values. Known by `hash`."""

    series: tuple[Series, ...]

    def encoded(self) -> list[Any]:
        return [[one.metric, one.unit, dict(one.labels)] for one in self.series]

    @cached_property
    def hash(self) -> bytes:
        return sha256(pack(self.encoded())).digest()[:HASH_BYTES]


@dataclass(frozen=True)
class Source:
    """One stream of frames of a server, for instance `host`, or `process` with the label of its group."""

    name: str
    labels: Labels
    layout: Layout

    def encoded(self) -> list[Any]:
        return [self.name, dict(self.labels), self.layout.hash]

    @cached_property
    def hash(self) -> bytes:
        return sha256(pack(self.encoded())).digest()[:HASH_BYTES]


def encode_declaration(sources: Iterable[Source]) -> tuple[list[Any], list[Any]]:
    """`(layouts, sources)` as a Declare message carries them, each layout once."""
    wanted = list(sources)
    layouts = {source.layout.hash: source.layout.encoded() for source in wanted}
    return list(layouts.values()), [source.encoded() for source in wanted]


def decode_layout(value: Any) -> Layout:
    """Raises Malformed or TooDeep."""
    if not isinstance(value, tuple) or not 0 < len(value) <= MAX_SERIES:
        raise misshapen(value, f"a layout is a list of 1 to {MAX_SERIES} series")
    return Layout(tuple(map(_decode_series, value)))


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
            return Source(name, labels_of(labels), layouts[layout])
    raise misshapen(value, "a source is [name, labels, hash of a declared layout]")
