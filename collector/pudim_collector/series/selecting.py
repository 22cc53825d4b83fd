"""Which series a question means: metrics, servers and what their labels must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import re2

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import Labels

LONGEST_PATTERN = 256
_MATCHER = re.compile(r"([^=!~\x00]{1,256}?)(=~|!~|!=|=)(.*)", re.DOTALL)
_PATTERN_MEMORY = 1 << 20


class BadMatcher(PudimError):
    """A label matcher is like `name=value`, `name!=value`, `name=~pattern` or `name!~pattern`."""

    code = "bad_matcher"
    status = 422
    hint = "Patterns are RE2's and match the whole value, as in `network.interface.name=~eth.*`."


class Matcher(NamedTuple):
    """What a label's value must be; a label that a series does not have is the empty text."""

    label: str
    operator: str
    value: str

    def accepts(self, value: str) -> bool:
        found = _matches(self.value, value) if self.operator.endswith("~") else value == self.value
        return found is not self.operator.startswith("!")


class Selector(NamedTuple):
    """Series of `metrics` whose labels fit all `matchers`, of some servers; None means of all."""

    metrics: tuple[str, ...]
    servers: frozenset[UUID] | None = None
    matchers: tuple[Matcher, ...] = ()

    def accepts(self, labels: Labels) -> bool:
        return fits(dict(labels), self.matchers) if self.matchers else True


def fits(labels: Mapping[str, str], matchers: tuple[Matcher, ...]) -> bool:
    return all(matcher.accepts(labels.get(matcher.label, "")) for matcher in matchers)


def parse_matcher(text: str) -> Matcher:
    """Raises BadMatcher."""
    found = _MATCHER.fullmatch(text)
    if found is None or "\x00" in text:
        raise BadMatcher
    matcher = Matcher(found[1].strip(), found[2], found[3])
    if matcher.operator.endswith("~"):
        _compiled(matcher.value)
    return matcher


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re2._Regexp:
    """RE2 never backtracks, so no pattern takes longer than its text is long."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    if len(pattern) > LONGEST_PATTERN:
        raise BadMatcher(f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        raise BadMatcher("The pattern of a label matcher cannot be read.") from error


@lru_cache(maxsize=65_536)
def _matches(pattern: str, value: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None
