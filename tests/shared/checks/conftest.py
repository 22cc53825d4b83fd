"""An authority whose certificates the tests' servers show."""

from pathlib import Path

import pytest

from tests.shared.checks.places import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return Authority(folder)
