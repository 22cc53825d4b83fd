"""The keys in a backup under a passphrase: without it there are none, and with a wrong one nothing is made."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import psycopg
import pytest

from pudim_collector.app.backup.archive import DamagedBackup, NewerBackup, open_archive, read_whole
from pudim_collector.app.backup.locking import (
    MEMORY_COST,
    Lock,
    Locker,
    PassphraseLengthError,
    PassphraseNeededError,
    StrangeLockError,
    WrongPassphraseError,
    read_passphrase,
)
from pudim_collector.app.backup.operations import back_up, restore
from pudim_collector.app.backup.taking import KEY_FILES
from pudim_collector.app.key_rotation import make_successor
from pudim_collector.app.key_succession import COLLECTOR
from pudim_collector.app.keys import collector_key, command_key, release_key
from pudim_collector.app.settings import Settings
from pudim_collector.infra.private_files import KeyFileMissingError, KeyFileOpenError
from tests.collector.backup.test_round_trip import another_database, never, said, target

__all__ = ["another_database", "target"]
RIGHT = b"correct horse battery staple"
CHEAP = Lock("00" * 16, 1 << 14)


@pytest.fixture
async def whole(filled: Settings) -> Settings:
    """A data folder with every kind of key, and a successor that waits."""
    for make in (collector_key, command_key, release_key):
        make(filled.data_dir)
    make_successor(filled, again=False)
    return filled


@pytest.fixture
async def locked(whole: Settings, tmp_path: Path) -> Path:
    path, _ = await back_up(whole, tmp_path / "backup", said, RIGHT)
    return path


def keys_of(data_dir: Path) -> dict[str, bytes]:
    return {name: (data_dir / name).read_bytes() for name in KEY_FILES if (data_dir / name).exists()}


def damage(whole: Path, damaged: Path) -> None:
    """One bit of the collector's key."""
    content = bytearray(whole.read_bytes())
    with zipfile.ZipFile(whole) as archive:
        content[content.index(archive.read("files/collector.key"))] ^= 1
    damaged.write_bytes(content)


async def test_no_key_can_be_read_out_of_the_file(whole: Settings, locked: Path) -> None:
    keys = keys_of(whole.data_dir)
    assert COLLECTOR.next_file in keys
    with zipfile.ZipFile(locked) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for secret in keys.values():
        assert all(secret not in content for content in members.values())
    for secret in (RIGHT, RIGHT.hex().encode()):
        assert all(secret not in content for content in members.values())


async def test_the_right_passphrase_brings_all_keys_back(
    whole: Settings, locked: Path, target: Settings
) -> None:
    told: list[str] = []
    await restore(target, locked, told.append, RIGHT)
    assert keys_of(target.data_dir) == keys_of(whole.data_dir)
    assert all((target.data_dir / name).stat().st_mode & 0o777 == 0o600 for name in keys_of(target.data_dir))
    assert "1 secrets, 0 of them do not open." in told


@pytest.mark.parametrize(
    ("passphrase", "no"), [(None, PassphraseNeededError), (RIGHT[:-1] + b"x", WrongPassphraseError)]
)
async def test_without_it_nothing_is_made(
    locked: Path, target: Settings, passphrase: bytes | None, no: type[Exception]
) -> None:
    with pytest.raises(no):
        await restore(target, locked, said, passphrase)
    assert not target.data_dir.exists()
    with psycopg.connect(str(target.database_url)) as connection:
        (tables,) = connection.execute(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchone() or (None,)
    assert tables == 0


async def test_a_locked_backup_can_be_checked_without_the_passphrase(locked: Path, tmp_path: Path) -> None:
    assert read_whole(locked, never).format == 2
    damage(locked, tmp_path / "damaged")
    with pytest.raises(DamagedBackup):
        read_whole(tmp_path / "damaged", never)


async def test_a_backup_without_a_lock_is_read_by_older_versions_and_the_other_is_not(
    whole: Settings, locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = await back_up(whole, tmp_path / "open", said)
    monkeypatch.setattr("pudim_collector.app.backup.archive.FORMAT", 1)
    with open_archive(path, never) as reader:
        assert (reader.manifest.format, reader.manifest.lock) == (1, None)
    with pytest.raises(NewerBackup), open_archive(locked, never):
        pass


def test_a_file_opens_in_its_own_place_only() -> None:
    locker = Locker(CHEAP, RIGHT)
    locked = locker.lock("collector.key", b"secret")
    assert locker.open("collector.key", locked) == b"secret"
    assert locker.lock("collector.key", b"secret") != locked
    elsewhere = Locker(Lock("11" * 16, 1 << 14), RIGHT)
    for opener, path, content in (
        (locker, "command.key", locked),
        (elsewhere, "collector.key", locked),
        (locker, "collector.key", locked[:-1] + bytes([locked[-1] ^ 1])),
        (locker, "collector.key", locked[:5]),
        (locker, "collector.key", b""),
    ):
        with pytest.raises(WrongPassphraseError):
            opener.open(path, content)


def test_each_backup_has_a_salt_of_its_own_and_guessing_costs() -> None:
    one, two = Lock.fresh(), Lock.fresh()
    assert one.salt != two.salt
    assert one.memory_cost == MEMORY_COST >= 1 << 17


@pytest.mark.parametrize(
    "lock",
    [
        Lock("00" * 16, 1 << 30),
        Lock("00" * 16, 1 << 10),
        Lock("00" * 16, (1 << 17) + 1),
        Lock("00" * 16, -1),
        Lock("00", 1 << 17),
        Lock("x", 1 << 17),
    ],
)
def test_a_lock_that_would_cost_everything_or_nothing_is_refused(lock: Lock) -> None:
    with pytest.raises(StrangeLockError):
        Locker(lock, RIGHT)


def test_a_passphrase_is_the_first_line_of_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    for content in (RIGHT, RIGHT + b"\n", RIGHT + b"\r\n", RIGHT + b"\nmore\n"):
        path.write_bytes(content)
        path.chmod(0o600)
        assert read_passphrase(str(path)) == RIGHT
    for content in (b"", b"\n", b"too short\n", b"x" * 1025):
        path.write_bytes(content)
        with pytest.raises(PassphraseLengthError):
            read_passphrase(str(path))
    path.chmod(0o644)
    with pytest.raises(KeyFileOpenError):
        read_passphrase(str(path))
    with pytest.raises(KeyFileMissingError):
        read_passphrase(str(tmp_path / "none"))


def test_it_comes_by_standard_input_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RIGHT + b"\n")))
    assert read_passphrase("-") == RIGHT


async def test_on_the_command_line(whole: Settings, locked: Path, tmp_path: Path) -> None:
    """A wrong one is told by a sentence, and the folder stays as it was: not there."""
    folder = tmp_path / "new"
    words = ["admin", "restore", "--data-dir", str(folder), "--passphrase-file", "-", str(locked)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pudim.cli", *words), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, told = await process.communicate(b"another passphrase\n")
    assert process.returncode == 1
    assert b"do not open with this passphrase" in told
    assert b"Traceback" not in told
    assert not folder.exists()
    assert (
        msgspec.json.decode(zipfile.ZipFile(locked).read("manifest.json"))["lock"]["memory_cost"] == 1 << 17
    )
