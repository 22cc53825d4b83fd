"""What takes long never holds up who asks for its last answer, and a program has an end."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path

import pytest

from pudim_agent.programs import Output, TooMuchOutput, find, output_of
from pudim_agent.slow import Slow, in_thread


class Source:
    """Gives what it is told, one after the other."""

    def __init__(self, *answers: str | BaseException) -> None:
        self.answers = list(answers)

    async def __call__(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


async def test_an_answer_is_good_for_three_periods() -> None:
    slow = Slow("source", Source("one"), 10.0)
    assert slow.latest(0.0) is None
    await slow.refresh()
    assert [slow.latest(at) for at in (5.0, 35.0, 35.1)] == ["one", "one", None]


async def test_failing_leaves_the_last_answer_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    source = Source("one", OSError("gone"), OSError("gone"), "two", OSError("gone"))
    slow = Slow("source", source, 10.0)
    with caplog.at_level(logging.WARNING):
        for expected in ("one", "one", "one", "two", "two"):
            await slow.refresh()
            assert slow.latest(0.0) == expected
    assert caplog.text.count("source: OSError: gone") == 2


async def test_it_asks_again_and_again() -> None:
    slow = Slow("source", source := Source(*"abc", asyncio.CancelledError()), 0.0)
    with pytest.raises(asyncio.CancelledError):
        await slow.run()
    assert source.answers == []
    assert slow.latest(0.0) == "c"


async def test_a_thread_gives_its_answer_or_its_failure() -> None:
    assert await in_thread(lambda: threading.current_thread().name) == "slow"

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await in_thread(fail)


async def test_nobody_minds_an_answer_that_comes_too_late() -> None:
    release = threading.Event()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(in_thread(lambda: release.wait(10)), 0.01)
    release.set()
    await asyncio.sleep(0.05)


def write(path: Path, body: str) -> str:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_a_programs_output_and_status(tmp_path: Path) -> None:
    program = write(tmp_path / "say", 'echo "$1"; echo "$HOME" >&2; exit 3')
    assert await output_of(program, "$(id) `id`", patience=10, most=100) == Output(3, b"$(id) `id`\n")


async def test_a_program_sees_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUDIM_SECRET", "x")
    found = await output_of(write(tmp_path / "env", "exec env"), patience=10, most=10_000)
    assert b"PUDIM" not in found.text


async def test_a_program_that_says_too_much(tmp_path: Path) -> None:
    program = write(tmp_path / "yes", "exec yes")
    with pytest.raises(TooMuchOutput):
        await output_of(program, patience=10, most=1000)


async def test_a_program_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    children = tmp_path / "children"
    program = write(tmp_path / "hang", f"sleep 600 & echo $! > {children}; wait")
    with pytest.raises(asyncio.TimeoutError):
        await output_of(program, patience=0.5, most=1000)
    child = Path("/proc") / children.read_text().strip() / "stat"
    deadline = time.monotonic() + 10
    while child.exists() and b") Z " not in child.read_bytes() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not child.exists() or b") Z " in child.read_bytes()


async def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Permission|No such"):
        await output_of(str(tmp_path / "none"), patience=1, most=1)


def test_programs_are_looked_for_in_named_places_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "smartctl", "")
    assert find("smartctl", str(tmp_path)) == str(tmp_path / "smartctl")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find("smartctl", "/nowhere") is None
