"""A bundle of the agent as `just bundle` makes it, built once, and a collector that gives it away."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.packaging.hosts import PYTHONS, Host
from tests.packaging.releases import Made, Shop
from tests.running import RunningPudim

ROOT = Path(__file__).parents[2]


def script(path: str) -> ModuleType:
    """A script of packaging/ as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    return script("packaging/release/build_bundle.py")


@pytest.fixture(scope="session")
def made(
    builder: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], dict[str, list[str]]]:
    """Files and targets for the Pythons of this machine."""
    targets = [f"{platform.machine()}-cp{version.replace('.', '')}" for version in PYTHONS]
    found: tuple[dict[str, bytes], dict[str, list[str]]] = builder.collect(
        tmp_path_factory.mktemp("collected"), targets
    )
    return found


@pytest.fixture(scope="session")
def bundle(
    builder: ModuleType,
    made: tuple[dict[str, bytes], dict[str, list[str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path: Path = builder.write_bundle(tmp_path_factory.mktemp("bundle"), builder.own_version(), *made)
    return path


@pytest.fixture(scope="session")
def pudim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPudim]:
    with RunningPudim(tmp_path_factory.mktemp("pudim")) as running:
        yield running


@pytest.fixture(scope="session")
def shop(
    builder: ModuleType,
    made: Made,
    pudim: RunningPudim,
    bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shop:
    said = subprocess.run(
        [
            Path(sys.executable).with_name("pudim"),
            "admin",
            "agent-bundle",
            "--data-dir",
            pudim.data_dir,
            bundle,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Release key" in said.stdout
    return Shop(builder, made, pudim.data_dir, tmp_path_factory.mktemp("shop"))


@pytest.fixture
def host(tmp_path: Path, pudim: RunningPudim, shop: Shop) -> Host:
    (tmp_path / "root").mkdir()
    with urllib.request.urlopen(f"http://127.0.0.1:{pudim.port}/agent/v1/install.sh", timeout=30) as answer:
        (tmp_path / "install.sh").write_bytes(answer.read())
    return Host(tmp_path / "root", tmp_path / "install.sh")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them that install something build wheels and start processes first."""
    for item in items:
        if "bundle" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.processes)
