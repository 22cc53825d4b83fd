"""What a machine may lack, said aloud: the tests that need it are skipped with the reason, but never in CI."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("pudim", deadline=None)
settings.load_profile("pudim")

NEEDED = {"browser": Path("/usr/bin/chromium"), "prometheus": Path("/usr/bin/prometheus")}
"""By the marker of the tests that start it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CI"):
        return
    for marker, program in NEEDED.items():
        if program.exists():
            continue
        absent = pytest.mark.skip(
            reason=f"{program} is missing: packaging/system-packages installs it, as root"
        )
        for item in items:
            if item.get_closest_marker(marker):
                item.add_marker(absent)
