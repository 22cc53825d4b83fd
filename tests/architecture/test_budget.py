"""The budget report counts what it says it counts."""

from __future__ import annotations

from tests.architecture.budget import report
from tests.architecture.codebase import Module


def test_the_report_names_what_is_too_long() -> None:
    long = "def grown():\n" + "    pass\n" * 420
    lines = report([Module("shared/pudim/grown.py", long), Module("tests/test_x.py", "x = 1\n")])
    assert lines[0].startswith("functions: 1, median 421")
    assert [line.split(":")[0] for line in lines[2:]] == ["long function", "long module"]


def test_an_empty_repository_has_a_report() -> None:
    assert report([])[0].startswith("functions: 0, median 0")
