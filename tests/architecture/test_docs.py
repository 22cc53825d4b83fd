"""The documents are true: links lead somewhere, commands and settings exist, tables come from the code."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.architecture import reference_tables
from tests.architecture.codebase import ROOT, texts

PAGES = {
    path: text for path, text in texts().items() if path == "README.md" or re.fullmatch(r"docs/.*\.md", path)
}
TOP_FOLDERS = ("agent", "collector", "shared", "web", "tests", "docs", "packaging", ".ci")
UP, TEST = (
    f"python3 -m venv .venv && .venv/bin/pip install -q uv rust-just && .venv/bin/just {recipe}"
    for recipe in ("up", "test")
)
SETTINGS = texts().get("collector/pudim_collector/app/settings.py", "")
ON_HOSTS = ("agent/pudim_agent/commands.py", "packaging/install/install.sh")


def anchors(text: str) -> set[str]:
    """Headings as GitHub turns them into anchors."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path: str, text: str) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        where = (ROOT / PurePosixPath(path).parent / file).resolve() if file else ROOT / path
        if not where.exists() or (anchor and anchor not in anchors(where.read_text())):
            yield f"{path}: {target}"


def recipes(text: str) -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*)(?: [^:=\n]*)?:(?!=)", text, re.MULTILINE))


def unknown_recipes(path: str, text: str) -> Iterator[str]:
    for recipe in re.findall(r"(?:`|\.venv/bin/)just ([a-z][\w-]*)", text):
        if recipe not in recipes(texts()["justfile"]):
            yield f"{path}: just {recipe}"


def absent_paths(path: str, text: str) -> Iterator[str]:
    for quoted in re.findall(r"`([\w./-]+/[\w./-]*)`", text):
        if quoted.split("/")[0] in TOP_FOLDERS and not (ROOT / quoted).exists():
            yield f"{path}: {quoted}"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_true(path: str) -> None:
    text = PAGES[path]
    wrong = [*dead_links(path, text), *unknown_recipes(path, text), *absent_paths(path, text)]
    assert not wrong, "\n".join(["These links, recipes or paths do not exist:", *wrong])


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        for target in re.findall(r"\]\(([^)#\s]+)", PAGES[page]):
            where = (ROOT / page).parent / target
            found = where / "README.md" if where.is_dir() else where
            if not found.exists():
                continue
            relative = found.resolve().relative_to(ROOT).as_posix()
            if relative in PAGES and relative not in reached:
                waiting.append(relative)
    assert set(PAGES) == reached, "Link these pages from another one: " + ", ".join(
        sorted(set(PAGES) - reached)
    )


def test_the_readme_has_both_commands_and_ci_runs_the_second() -> None:
    assert UP in PAGES["README.md"]
    assert TEST in PAGES["README.md"]
    assert TEST in texts()[".ci/run"]


def test_every_setting_is_explained_and_exists() -> None:
    known = set(re.findall(r"PUDIM_[A-Z_]+", SETTINGS))
    named = {name for text in PAGES.values() for name in re.findall(r"PUDIM_[A-Z_]+", text)}
    on_hosts = set(re.findall(r"PUDIM_[A-Z_]+", "".join(texts()[path] for path in ON_HOSTS)))
    assert named <= known | on_hosts, f"read by nothing: {sorted(named - known - on_hosts)}"
    explained = set(re.findall(r"\| `(PUDIM_[A-Z_]+)` \|", PAGES["docs/quickstart.md"]))
    assert known <= explained, f"explain in docs/quickstart.md: {sorted(known - explained)}"


@pytest.mark.parametrize("page", reference_tables.PAGES)
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    assert reference_tables.rendered(PAGES[page]) == PAGES[page], f"Run: {reference_tables.COMMAND}"


def test_decisions_are_numbered_and_short() -> None:
    pages = sorted(path for path in PAGES if re.search(r"decisions/\d", path))
    assert [int(PurePosixPath(path).name[:4]) for path in pages] == list(range(1, len(pages) + 1))
    for path in pages:
        said = re.findall(r"^## (.+)$", PAGES[path], re.MULTILINE)
        assert said == ["Context", "Choice", "Consequences"], path
        assert len(PAGES[path].splitlines()) <= 60, f"{path}: one page"


def dependencies() -> set[str]:
    declared = [
        requirement
        for folder in ("shared", "agent", "collector", "web")
        for requirement in tomllib.loads(texts()[f"{folder}/pyproject.toml"])["project"]["dependencies"]
    ]
    names = {re.split(r"[^A-Za-z0-9_.-]", requirement)[0] for requirement in declared}
    ours = {"pudim", "pudim-agent", "pudim-collector", "pudim-web"}
    return names - ours | set(json.loads(texts()["web/package.json"])["dependencies"])


def test_each_dependency_has_its_line() -> None:
    page = PAGES["docs/decisions/0011-each-dependency-has-its-line.md"]
    listed = {
        name
        for cell in re.findall(r"^\| \w+ \| (`.+`) \|", page, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", cell)
    }
    assert listed == dependencies()


def test_what_is_untrue_is_noticed() -> None:
    assert list(dead_links("docs/x.md", "[a](nowhere.md) [b](glossary.md#nothing)")) == [
        "docs/x.md: nowhere.md",
        "docs/x.md: glossary.md#nothing",
    ]
    assert not list(dead_links("docs/x.md", "[a](glossary.md#glossary) [b](https://example.org)"))
    assert list(unknown_recipes("x.md", "`just fly`, `just up`")) == ["x.md: just fly"]
    assert list(absent_paths("x.md", "`collector/nothing/` and `docs/decisions/`")) == [
        "x.md: collector/nothing/"
    ]
    damaged = PAGES["docs/reference/wire.md"].replace("`replayed` | 401", "`replayed` | 500")
    assert reference_tables.rendered(damaged) != damaged
