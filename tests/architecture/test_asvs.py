"""The table of OWASP ASVS 5.0 in the threat model: every requirement of levels 1 and 2 once, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.architecture.codebase import texts

PAGE = "docs/threat-model.md"
HEADING = "\n## OWASP ASVS 5.0, levels 1 and 2\n"
LEVEL_1 = """
1.2.1 1.2.2 1.2.3 1.2.4 1.2.5 1.3.1 1.3.2 1.5.1 2.1.1 2.2.1 2.2.2 2.3.1 3.2.1 3.2.2 3.3.1 3.4.1 3.4.2 3.5.1
3.5.2 3.5.3 4.1.1 4.4.1 5.2.1 5.2.2 5.3.1 5.3.2 6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1
6.3.2 6.4.1 6.4.2 7.2.1 7.2.2 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1 9.1.1 9.1.2 9.1.3 9.2.1 10.4.1
10.4.2 10.4.3 10.4.4 10.4.5 11.3.1 11.3.2 11.4.1 12.1.1 12.2.1 12.2.2 13.4.1 14.2.1 14.3.1 15.1.1 15.2.1
15.3.1
"""
LEVEL_2 = """
1.1.1 1.1.2 1.2.6 1.2.7 1.2.8 1.2.9 1.3.3 1.3.4 1.3.5 1.3.6 1.3.7 1.3.8 1.3.9 1.3.10 1.3.11 1.4.1 1.4.2 1.4.3
1.5.2 2.1.2 2.1.3 2.2.3 2.3.2 2.3.3 2.3.4 2.4.1 3.3.2 3.3.3 3.3.4 3.4.3 3.4.4 3.4.5 3.4.6 3.5.4 3.5.5 3.7.1
3.7.2 4.1.2 4.1.3 4.2.1 4.3.1 4.3.2 4.4.2 4.4.3 4.4.4 5.1.1 5.2.3 5.4.1 5.4.2 5.4.3 6.1.2 6.1.3 6.2.9 6.2.10
6.2.11 6.2.12 6.3.3 6.3.4 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.1 6.6.2 6.6.3 6.8.1 6.8.2 6.8.3 6.8.4
7.1.1 7.1.2 7.1.3 7.3.1 7.3.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2 8.1.2 8.2.3 8.4.1 9.2.2 9.2.3 9.2.4
10.1.1 10.1.2 10.2.1 10.2.2 10.3.1 10.3.2 10.3.3 10.3.4 10.4.6 10.4.7 10.4.8 10.4.9 10.4.10 10.4.11 10.5.1
10.5.2 10.5.3 10.5.4 10.5.5 10.6.1 10.6.2 10.7.1 10.7.2 10.7.3 11.1.1 11.1.2 11.2.1 11.2.2 11.2.3 11.3.3
11.4.2 11.4.3 11.4.4 11.5.1 11.6.1 12.1.2 12.1.3 12.3.1 12.3.2 12.3.3 12.3.4 13.1.1 13.2.1 13.2.2 13.2.3
13.2.4 13.2.5 13.3.1 13.3.2 13.4.2 13.4.3 13.4.4 13.4.5 14.1.1 14.1.2 14.2.2 14.2.3 14.2.4 14.3.2 14.3.3
15.1.2 15.1.3 15.2.2 15.2.3 15.3.2 15.3.3 15.3.4 15.3.5 15.3.6 15.3.7 16.1.1 16.2.1 16.2.2 16.2.3 16.2.4
16.2.5 16.3.1 16.3.2 16.3.3 16.3.4 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3 17.1.1 17.2.1 17.2.2 17.2.3
17.2.4 17.3.1 17.3.2
"""
"""Numbers as version 5.0.0 has them; https://github.com/OWASP/ASVS."""
STATES = {"met", "not met", "does not apply"}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+){2}")
_TEST = re.compile(r"`((?:tests/)[\w/]+\.py)::(\w+)`")
_LINK = re.compile(r"\]\([^)\s]+\)")
LEAST_REASON = 3
"""Words of a reason."""


@dataclass(frozen=True)
class Row:
    number: str
    level: str
    about: str
    state: str
    shown_by: str

    @property
    def reason(self) -> str:
        return re.sub(r"[,;.:]", " ", _TEST.sub("", self.shown_by)).strip()

    def faults(self) -> Iterator[str]:
        if self.state not in STATES:
            yield f"{self.number}: {self.state!r} is none of {sorted(STATES)}"
        for path, name in _TEST.findall(self.shown_by):
            if name not in functions(path):
                yield f"{self.number}: there is no {path}::{name}"
        if self.state == "met" and not (_TEST.search(self.shown_by) or _LINK.search(self.shown_by)):
            yield f"{self.number}: name a test that shows it, or the page that says it"
        if self.state != "met" and len(self.reason.split()) < LEAST_REASON and not _refers(self.reason):
            yield f"{self.number}: say why"


def _refers(reason: str) -> bool:
    return bool(re.fullmatch(r"As [0-9 ]+", reason))


def functions(path: str) -> set[str]:
    """The tests of a file, by name; none where there is no such file."""
    tree = ast.parse(texts().get(path, ""))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")}


def rows(page: str) -> list[Row]:
    table = page.partition(HEADING)[2].partition("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    return [Row(*cells) for cells in found if len(cells) == 5 and _NUMBER.fullmatch(cells[0])]


TABLE = rows(texts()[PAGE])


def test_every_requirement_is_there_once_and_in_order() -> None:
    wanted = dict.fromkeys(LEVEL_1.split(), "1") | dict.fromkeys(LEVEL_2.split(), "2")
    assert len(wanted) == len(LEVEL_1.split()) + len(LEVEL_2.split()) == 253
    assert [row.number for row in TABLE] == sorted(wanted, key=_in_order)
    assert {row.number: row.level for row in TABLE} == wanted


def _in_order(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


def test_every_row_is_true_as_far_as_can_be_told() -> None:
    faults = [fault for row in TABLE for fault in row.faults()]
    assert not faults, "\n".join(faults)


def test_what_is_met_is_counted_right() -> None:
    """So that nobody takes a requirement back in silence."""
    told = re.search(r"(\d+) are met, (\d+) are not, (\d+) do not apply", texts()[PAGE])
    assert told
    states = [row.state for row in TABLE]
    assert [int(one) for one in told.groups()] == [
        states.count(one) for one in ("met", "not met", "does not apply")
    ]


@pytest.mark.parametrize(
    ("state", "shown_by"),
    [
        ("met", "It is so."),
        ("met", "`tests/architecture/test_asvs.py::test_nothing_like_it`"),
        ("met", "`tests/architecture/nowhere.py::test_it`"),
        ("not met", ""),
        ("not met", "`tests/architecture/test_asvs.py::test_what_is_met_is_counted_right`"),
        ("does not apply", "No."),
        ("perhaps", "[here](guides/limits.md)"),
    ],
)
def test_a_row_without_a_ground_is_noticed(state: str, shown_by: str) -> None:
    page = f"{HEADING}\n| 1.1.1 | 2 | input | {state} | {shown_by} |\n"
    (row,) = rows(page)
    assert list(row.faults())
