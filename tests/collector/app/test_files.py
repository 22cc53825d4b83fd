"""The private files of the data folder: made once, readable by their owner alone, kept over restarts."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pudim.wire.keys import BadKey, private_bytes
from pudim_collector.app.keys import FILE_NAME, collector_key
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.up import ACCESS_FILE, Access, _access, take_access, write_access

MAKE_KEY = """
import sys
from pathlib import Path
from pudim.wire.keys import private_bytes
from pudim_collector.app.keys import collector_key
sys.stdin.readline()
print(private_bytes(collector_key(Path(sys.argv[1]))).hex())
"""
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


def test_a_broken_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"")
    with pytest.raises(BadKey):
        collector_key(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == b""


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
    principal = await runtime.accounts.by_token(first.api_token)
    assert principal
    await runtime.accounts.revoke_token(principal, principal.id)
    third = await _access(runtime, second)
    assert third.api_token != first.api_token
    assert await runtime.accounts.by_token(third.api_token)
