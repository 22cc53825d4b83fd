"""The service unit is one that systemd understands, and grants no more than the agent needs."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

UNIT = ROOT / "packaging/systemd/pudim-agent.service"
MOST_EXPOSED = 3.0
"""systemd's own figure: 10 is no protection at all, 9.2 to 9.6 what services without hardening have."""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_understands_it_and_finds_it_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    shutil.copy(UNIT, unit)
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert [
        line for line in checked.stderr.splitlines() if UNIT.name in line and "executable" not in line
    ] == []
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", unit], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert found is not None, said
    print(found[0])
    assert float(found[1]) <= MOST_EXPOSED


def test_only_the_putting_in_place_runs_as_root() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read(UNIT)
    service = unit["Service"]
    assert service["User"] == "pudim-agent"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"]
    assert not service["ExecStart"].startswith(("+", "!"))
    assert "Restart" in service, "an update is put in place by the next start"
    assert "ReadWritePaths" not in service
