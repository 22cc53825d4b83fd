"""What a machine may lack, said aloud: without a browser its tests are skipped with the reason, but never in CI."""

import os
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM.exists() or os.environ.get("CI"):
        return
    absent = pytest.mark.skip(reason=f"{CHROMIUM} is missing: packaging/system-packages installs it, as root")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(absent)
