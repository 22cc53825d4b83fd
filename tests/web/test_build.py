"""The build hook: idle when nothing changed, and clear when a step fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from web.build_assets import RECIPE, SOURCES, AssetBuildError, build_assets

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in SOURCES:
        shutil.copytree(WEB / name, tmp_path / name)
    for name in RECIPE:
        shutil.copy(WEB / name, tmp_path / name)
    return tmp_path


def borrow_packages(root: Path) -> None:
    (root / "node_modules").symlink_to(WEB / "node_modules")


def test_an_up_to_date_build_does_nothing() -> None:
    build_assets(WEB)
    static = WEB / "pudim_web" / "static"
    before = {file: file.stat().st_mtime_ns for file in static.iterdir()}
    build_assets(WEB)
    assert {file: file.stat().st_mtime_ns for file in static.iterdir()} == before


def test_a_changed_source_changes_names_and_removes_the_old_ones(copy: Path) -> None:
    borrow_packages(copy)
    build_assets(copy)
    static = copy / "pudim_web" / "static"
    before = json.loads((static / "manifest.json").read_text())
    with (copy / "src" / "app.css").open("a") as sheet:
        sheet.write(".added { color: red }\n")
    build_assets(copy)
    after = json.loads((static / "manifest.json").read_text())
    assert {name for name in before if before[name] != after[name]} == {"app.css"}
    assert not (static / before["app.css"]).exists()


def test_a_deleted_build_is_made_again(copy: Path) -> None:
    borrow_packages(copy)
    build_assets(copy)
    (copy / "pudim_web" / "static" / "manifest.json").unlink()
    build_assets(copy)
    assert (copy / "pudim_web" / "static" / "manifest.json").exists()


def test_a_source_that_does_not_compile_is_named(copy: Path) -> None:
    borrow_packages(copy)
    (copy / "src" / "app.ts").write_text("const = 1;\n")
    with pytest.raises(AssetBuildError, match=r"the bundler failed with exit code 1") as caught:
        build_assets(copy)
    assert "src/app.ts:1" in str(caught.value)


def test_packages_that_cannot_be_installed_are_named(copy: Path) -> None:
    package = json.loads((copy / "package.json").read_text())
    package["dependencies"]["uplot"] = "1.6.31"
    (copy / "package.json").write_text(json.dumps(package))
    with pytest.raises(AssetBuildError, match=r"npm ci failed with exit code 1") as caught:
        build_assets(copy)
    assert "uplot" in str(caught.value)
