"""Files that scripts leave: read when they changed, refused one by one, and never opened where they may do harm."""

from __future__ import annotations

import os
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from pudim.wire.codec import unpack
from pudim_agent.assembly import Assembly
from pudim_agent.samplers import Host, Tick
from pudim_agent.samplers.textfile import MOST_BYTES, MOST_FILES, Textfile, TextfileConfig

WRITTEN = 1_700_000_000


class Directory:
    """A directory with its sampler, which is asked every ten seconds."""

    def __init__(self, path: Path, **config: Any) -> None:
        self.path = path
        self.host = Host()
        self._sampler = Textfile(self.host, TextfileConfig(directory=path, **config))
        self.assembly = Assembly({"textfile": self._sampler}, self.host)
        self._ticks = 0

    def write(self, name: str, text: str | bytes) -> None:
        """As one should: beside it, and then in its place."""
        new = self.path / f"{name}.new"
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        os.utime(new, (WRITTEN, WRITTEN))
        new.rename(self.path / name)

    def look(self) -> dict[str, dict[str, float]]:
        """Values by file, and by `metric{labels}`."""
        self._ticks += 10
        found: dict[str, dict[str, float]] = {}
        for frame in self.assembly.frames(Tick((WRITTEN + self._ticks) * 1000, float(self._ticks))):
            file = dict(frame.source.labels).get("pudim.custom.name", "")
            for one, value in zip(frame.source.layout.series, frame.values, strict=True):
                labels = "".join(f" {key}={text}" for key, text in one.labels)
                found.setdefault(file, {})[one.metric + labels] = value
        return found

    def told(self) -> dict[str, Any]:
        """What the collector hears of each file."""
        self._ticks += 30
        self.look()
        ((_, message),) = self.host.notices.since(0)
        document: Any = unpack(message)[3]
        return {one["name"]: one for one in document["sources"]}


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


def test_a_file_becomes_series_and_an_age(directory: Directory) -> None:
    directory.write(
        "backup.prom", '# TYPE backup_bytes gauge\nbackup_bytes{disk="a"} 5\nbackup_ok NaN\nbackup_max +Inf\n'
    )
    directory.write("ignored.txt", "a 1\n")
    found = directory.look()
    assert found.keys() == {"", "backup.prom"}
    assert found[""] == {
        "pudim.custom.series pudim.custom=textfile": 4.0,
        "pudim.custom.dropped pudim.custom=textfile": 0.0,
    }
    values = found["backup.prom"]
    assert isnan(values.pop("backup_ok"))
    assert values == {"pudim.textfile.age": 10.0, "backup_bytes disk=a": 5.0, "backup_max": float("inf")}
    assert directory.look()["backup.prom"]["pudim.textfile.age"] == 20.0


def test_units_come_from_names_as_they_do_by_remote_write(directory: Directory) -> None:
    directory.write("x.prom", "job_duration_seconds 5\njob_size_bytes 1\njob_runs_total 3\n")
    (_, frame) = directory.assembly.frames(Tick(0, 0.0))
    units = {one.metric: one.unit for one in frame.source.layout.series}
    assert units == {
        "pudim.textfile.age": "s",
        "job_duration_seconds": "s",
        "job_size_bytes": "By",
        "job_runs_total": "",
    }


def test_a_changed_file_is_read_again_and_what_it_says_no_more_is_not_known(directory: Directory) -> None:
    directory.write("x.prom", "a 1\nb 2\n")
    directory.look()
    directory.write("x.prom", "a 3\n")
    found = directory.look()["x.prom"]
    assert found["a"] == 3.0
    assert isnan(found["b"])


def test_an_unchanged_file_is_not_read_again(directory: Directory) -> None:
    directory.write("x.prom", "a 1\n")
    directory.look()
    filling = directory._sampler._files["x.prom"]._filling
    known = filling._known
    assert directory.look()["x.prom"]["a"] == 1.0
    assert filling._known is known
    directory.write("x.prom", "a 1\n")
    directory.look()
    assert filling._known is not known


def test_a_broken_file_is_told_by_name_and_line_and_costs_only_itself(directory: Directory) -> None:
    directory.write("good.prom", "a 1\n")
    directory.write("bad.prom", "b 1\n")
    assert directory.look()["bad.prom"]["b"] == 1.0
    directory.write("bad.prom", "b 1\nsecret stuff here\n")
    found = directory.look()
    assert found["good.prom"]["a"] == 1.0
    assert isnan(found["bad.prom"]["b"])
    assert found["bad.prom"]["pudim.textfile.age"] > 0
    told = directory.told()
    assert told["bad.prom"]["error"] == "line 2: no sample: a name, labels in braces, a number"
    assert told["good.prom"]["error"] is None
    directory.write("bad.prom", "b 2\n")
    assert directory.look()["bad.prom"]["b"] == 2.0
    assert directory._sampler._share.origins["bad.prom"].error is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"a 1 1700000000000\n", "line 1: a timestamp, which a file cannot give"),
        (b"a 1\na 2\n", "line 2: a series that comes twice"),
        (b'a{x="1",y="2"} 1\na{y="2",x="1"} 2\n', "line 2: a series that comes twice"),
        (b"a 1\nb 2", "line 2: ends without a line end; perhaps it is written just now"),
        (b"a 1\n" + b"#" * MOST_BYTES, f"larger than {MOST_BYTES} bytes"),
        (b"\x00\xff\n", "line 1: no sample: a name, labels in braces, a number"),
        (b'a{x="' + b"y" * 300 + b'"} 1\nb 2\n', "line 1: a label that is too long or cannot be shown"),
    ],
)
def test_what_is_wrong_is_said(directory: Directory, text: bytes, error: str) -> None:
    directory.write("x.prom", text)
    directory.look()
    assert directory.told()["x.prom"]["error"] == error


def test_links_pipes_sockets_and_directories_are_not_opened(
    directory: Directory, tmp_path_factory: Any
) -> None:
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.prom"
    secret.write_text("secret 1\n")
    (directory.path / "link.prom").symlink_to(secret)
    os.mkfifo(directory.path / "pipe.prom")  # opened for reading it would wait for a writer
    (directory.path / "folder.prom").mkdir()
    (directory.path / "dangling.prom").symlink_to("nowhere")
    directory.write("good.prom", "a 1\n")
    found = directory.look()
    assert found["good.prom"]["a"] == 1.0
    assert not any("secret" in values for values in found.values())
    told = directory.told()
    assert {name: one["error"] for name, one in told.items() if one["error"]} == dict.fromkeys(
        ["link.prom", "pipe.prom", "folder.prom", "dangling.prom"], "not a regular file"
    )


def test_a_file_that_goes_leaves_a_gap_and_comes_back_to_its_place(directory: Directory) -> None:
    directory.write("x.prom", "a 1\n")
    before = [frame.source.hash for frame in directory.assembly.frames(Tick(0, 0.0))]
    (directory.path / "x.prom").unlink()
    assert all(map(isnan, directory.look()["x.prom"].values()))
    assert directory.look().keys() == {""}
    directory.write("x.prom", "a 2\n")
    assert [frame.source.hash for frame in directory.assembly.frames(Tick(0, 0.0))] == before


def test_no_directory_means_that_nobody_leaves_anything(tmp_path: Path) -> None:
    assert Directory(tmp_path / "none").look() == {}


def test_too_many_files_and_series_have_an_end(directory: Directory, tmp_path: Path) -> None:
    for number in range(MOST_FILES + 20):
        directory.write(f"{number:03}.prom", "a 1\n")
    assert len(directory.look()) == MOST_FILES + 1
    told = directory.told()
    assert (
        told[str(tmp_path)]["error"]
        == f"more than {MOST_FILES} files; 100.prom and those after it are not read"
    )
    small = Directory(tmp_path, max_series=50)
    assert sum(len(values) for file, values in small.look().items() if file) == 50


def test_hostile_names_are_made_harmless(directory: Directory) -> None:
    directory.write("\x1b[31m\n.prom", "a 1\n")
    assert directory.look().keys() == {"", "\ufffd[31m\ufffd.prom"}
