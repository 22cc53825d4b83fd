"""StatsD's lines: Etsy's `name:value|type|@rate`, and DogStatsD's tags and several values in one line.

After github.com/statsd/statsd/blob/master/docs/metric_types.md and DogStatsD's datagram format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import MAX_TEXT
from pudim_agent.text import printable

MOST_VALUES = 256
"""Of one line."""
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TYPES = {b"c": "counter", b"g": "gauge", b"ms": "timer", b"h": "timer", b"d": "timer", b"s": "set"}
_TAGLESS = b"true"


class BadLine(PudimError):
    """A line that is none of StatsD's, or of a kind that is not taken: an event, a service check, a meter."""

    code = "bad_line"


class Line(NamedTuple):
    """`values` are numbers as they were written, or any text in a set. `kind` is the letter, `rate` in (0, 1].

    Who keeps figures by `(name, kind, tags)` need read names and tags only once.
    """

    name: bytes
    values: tuple[bytes, ...]
    kind: bytes
    rate: float
    tags: bytes


def line(text: bytes) -> Line:
    """Raises BadLine."""
    head, *parts = text.split(b"|")
    name, colon, packed = head.partition(b":")
    if not name or not colon or not parts or parts[0] not in _TYPES:
        raise BadLine("not <name>:<value>|<c, g, ms, h, d or s>")
    values = tuple(packed.split(b":")) if parts[0] != b"s" else (packed,)
    if len(values) > MOST_VALUES:
        raise BadLine(f"{len(values)} values in one line, at most {MOST_VALUES} are taken")
    if parts[0] != b"s" and not all(map(_NUMBER.fullmatch, values)):
        raise BadLine("a value that is no number")
    rate, tags = 1.0, b""
    for part in parts[1:]:
        if part.startswith(b"@"):
            rate = _rate(part[1:])
        elif part.startswith(b"#"):
            tags = part[1:]
        # Anything else (container, timestamp) belongs to extensions that say nothing about the value.
    return Line(name, values, parts[0], rate, tags)


def _rate(text: bytes) -> float:
    rate = float(text) if _NUMBER.fullmatch(text) else 0.0
    if not 0 < rate <= 1:
        raise BadLine("a sample rate that is not in (0, 1]")
    return rate


def kind_of(letter: bytes) -> str:
    """`counter`, `gauge`, `timer` or `set`."""
    return _TYPES[letter]


def tag_pairs(tags: bytes) -> Iterator[tuple[str, str]]:
    """`key:value,flag` as labels; a flag is `true`. The last of several values of one key counts."""
    found: dict[str, str] = {}
    for one in filter(None, tags.split(b",")):
        key, colon, value = one.partition(b":")
        found[_text(key)] = _text(value if colon else _TAGLESS)
    yield from found.items()


def name_of(name: bytes) -> str:
    return _text(name)


def _text(raw: bytes) -> str:
    """Longer than can be kept where it was; what cannot be shown is replaced."""
    return printable(raw, MAX_TEXT + 1) if raw else ""
