"""Processes that this test starts, found by name and command line; and a host that lets none be read."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pudim.checks import Status
from pudim.checks.process import COUNT
from tests.shared.checks.places import around, found

LONG = "a-program-with-a-long-name"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A process under a name of more than the 15 characters that the kernel keeps."""
    copy = tmp_path_factory.mktemp("bin") / LONG
    shutil.copy("/bin/sleep", copy)
    running = subprocess.Popen([copy, "600.125"])
    yield str(copy)
    running.kill()
    running.wait()


async def test_by_name_and_by_command_line(program: str) -> None:
    for settings in (
        {"name": LONG},
        {"name": "a-program-with*"},
        {"name": LONG[:15]},
        {"command": f"{program} 600.125"},
        {"command": "*600.125"},
        {"name": LONG, "command": "*600*"},
    ):
        outcome = await found("process", **settings)
        assert (outcome.status, outcome.figures[COUNT]) == (Status.UP, 1), settings


async def test_too_few_and_too_many(program: str) -> None:
    few = await found("process", name=LONG, least=2)
    assert (few.status, few.code, few.figures[COUNT]) == (Status.DOWN, "too_few", 1)
    none = await found("process", name="no-such-program")
    assert (none.status, none.figures[COUNT]) == (Status.DOWN, 0)
    many = await found("process", name=LONG, least=0, most=0)
    assert (many.status, many.code) == (Status.DOWN, "too_many")


@pytest.fixture
def zombie(tmp_path: Path) -> Iterator[str]:
    """The name of a process that has ended and that nobody has waited for."""
    copy = tmp_path / "pudim-zombie"
    shutil.copy("/bin/true", copy)
    dead = subprocess.Popen([copy])
    while Path(f"/proc/{dead.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    yield copy.name
    dead.wait()


async def test_a_dead_process_does_not_run(zombie: str) -> None:
    assert (await found("process", name=zombie, least=0)).figures[COUNT] == 0


async def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    for pid, stat in enumerate((b"1 (x) R (evil) S 1", b"2 (\xff\n) S 1", b"broken", b"", b"5 (y) Z 1"), 1):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_bytes(stat)
    where = around(proc=str(tmp_path))
    assert (await found("process", where, name="x) R (evil")).figures[COUNT] == 1
    assert (await found("process", where, name="*", least=0)).figures[COUNT] == 2


async def test_where_processes_cannot_be_read_it_is_unknown(tmp_path: Path) -> None:
    outcome = await found("process", around(proc=str(tmp_path / "none")), name="x")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "not_available")
