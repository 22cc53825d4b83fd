"""The list of leading processes: what it says, when it is told, and what it costs on a host with thousands."""

from __future__ import annotations

import os
import subprocess
import sys
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from pudim.wire.codec import unpack
from pudim.wire.messages import MAX_NOTICE_BYTES
from pudim_agent import samplers as port
from pudim_agent.process_details import ProcessDetails, UserNames
from pudim_agent.samplers import Host, Tick
from pudim_agent.samplers import process as module
from tests.agent.hosts import look, make

HERTZ = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGESIZE")


def add(
    proc: Path, pid: int, *, name: str = "app", ticks: int = 0, pages: int = 10, cmdline: bytes = b"app\0"
) -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    rest = f"S 1 1 1 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 1 0 {pid} 1000000 {pages}"
    (folder / "stat").write_text(f"{pid} ({name}) {rest} 0 0\n", encoding="utf-8")
    (folder / "cmdline").write_bytes(cmdline)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    found = tmp_path / "proc"
    found.mkdir()
    (found / "stat").write_text("cpu 1 2 3 4\nbtime 1700000000\nprocesses 9\n", encoding="utf-8")
    return found


@pytest.fixture
def on(proc: Path) -> Host:
    return Host(proc=str(proc))


def own_name() -> str:
    names = UserNames("/etc/passwd")
    names.look_again()
    return names.name(os.geteuid())


def told(on: Host) -> dict[str, Any]:
    messages = [unpack(message) for _, message in on.notices.since(0)]
    found = [one for one in messages if "processes" in one]
    return next(part for part in found[-1] if isinstance(part, dict))


def times_told(on: Host) -> int:
    return max((number for number, _ in on.notices.since(0)), default=0)


def test_what_is_told_of_a_process(on: Host, proc: Path) -> None:
    command = b"/opt/shop\0--port\x008000\0"
    add(proc, 100, name="shop", ticks=5, pages=7, cmdline=command)
    processes = make("process", on)
    look(processes, 0)
    add(proc, 100, name="shop", ticks=5 + 5 * HERTZ, pages=7, cmdline=command)
    look(processes, 40)
    (one,) = told(on)["cpu"]
    assert one == {
        "pid": 100,
        "name": "shop",
        "command": "/opt/shop --port 8000",
        "user": own_name(),
        "cpu": 0.125,
        "memory": 7 * PAGE,
        "threads": 1,
        "started": 1_700_000_000_000 + 100 * 1000 // HERTZ,
    }
    assert told(on)["memory"][0]["pid"] == 100


def test_secrets_do_not_leave_the_host(on: Host, proc: Path) -> None:
    add(proc, 100, cmdline=b"/opt/shop\0--password\0hunter2\0--port\x008000\0")
    look(make("process", on), 0)
    assert told(on)["memory"][0]["command"] == "/opt/shop --password *** --port 8000"


def test_a_secret_that_is_cut_is_left_out(on: Host, proc: Path) -> None:
    secret = "Zq8fT3vN1xR7wB5kL9mD2hJ6" * 20
    add(proc, 100, cmdline=b"app\0" + f"--token={secret}\0".encode() * 2 + b"\0" * 40 + b"Zq8fT3v" * 5)
    look(make("process", on), 0)
    assert told(on)["memory"][0]["command"].rstrip() == "app --token=*** --token=***"


def test_command_lines_can_be_kept_at_home(on: Host, proc: Path) -> None:
    add(proc, 100, cmdline=b"/opt/shop\0")
    look(make("process", on, command_lines=False), 0)
    assert told(on)["memory"][0]["command"] == ""


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", ""),
        (b"\0\0", ""),
        (b"a\0b\0", "a b"),
        (b"\xff\x1b[31m\0", "\ufffd\ufffd[31m"),
        (b"x\n" * 100_000, "x\ufffd" * 128),
        (b"nginx: worker process", "nginx: worker process"),
    ],
)
def test_a_command_line_may_hold_anything(on: Host, proc: Path, raw: bytes, shown: str) -> None:
    add(proc, 100, cmdline=raw)
    look(make("process", on), 0)
    assert told(on)["memory"][0]["command"] == shown


def test_it_is_told_twice_a_minute_and_at_every_tick_while_somebody_watches(on: Host, proc: Path) -> None:
    add(proc, 100)
    processes = make("process", on)
    counts = []
    for step, second in enumerate([0, 10, 20, 30, 40, 41, 42, 52]):
        add(proc, 100, pages=10 + step)  # each time something new
        list(processes.sample(Tick(second * 1000, float(second))))
        counts.append(times_told(on))
    assert counts == [1, 1, 1, 2, 2, 3, 4, 4]


def test_the_leaders_among_processes_are_not_those_among_names(on: Host, proc: Path) -> None:
    for pid in range(100, 150):
        add(proc, pid, name="small", pages=10)
    add(proc, 200, name="large", pages=100)
    look(make("process", on, top=1), 0)
    assert [one["pid"] for one in told(on)["memory"]] == [200]


def test_a_number_given_to_another_process_is_not_told_as_the_old_one(on: Host, proc: Path) -> None:
    add(proc, 100, pages=1000)
    add(proc, 101, name="other")
    processes = make("process", on, top=1)
    look(processes, 0)
    look(processes, 10)
    path = proc / "100" / "stat"
    path.write_text(path.read_text().replace(" 0 100 1000000 ", " 0 999 1000000 "))
    look(processes, 45)
    assert [one["pid"] for one in told(on)["memory"]] == [101]


def test_the_longest_list_fits_in_a_notice(on: Host, proc: Path) -> None:
    for pid in range(1000, 1200):
        add(proc, pid, name="\u20ac" * 5, cmdline="\u20ac".encode() * 2000)
    processes = make("process", on, top=50)
    look(processes, 0)
    for pid in range(1000, 1100):
        add(proc, pid, name="\u20ac" * 5, ticks=pid, pages=1)
    look(processes, 60)
    (message,) = [message for _, message in on.notices.since(0)]
    assert len(told(on)["cpu"]) == len(told(on)["memory"]) == 50
    assert len(message) < MAX_NOTICE_BYTES


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the sampler reads."""
    paths: list[str] = []

    def noted(path: str) -> bytes:
        paths.append(path)
        return port.read(path)

    monkeypatch.setattr(module, "read", noted)
    return paths


def test_no_tick_reads_them_all_where_there_are_thousands(on: Host, proc: Path, reads: list[str]) -> None:
    for pid in range(1, 3501):
        add(proc, pid, name=f"app{pid % 40}")
    processes = make("process", on)
    costs, counts = [], []
    for second in range(0, 120, 10):
        before = len(reads)
        found = look(processes, float(second))
        costs.append(len(reads) - before)
        counts.append(found.get("system.process.count{sleeping}"))
    assert max(costs) <= 2 * module._READS_A_TICK + 2 * processes._config.top
    assert counts[:3] == [None] * 3  # not counted yet is no series, never zero
    assert counts[3:] == [3500] * 9


def test_a_crowd_of_one_name_is_read_in_turns(on: Host, proc: Path, reads: list[str]) -> None:
    for pid in range(1, 2501):
        add(proc, pid, name="php-fpm")
    processes = make("process", on)
    for second in (0, 10, 20, 30, 40, 50, 60):
        look(processes, float(second))
    for pid in range(1, 2501):
        add(proc, pid, name="php-fpm", ticks=HERTZ)
    found = [look(processes, float(second)) for second in (70, 80, 90, 100)]
    assert found[-1]["process.count{php-fpm}"] == 2500
    assert all(not isnan(one["process.cpu.utilization{php-fpm}"]) for one in found)
    assert {path.split("/")[-2] for path in reads[-4000:]} == {str(pid) for pid in range(1, 2501)}


def test_the_busy_are_found_at_the_end_of_a_walk(on: Host, proc: Path) -> None:
    add(proc, 100, name="lazy", pages=1000)
    add(proc, 101, name="busy", pages=1)
    processes = make("process", on, top=1)
    for second in (0, 10):
        look(processes, float(second))
    for minute in range(1, 4):
        add(proc, 100, name="lazy", pages=1000, ticks=minute)
        add(proc, 101, name="busy", pages=1, ticks=minute * 10 * HERTZ)
        found = look(processes, 10.0 + 60 * minute)
        assert found["process.cpu.utilization{busy}"] > 0
        assert [one["pid"] for one in told(on)["cpu"]] == [101]


def test_names_come_from_the_file_and_follow_it(tmp_path: Path) -> None:
    path = tmp_path / "passwd"
    path.write_bytes(
        b"root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\nbroken\nno:x:number:\n\x1b:x:7:7::/:\n"
    )
    names = UserNames(str(path))
    names.look_again()
    assert [names.name(uid) for uid in (0, 7, 1234)] == ["root", "\ufffd", "1234"]
    path.write_bytes(b"shop:x:1234:1::/:/bin/sh\n")
    names.look_again()
    assert [names.name(uid) for uid in (0, 1234)] == ["0", "shop"]
    path.unlink()
    names.look_again()
    assert names.name(1234) == "1234"


def test_a_real_process_and_its_command_line() -> None:
    """This host's own /proc: a child with a secret in its arguments."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", code, "--token", "hunter2"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()  # it is itself now, and no copy of this process any more
        details = ProcessDetails("/proc")
        details.look_again()
        found = details.of(child.pid, 1, "python")
        assert "--token ***" in found.command
        assert "hunter2" not in found.command
        assert found.user == own_name()
