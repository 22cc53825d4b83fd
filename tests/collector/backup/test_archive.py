"""A backup's file is whole or it says what is not."""

import os
import stat
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.app.backup.archive import (
    FORMAT,
    BackupExists,
    DamagedBackup,
    Manifest,
    NewerBackup,
    Table,
    new_archive,
    open_archive,
    read_whole,
)

ROWS = [bytes([number]) * 40_000 for number in range(100)]
BLOCKS = b"".join(bytes((number * 7919 + place) % 251 for place in range(5000)) for number in range(20))


def never() -> None:
    """Nobody ends it."""


def written(path: Path, version: int = FORMAT) -> Manifest:
    with new_archive(path, never) as archive:
        tables = []
        for name, blocks in (("rows", ROWS), ("blocks", [BLOCKS])):
            size, digest = archive.add(f"tables/{name}.copy", blocks, compressed=name == "rows")
            tables.append(Table(name, ["a"], f"tables/{name}.copy", len(blocks), size, digest))
        manifest = Manifest(
            version, datetime(2026, 5, 4, tzinfo=UTC), "1", "18", None, "partitions", [], [], {}, tables, []
        )
        archive.finish(manifest)
    return manifest


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    manifest = written(path)
    assert read_whole(path, never) == manifest
    with open_archive(path, never) as reader:
        table = reader.manifest.tables[0]
        assert b"".join(reader.blocks(table.member, table.sha256)) == b"".join(ROWS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["backup"]
    assert path.stat().st_size < manifest.tables[0].bytes


def test_no_backup_is_written_over_another(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    path.write_text("mine")
    with pytest.raises(BackupExists):
        written(path)
    assert path.read_text() == "mine"


def test_who_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    left = 3

    def stopped() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_archive(tmp_path / "backup", stopped) as archive:
        archive.add("tables/rows.copy", ROWS * 10, compressed=False)
    assert list(tmp_path.iterdir()) == []


def test_another_starts_anew_where_one_was_killed(tmp_path: Path) -> None:
    left = tmp_path / f".backup.{os.getpid()}.part"
    left.write_bytes(b"by a process that had this id")
    left.chmod(0o644)
    written(tmp_path / "backup")
    assert read_whole(tmp_path / "backup", never).tables
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.9999), st.integers(1, 255))
def test_a_changed_byte_is_noticed(tmp_path: Path, place: float, change: int) -> None:
    """Where it means anything: a zip has a few bytes, as a file's time, that change nothing of what is inside."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    if not good.exists():
        written(good)
    content = bytearray(good.read_bytes())
    content[int(place * len(content))] ^= change
    bad.write_bytes(content)
    try:
        manifest = read_whole(bad, never)
    except (DamagedBackup, NewerBackup):
        return
    assert manifest == read_whole(good, never)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99, 0.9999])
def test_a_file_that_was_cut_short_is_no_backup(tmp_path: Path, share: float) -> None:
    path = tmp_path / "backup"
    written(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedBackup):
        read_whole(path, never)


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    written(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(BLOCKS[1000:1010], b"0123456789", 1))
    with pytest.raises(DamagedBackup, match=r"tables/blocks\.copy"):
        read_whole(path, never)


def test_a_member_that_is_missing_is_named(tmp_path: Path) -> None:
    manifest = written(tmp_path / "whole")
    with zipfile.ZipFile(tmp_path / "part", "w") as archive:
        archive.writestr("manifest.json", msgspec.json.encode(manifest))
    with pytest.raises(DamagedBackup, match=r"tables/rows\.copy"):
        read_whole(tmp_path / "part", never)


def test_strangers_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("hello", "world")
    (tmp_path / "text").write_text("hello")
    for name in ("zip", "text", "nothing"):
        with pytest.raises(DamagedBackup):
            read_whole(tmp_path / name, never)


def test_a_newer_format_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(NewerBackup):
        written(tmp_path / "backup", FORMAT + 1)
