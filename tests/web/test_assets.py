"""What the build writes: everything a page names, under names that change with the content, asking nobody else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pudim_web import STATIC, TEMPLATES, AssetsNotBuiltError, assets

WEB = TEMPLATES.parent.parent
LOGICAL = {"app.css", "app.js", "chart.js", "htmx.js", "logo.svg", "theme.js"}
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
XMLNS = re.compile(r"http://www\.w3\.org/\d{4}/[\w/]+")
# What makes a browser ask: url(), @import, src=, href=, fetch and friends with a foreign address.
FOREIGN = re.compile(
    r"""(?:url\(|@import|src=|href=|fetch\(|import\(|EventSource\(|from)\s*["']?(?:https?:)?//"""
)


def test_every_logical_name_has_an_address_that_exists() -> None:
    assert set(assets()) == LOGICAL
    for address in assets().values():
        assert (STATIC / address.removeprefix("/static/")).is_file()


def test_names_carry_a_hash_of_the_content() -> None:
    for name, address in assets().items():
        stem, suffix = name.rsplit(".", 1)
        assert re.fullmatch(rf"/static/{stem}-[0-9A-Z]{{8}}\.{suffix}", address)


def test_nothing_from_an_earlier_build_is_left() -> None:
    current = {address.removeprefix("/static/") for address in assets().values()}
    assert {path.name for path in STATIC.iterdir()} == current | {"manifest.json", ".stamp"}


def test_templates_name_only_what_is_built() -> None:
    named = {
        name
        for page in TEMPLATES.rglob("*.html")
        for name in re.findall(r"page\.assets\('(.+?)'\)", page.read_text())
    }
    assert named == LOGICAL


@pytest.mark.parametrize("name", sorted(LOGICAL))
def test_a_built_file_asks_no_other_host(name: str) -> None:
    text = (STATIC / assets()[name].removeprefix("/static/")).read_text()
    assert not FOREIGN.search(XMLNS.sub("", COMMENT.sub("", text)))


def test_the_sheet_is_cut_to_what_pages_use() -> None:
    sheet = (STATIC / assets()["app.css"].removeprefix("/static/")).read_text()
    assert len(sheet) < 150_000
    assert ".btn-primary" in sheet
    assert ".carousel" not in sheet


def test_before_the_build_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(AssetsNotBuiltError) as caught:
        assets(tmp_path)
    assert "just setup" in caught.value.hint


def test_the_lock_file_says_what_and_never_from_where() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_dependencies_are_pinned() -> None:
    package = json.loads((WEB / "package.json").read_text())
    versions = {**package["dependencies"], **package["devDependencies"]}
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    assert versions["htmx.org"].startswith("2.")
