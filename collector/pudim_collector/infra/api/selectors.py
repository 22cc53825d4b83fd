"""Label selectors: `env=prod,tier!=db,team in (a,b),!legacy`, read once, then asked of tags in Python or in SQL.

A tag `env=prod` is the label `env` with the value `prod`; a tag without `=` is a label with an empty value. A label may
have several values: `=` and `in` ask whether one of them fits, `!=` and `notin` whether none does, so they also hold where
the label is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from litestar.params import QueryParameter

from pudim.vocabulary.errors import PudimError

LONGEST_SELECTOR = 1_024
MOST_TERMS = 32
MOST_VALUES = 64
_BLANK = re.compile(r"[ \t]*")
_WORD = re.compile(r"\w[\w.:/-]*")
_VALUE = re.compile(r"[\w.:/=-]*")
_QUOTED = re.compile(r'"([^"]*)"')
_OPERATOR = re.compile(r"==|!=|=")
_IN = re.compile(r"(in|notin)(?=[ \t]*\()")

LabelSelector = Annotated[
    str | None,
    QueryParameter(
        name="label_selector",
        max_length=LONGEST_SELECTOR,
        description="Only what has these labels: `env=prod,tier!=db,team in (a,b),zone notin (x),backup,!legacy`;"
        " all of them count. A value with other characters than letters, digits and `_ . : / = -` stands in double quotes.",
    ),
]


class BadSelectorError(PudimError):
    """The label selector cannot be read."""

    code = "bad_label_selector"
    status = 422
    hint = "It is a list such as env=prod,tier!=db,team in (a,b),!legacy."

    def __init__(self, column: int = 1, words: str = "") -> None:
        """`column` counts from 1."""
        self.column = column
        super().__init__(f"The label selector cannot be read at column {column}: {words}." if words else "")


class Demand(StrEnum):
    """What a term asks of a label."""

    HAS = "has"
    LACKS = "lacks"
    IN = "in"
    NOT_IN = "not in"


@dataclass(frozen=True)
class Term:
    """One demand; `values` is empty for HAS and LACKS."""

    label: str
    test: Demand
    values: tuple[str, ...] = ()

    @property
    def tags(self) -> list[str]:
        """The tags by which a label has one of the values."""
        return [self.label if not value else f"{self.label}={value}" for value in self.values]

    def matches(self, tags: Iterable[str]) -> bool:
        found = [value for label, _, value in (tag.partition("=") for tag in tags) if label == self.label]
        match self.test:
            case Demand.HAS:
                return bool(found)
            case Demand.LACKS:
                return not found
            case Demand.IN:
                return any(value in self.values for value in found)
            case Demand.NOT_IN:
                return not any(value in self.values for value in found)


@dataclass(frozen=True)
class Selector:
    """All of the terms; none selects everything."""

    terms: tuple[Term, ...] = ()

    def matches(self, tags: Sequence[str]) -> bool:
        return all(term.matches(tags) for term in self.terms)

    def condition(self, column: str, first: int) -> tuple[str, list[object]]:
        """SQL over `column`, an array of tags whose name is ours, and the parameters from `$first` on."""
        pieces, parameters = ["true"], list[object]()
        for term in self.terms:
            place = f"${first + len(parameters)}"
            if term.test in {Demand.IN, Demand.NOT_IN}:
                found = f"{column} && {place}::text[]"
                parameters.append(term.tags)
            else:
                found = f"EXISTS (SELECT FROM unnest({column}) AS tag WHERE split_part(tag, '=', 1) = {place}::text)"
                parameters.append(term.label)
            pieces.append(found if term.test in {Demand.IN, Demand.HAS} else f"NOT ({found})")
        return " AND ".join(pieces), parameters


def parse_selector(text: str | None) -> Selector:
    """Raises BadSelectorError."""
    if text is None or not text.strip():
        return Selector()
    if len(text) > LONGEST_SELECTOR:
        raise BadSelectorError(LONGEST_SELECTOR + 1, f"it is longer than {LONGEST_SELECTOR} characters")
    return _Reader(text).selector()


@dataclass
class _Reader:
    text: str
    at: int = 0

    def selector(self) -> Selector:
        terms = [self._term()]
        while self._took(","):
            terms.append(self._term())
            if len(terms) > MOST_TERMS:
                raise self._fault(f"more than {MOST_TERMS} terms")
        if self.at < len(self.text):
            raise self._fault("expected a comma or the end")
        return Selector(tuple(terms))

    def _term(self) -> Term:
        self._blank()
        if self._took("!"):
            return Term(self._label(), Demand.LACKS)
        label = self._label()
        operator = self._match(_OPERATOR)
        if operator is not None:
            return Term(label, Demand.NOT_IN if operator == "!=" else Demand.IN, (self._value(),))
        among = self._match(_IN)
        if among is not None:
            return Term(label, Demand.IN if among == "in" else Demand.NOT_IN, self._values())
        return Term(label, Demand.HAS)

    def _label(self) -> str:
        self._blank()
        found = self._match(_WORD)
        if found is None:
            raise self._fault("expected the name of a label")
        return found

    def _value(self) -> str:
        self._blank()
        if self.text.startswith('"', self.at):
            quoted = _QUOTED.match(self.text, self.at)
            if quoted is None:
                raise self._fault("a quote that does not end")
            self.at = quoted.end()
            self._blank()
            return quoted[1]
        return self._match(_VALUE) or ""

    def _values(self) -> tuple[str, ...]:
        self._took("(")
        found = [self._value()]
        while self._took(","):
            found.append(self._value())
            if len(found) > MOST_VALUES:
                raise self._fault(f"more than {MOST_VALUES} values")
        if not self._took(")"):
            raise self._fault("expected a comma or a closing parenthesis")
        return tuple(found)

    def _took(self, mark: str) -> bool:
        self._blank()
        if not self.text.startswith(mark, self.at):
            return False
        self.at += len(mark)
        self._blank()
        return True

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        self._blank()
        return found[0]

    def _blank(self) -> None:
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _fault(self, words: str) -> BadSelectorError:
        return BadSelectorError(self.at + 1, words)
