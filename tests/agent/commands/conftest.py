"""A desk on an empty folder, for every test of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.commands.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
