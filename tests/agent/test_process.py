"""Processes: who leads, what they are called, and what happens when they vanish or lie."""

from __future__ import annotations

import os
import shutil
from math import isnan
from pathlib import Path

import pytest

from pudim_agent.samplers import Host
from pudim_agent.text import printable
from tests.agent.hosts import host, look, make

PAGE = os.sysconf("SC_PAGESIZE")
HERTZ = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def on(tmp_path: Path) -> Host:
    return host("big", tmp_path)


def spend(on: Host, pid: int, ticks: int) -> None:
    path = Path(on.proc) / str(pid) / "stat"
    head, _, tail = path.read_bytes().rpartition(b")")
    fields = tail.split()
    fields[11] = str(int(fields[11]) + ticks).encode()
    path.write_bytes(head + b") " + b" ".join(fields) + b"\n")


def names(found: dict[str, float]) -> set[str]:
    return {name[len("process.count{") : -1] for name in found if name.startswith("process.count{")}


def test_groups_by_name(on: Host) -> None:
    found = look(make("process", on), 0)
    assert found["process.count{postgres}"] == 2
    assert found["process.memory.usage{postgres}"] == 9000 * PAGE
    assert found["process.thread.count{postgres}"] == 3
    assert isnan(found["process.cpu.utilization{postgres}"])


def test_counts_by_state(on: Host) -> None:
    found = look(make("process", on), 0)
    counts = {name: value for name, value in found.items() if name.startswith("system.process.count")}
    assert counts == {
        "system.process.count{running}": 0,
        "system.process.count{sleeping}": 8,
        "system.process.count{blocked}": 1,
        "system.process.count{stopped}": 0,
        "system.process.count{defunct}": 1,
    }


def test_names_are_made_harmless(on: Host) -> None:
    found = names(look(make("process", on), 0))
    assert {"evil) R 1 (x", "a\ufffdb\ufffd[31m", "\ufffd\ufffd"} <= found
    assert not any("kworker" in name for name in found)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"nginx", "nginx"),
        (b"", "?"),
        (b"\0", "\ufffd"),
        ("caf\u00e9".encode(), "caf\u00e9"),
        (b"a\tb\n", "a\ufffdb\ufffd"),
        ("\u202egnp.exe".encode(), "\ufffdgnp.exe"),  # right-to-left override
        (b"x" * 500, "x" * 128),
        ("\u00e9".encode() * 500, "\u00e9" * 128),
        (b"\xc3", "\ufffd"),
    ],
)
def test_printable(raw: bytes, text: str) -> None:
    assert printable(raw) == text


def test_cpu_between_walks_and_the_share_of_all_cores(on: Host) -> None:
    processes = make("process", on)
    processes._cores = 4
    look(processes, 0)
    look(processes, 10)
    spend(on, 100, 10 * HERTZ)
    spend(on, 101, 5 * HERTZ)
    found = look(processes, 20)
    assert found["process.cpu.utilization{postgres}"] == pytest.approx(1.5 / 4)
    assert look(processes, 30)["process.cpu.utilization{postgres}"] == 0


def test_the_busy_lead_after_the_next_walk(on: Host) -> None:
    processes = make("process", on, top=1)
    look(processes, 0)
    spend(on, 1, HERTZ)
    assert names(look(processes, 10)) == {"postgres", "systemd"}
    spend(on, 200, 50 * HERTZ)
    assert names(look(processes, 20)) == {"postgres", "systemd"}  # not a walk: as before
    assert names(look(processes, 80)) == {"postgres", "evil) R 1 (x"}


def test_a_process_that_ended_counts_no_more(on: Host) -> None:
    processes = make("process", on)
    look(processes, 0)
    look(processes, 10)
    shutil.rmtree(Path(on.proc) / "101")
    found = look(processes, 20)
    assert (found["process.count{postgres}"], found["process.memory.usage{postgres}"]) == (1, 5000 * PAGE)
    shutil.rmtree(Path(on.proc) / "100")
    found = look(processes, 30)
    assert found["process.count{postgres}"] == 0
    assert found["process.cpu.utilization{postgres}"] == 0


def test_a_number_given_to_another_process_is_another_process(on: Host) -> None:
    processes = make("process", on)
    look(processes, 0)
    look(processes, 10)
    path = Path(on.proc) / "101" / "stat"
    path.write_bytes(path.read_bytes().replace(b" 100 1000000 ", b" 999 1000000 "))
    assert look(processes, 20)["process.count{postgres}"] == 1


def test_a_process_that_vanishes_during_the_walk_is_left_out(on: Host) -> None:
    (Path(on.proc) / "4000").mkdir()
    (Path(on.proc) / "4001").mkdir()
    (Path(on.proc) / "4001" / "stat").write_bytes(b"4001 (half")
    assert names(look(make("process", on), 0)) >= {"postgres", "systemd"}


def test_a_program_that_renames_itself_for_ever_does_not_make_a_source_for_each_name(on: Host) -> None:
    processes = make("process", on, walk_seconds=1.0)
    path = Path(on.proc) / "100" / "stat"
    text = path.read_bytes()
    seen: set[str] = set()
    for second in range(600):
        path.write_bytes(text.replace(b"(postgres)", b"(evil%d)" % second))
        seen |= names(look(processes, float(2 * second)))
    assert len(seen) <= 520
    assert "[other]" in seen


def test_the_walk_is_rare(on: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    walks: list[float] = []
    processes = make("process", on)
    walk = processes._begin_walk

    def noted(now: float) -> None:
        walks.append(now)
        walk(now)

    monkeypatch.setattr(processes, "_begin_walk", noted)
    for second in range(0, 200, 10):
        look(processes, float(second))
    assert walks == [0, 10, 70, 130, 190]
