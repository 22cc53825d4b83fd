"""Prints the budget report below the results."""

from __future__ import annotations

import pytest

from tests.architecture.budget import report
from tests.architecture.codebase import modules


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("budget")
    for line in report(modules()):
        terminalreporter.write_line(line)
