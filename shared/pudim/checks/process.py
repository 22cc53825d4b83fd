"""Counts the processes of a name or command line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pudim.checks import Down, Figure, Outcome, Status, Surroundings, Unknown, checks, setting

COUNT = Figure("pudim.check.process.count")
_LONGEST_COMM = 15  # TASK_COMM_LEN of the kernel, less its NUL
_LONGEST_COMMAND = 4096
_AT_A_TIME = 64
"""Processes that are looked at before others get their turn."""
_GONE = frozenset({b"Z", b"X"})


@dataclass(frozen=True)
class ProcessConfig:
    name: str = setting("Name", "The program's name; * stands for anything.", "", longest=256)
    command: str = setting(
        "Command line", "What it must be in whole; * stands for anything.", "", longest=512
    )
    least: int = setting("At least", "So many must run.", 1, low=0, high=1_000_000)
    most: int = setting("At most", "More are too many.", 1_000_000, low=0, high=1_000_000)


@checks.register("process")
class Process:
    Config = ProcessConfig
    title = "Process"
    help = "Asks whether enough processes of a name or command line run on this server."
    figures = (COUNT,)
    silence = Status.UNKNOWN

    def __init__(self, config: ProcessConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: ProcessConfig) -> Iterable[tuple[str, str]]:
        if not config.name and not config.command:
            yield "name", "is needed, or a command line"
        if config.least > config.most:
            yield "most", "must not be less than the least"

    async def run(self, around: Surroundings, _timeout: float) -> Outcome:
        started = around.timer()
        count = 0
        for number, pid in enumerate(_pids(around.proc)):
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            count += self._is_meant(f"{around.proc}/{pid}")
        figures = {COUNT: float(count)}
        words = f"{count} process{'' if count == 1 else 'es'}"
        if count < self._config.least:
            raise Down("too_few", f"{words}, at least {self._config.least} must run", figures)
        if count > self._config.most:
            raise Down("too_many", f"{words}, at most {self._config.most} may run", figures)
        return Outcome(Status.UP, around.timer() - started, words, figures=figures)

    def _is_meant(self, folder: str) -> bool:
        with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
            stat = _read(f"{folder}/stat")
            opening, closing = stat.index(b"("), stat.rindex(b")")
            if stat[closing + 2 : closing + 3] in _GONE:
                return False
            return self._is_named(folder, stat[opening + 1 : closing]) and self._is_so_called(folder)
        return False

    def _is_named(self, folder: str, comm: bytes) -> bool:
        name = self._config.name
        if not name or fnmatchcase(comm.decode(errors="replace"), name):
            return True
        if len(comm) < _LONGEST_COMM:
            return False
        return fnmatchcase(os.path.basename(_command(folder)[0]), name)  # noqa: PTH119 - no path of ours

    def _is_so_called(self, folder: str) -> bool:
        wanted = self._config.command
        return not wanted or fnmatchcase(" ".join(_command(folder)), wanted)


def _pids(proc: str) -> list[str]:
    try:
        return [name for name in os.listdir(proc) if name.isdigit()]  # noqa: PTH208
    except OSError as error:
        raise Unknown("not_available", f"processes cannot be read here: {error.strerror}") from error


def _command(folder: str) -> list[str]:
    words = _read(f"{folder}/cmdline").rstrip(b"\0").split(b"\0")
    return [word.decode(errors="replace") for word in words]


def _read(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _LONGEST_COMMAND)
    finally:
        os.close(handle)
