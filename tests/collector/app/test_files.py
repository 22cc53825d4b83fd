"""The private files of the data folder: made once, readable by their owner alone, kept over restarts."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire.keys import private_bytes
from pudim_collector.app.keys import (
    COMMAND_FILE,
    FILE_NAME,
    RELEASE_FILE,
    collector_key,
    command_key,
    key_ring,
    release_key,
)
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings
from pudim_collector.app.up import ACCESS_FILE, Access, _access, take_access, write_access
from pudim_collector.infra.key_ring import KeyRing
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileForeignError,
    KeyFileMissingError,
    KeyFileOpenError,
    KeyFolderOpenError,
    create_private,
)

MAKE_KEY = """
import sys
from pathlib import Path
from pudim.wire.keys import private_bytes
from pudim_collector.app.keys import collector_key
sys.stdin.readline()
print(private_bytes(collector_key(Path(sys.argv[1]))).hex())
"""
Load = Callable[[Path], Ed25519PrivateKey]
KEYS = [(FILE_NAME, collector_key), (RELEASE_FILE, release_key), (COMMAND_FILE, command_key)]
ACCESS = Access("http://127.0.0.1:8460", None, "pud_pat_x")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture(autouse=True)
def lax_umask() -> object:
    previous = os.umask(0)
    yield
    os.umask(previous)


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    first = private_bytes(collector_key(folder))
    assert private_bytes(collector_key(folder)) == first
    assert mode(folder / FILE_NAME) == 0o600
    assert mode(folder) == 0o700
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_a_race_of_processes_makes_one_key(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE_KEY, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(b"\n")
        racer.stdin.flush()
    made = {racer.communicate(timeout=60)[0] for racer in racers}
    assert made == {private_bytes(collector_key(tmp_path)).hex().encode() + b"\n"}
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


async def test_a_race_of_threads_makes_one_key(tmp_path: Path) -> None:
    made = await asyncio.gather(*(asyncio.to_thread(collector_key, tmp_path) for _ in range(8)))
    assert len({private_bytes(key) for key in made}) == 1


def test_what_a_killed_start_left_behind_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container every start has the same process id."""
    (tmp_path / f"{FILE_NAME}.{os.getpid()}").write_bytes(b"half")
    assert private_bytes(collector_key(tmp_path)) == (tmp_path / FILE_NAME).read_bytes()


@pytest.mark.parametrize("content", [b"", b"s" * 31, b"s" * 33])
@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_damaged_key_is_refused_and_never_replaced(
    tmp_path: Path, name: str, key: Load, content: bytes
) -> None:
    create_private(tmp_path / name, content)
    with pytest.raises(KeyFileDamagedError, match=name):
        key(tmp_path)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, name: str, key: Load) -> None:
    key(tmp_path)
    (tmp_path / name).chmod(0o640)
    with pytest.raises(KeyFileOpenError, match="0640"):
        key(tmp_path)


@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_in_a_folder_that_others_may_write_into_is_refused(
    tmp_path: Path, name: str, key: Load
) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(KeyFolderOpenError):
        key(tmp_path)
    assert not (tmp_path / name).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
@pytest.mark.parametrize(("name", "key"), KEYS)
def test_a_key_of_another_account_is_refused(tmp_path: Path, name: str, key: Load) -> None:
    key(tmp_path)
    os.chown(tmp_path / name, 65_534, 65_534)
    with pytest.raises(KeyFileForeignError):
        key(tmp_path)


def test_a_ring_from_elsewhere_is_used_and_never_made(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    elsewhere = tmp_path / "credentials" / "keys"
    settings = Settings(tmp_path / "data", secret_keys_file=elsewhere)
    with pytest.raises(KeyFileMissingError):
        key_ring(settings, now)
    made = KeyRing.made(elsewhere, now)
    assert key_ring(settings, now).active == made.active
    assert not settings.data_dir.exists()


async def test_a_start_with_an_open_key_says_so(empty_database: str, tmp_path: Path) -> None:
    command_key(tmp_path)
    (tmp_path / COMMAND_FILE).chmod(0o644)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pudim.cli", "serve", "--data-dir", str(tmp_path), "--port", "1"),
        env=os.environ | {"PUDIM_DATABASE_URL": empty_database},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert f"{tmp_path / COMMAND_FILE} has mode 0644" in said.decode()
    assert "Traceback" not in said.decode()


def test_the_access_file_is_private_whatever_lay_there(tmp_path: Path) -> None:
    path = tmp_path / ACCESS_FILE
    for open_file in (path, path.with_suffix(".new")):
        open_file.write_text("{}")
        open_file.chmod(0o666)
    write_access(path, ACCESS)
    assert mode(path) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [ACCESS_FILE]
    assert take_access(path) == ACCESS
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"url":1}', b"\xff", b'{"url":"\xff"}', b"[" * 5000])
def test_an_access_file_that_makes_no_sense_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ACCESS_FILE).write_bytes(text)
    assert take_access(tmp_path / ACCESS_FILE) is None
    assert take_access(tmp_path / ACCESS_FILE) is None


async def test_the_token_is_kept_over_restarts_while_it_works(runtime: Runtime) -> None:
    first = await _access(runtime, None)
    assert first.setup_url
    assert first.setup_url.startswith(f"{runtime.settings.url}/setup/")
    second = await _access(runtime, first)
    assert second.api_token == first.api_token
    assert second.setup_url != first.setup_url
    principal = await runtime.tokens.by_token(first.api_token)
    assert principal
    await runtime.tokens.revoke(principal, principal.id)
    third = await _access(runtime, second)
    assert third.api_token != first.api_token
    assert await runtime.tokens.by_token(third.api_token)
