"""Prometheus' text format 0.0.4 and OpenMetrics 1.0 text, read line by line.

After prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics' specification; of their grammar all that
tells what a sample is. Faults name the line and never quote it: whoever can name a file must not make us read it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pudim.vocabulary.errors import PudimError

LONGEST_LINE = 1 << 14
_STRINGS = rb'(?:[^"}]*"(?:[^"\\]|\\.)*")*[^"}]*'
_SAMPLE = re.compile(
    rb"[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)(?:[ \t]*\{(" + _STRINGS + rb")\})?[ \t]*(?<=[ \t}])([-+.0-9a-zA-Z]+)"
    rb"(?:[ \t]+([-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?))?[ \t\r]*(# *\{.*)?"
)
_PAIR = re.compile(rb'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|$)')
_ABOUT = re.compile(rb"[ \t]*#[ \t]+(HELP|TYPE|UNIT)[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(.*?)[ \t\r]*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"\\": "\\", '"': '"', "n": "\n"}
_TYPES = frozenset(b"counter gauge histogram summary untyped unknown info stateset gaugehistogram".split())


class BadExposition(PudimError):
    """A text that is none of Prometheus', from this line on."""

    code = "bad_exposition"

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


class Sample(NamedTuple):
    """One line. `key` is the same as long as name and labels are written the same; `labels` are still unread."""

    line: int
    key: bytes
    name: bytes
    labels: bytes
    value: float
    timed: bool


def samples(text: bytes, *, openmetrics: bool = False) -> Iterator[Sample]:
    """Of each line that is one. Raises BadExposition: what came before is not to be trusted either."""
    if not openmetrics and text and not text.endswith(b"\n"):
        raise BadExposition(text.count(b"\n") + 1, "ends without a line end; perhaps it is written just now")
    types: set[bytes] = set()
    ended = False
    start = number = 0
    while start < len(text):
        end = text.find(b"\n", start)
        line = text[start : end if end >= 0 else len(text)]
        start += len(line) + 1
        number += 1
        if ended and line.strip():
            raise BadExposition(number, "something follows # EOF")
        if len(line) > LONGEST_LINE:
            raise BadExposition(number, f"longer than {LONGEST_LINE} bytes")
        begin = line.lstrip(b" \t\r")
        if begin.startswith(b"#"):
            ended = openmetrics and begin.rstrip() == b"# EOF"
            _check_about(line, number, types)
        elif begin:
            yield _sample(line, number)
    if openmetrics and not ended:
        raise BadExposition(number, "ends without # EOF")


def _check_about(line: bytes, number: int, types: set[bytes]) -> None:
    """Descriptions are not kept; a type that is none, or said twice, tells a text that was not written by a program
    that knows the format.
    """
    about = _ABOUT.fullmatch(line)
    if about is None or about[1] != b"TYPE":
        return
    if about[3].lower() not in _TYPES:
        raise BadExposition(number, "an unknown type")
    if about[2] in types:
        raise BadExposition(number, "a second TYPE of the same metric")
    types.add(about[2])


def _sample(line: bytes, number: int) -> Sample:
    match = _SAMPLE.fullmatch(line)
    if match is None:
        raise BadExposition(number, "no sample: a name, labels in braces, a number")
    name, labels, value = match[1], match[2] or b"", match[3]
    try:
        return Sample(number, line[: match.start(3)], name, labels, float(value), match[4] is not None)
    except ValueError:
        raise BadExposition(number, "the value is no number") from None


def label_pairs(sample: Sample) -> Iterator[tuple[str, str]]:
    """The labels as texts. Raises BadExposition."""
    text, at = sample.labels.rstrip(b" \t"), 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise BadExposition(sample.line, "labels that cannot be read")
        at = pair.end()
        try:
            yield pair[1].decode(), _ESCAPE.sub(_unescaped, pair[2].decode())
        except (UnicodeDecodeError, KeyError):
            raise BadExposition(sample.line, "a label that is not UTF-8, or an unknown escape") from None


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPED[match[1]]
