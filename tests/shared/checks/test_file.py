"""Files of a folder: age, number and size; and nothing outside it, whatever links and patterns say."""

import os
import threading
import time
from pathlib import Path

import pytest

from pudim.checks import Outcome, Status, Surroundings
from pudim.checks import file as files
from pudim.checks.file import COUNT, NEWEST, OLDEST, SIZE
from tests.shared.checks.places import around, found

NOW = 1_800_000_000.0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, age, size in (
        ("db-1.dump", 7200, 10),
        ("db-2.dump", 600, 20),
        ("db-3.tmp", 0, 1),
        (".db.dump", 0, 1),
    ):
        (tmp_path / "allowed" / "daily").mkdir(parents=True, exist_ok=True)
        path = tmp_path / "allowed" / "daily" / name
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW - age, NOW - age))
    return tmp_path / "allowed"


def where(*folders: Path) -> Surroundings:
    return around(folders=tuple(map(str, folders)), wall=lambda: NOW)


async def looked(place: Path, path: str, **settings: float) -> Outcome:
    return await found("file", where(place), path=f"{place}/{path}", **settings)


async def test_what_is_there(place: Path) -> None:
    outcome = await looked(place, "d*/db-?.dump", newest=900, oldest=8000, least=2, least_bytes=20)
    assert (outcome.status, outcome.detail) == (Status.UP, "2 files, the newest 600 s old")
    assert outcome.figures == {COUNT: 2, NEWEST: 600, OLDEST: 7200, SIZE: 20}
    assert (await looked(place, "daily/db-2.dump")).figures[COUNT] == 1
    assert (await looked(place, "daily/.db*")).figures[COUNT] == 1


@pytest.mark.parametrize(
    ("path", "settings", "code"),
    [
        ("daily/*.dump", {"newest": 500}, "too_old"),
        ("daily/*.dump", {"oldest": 7000}, "too_old"),
        ("daily/*.dump", {"least": 3}, "too_few"),
        ("daily/*.dump", {"least_bytes": 21}, "too_small"),
        ("daily/none", {}, "too_few"),
        ("none/none", {}, "too_few"),
        ("daily/db-1.dump/x", {}, "too_few"),
        ("daily", {}, "too_few"),
    ],
)
async def test_what_is_not_as_it_should_be(
    place: Path, path: str, settings: dict[str, float], code: str
) -> None:
    outcome = await looked(place, path, **settings)
    assert (outcome.status, outcome.code) == (Status.DOWN, code)


async def test_other_folders_are_not_looked_at(place: Path) -> None:
    for path in ("/etc/passwd", f"{place}x/y", str(place), "/"):
        spec = {"path": path} if path != "/" else {"path": "/x"}
        outcome = await found("file", where(place), **spec)
        assert (outcome.status, outcome.code) == (Status.UNKNOWN, "not_permitted")
    assert (await found("file", where(), path=f"{place}/daily/db-1.dump")).code == "not_permitted"


async def test_links_lead_nowhere(place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (place / "link").symlink_to(outside)
    (place / "daily" / "db-9.dump").symlink_to(outside / "secret")
    assert (await looked(place, "link/secret")).figures[COUNT] == 0
    assert (await looked(place, "*/secret")).figures[COUNT] == 0
    assert (await looked(place, "daily/*.dump")).figures[COUNT] == 2
    assert (await looked(place, "daily/db-9.dump")).figures[COUNT] == 0


async def test_a_folder_that_may_not_be_read_is_unknown(place: Path) -> None:
    outcome = await found("file", where(place / "none"), path=f"{place}/none/x")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "not_permitted")


async def test_pipes_are_not_opened(place: Path) -> None:
    os.mkfifo(place / "pipe")
    assert (await looked(place, "pipe")).figures[COUNT] == 0


async def test_too_many_entries_are_not_counted_to_the_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_ENTRIES", 3)
    outcome = await looked(place, "daily/*")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "too_many")


async def test_folders_that_hang_keep_few_threads(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, real = threading.Event(), files._look

    def hanging(root: str, parts: list[str]) -> object:
        release.wait(30)
        return real(root, parts)

    monkeypatch.setattr(files, "_look", hanging)
    for _ in range(files.MOST_HANGING):
        outcome = await looked(place, "daily/*", timeout=0.1)
        assert (outcome.status, outcome.code) == (Status.UNKNOWN, "timeout")
    assert (await looked(place, "daily/*", timeout=0.1)).code == "busy"
    release.set()
    deadline = time.monotonic() + 10
    while (await looked(place, "daily/*")).code == "busy":
        assert time.monotonic() < deadline
