"""What a list of processes says of each: whose it is, since when, and its command line without secrets."""

from __future__ import annotations

import os
from typing import NamedTuple

from pudim_agent.redaction import redact
from pudim_agent.samplers import read
from pudim_agent.text import printable

_LONGEST_COMMAND = 256
_READ_BYTES = 1024  # a command line may have megabytes, and one made for it costs redaction 5 ms a kilobyte
_MOST_REMEMBERED = 1024
_MOST_PASSWD_BYTES = 1 << 20
_HERTZ = os.sysconf("SC_CLK_TCK")


class Details(NamedTuple):
    command: str
    user: str


class ProcessDetails:
    """Remembers what does not change while a process lives, so that a list of a second ago costs nothing."""

    def __init__(self, proc: str, *, command_lines: bool = True, passwd: str = "/etc/passwd") -> None:  # noqa: S107 - a path
        self._proc, self._command_lines = proc, command_lines
        self._users = UserNames(passwd)
        self._known: dict[tuple[int, int, str], Details] = {}
        self._boot_ms: int | None = None

    def of(self, pid: int, started: int, name: str) -> Details:
        """`name` changes when it executes another program, whose command line is another. Raises OSError."""
        key = (pid, started, name)
        if key not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            # The directory's owner is the effective user even of a process that may not be dumped, proc(5).
            user = self._users.name(os.stat(f"{self._proc}/{pid}").st_uid)  # noqa: PTH116
            self._known[key] = Details(self._command(pid), user)
        return self._known[key]

    def started_ms(self, ticks: int) -> int | None:
        """The Unix time of a start that is given in clock ticks after boot; to the second, as the kernel tells."""
        return None if self._boot_ms is None else self._boot_ms + ticks * 1000 // _HERTZ

    def look_again(self) -> None:
        """Once in a while: programs may write other command lines, users get names, the clock was set."""
        self._known.clear()
        self._users.look_again()
        self._boot_ms = _boot_ms(self._proc)

    def _command(self, pid: int) -> str:
        if not self._command_lines:
            return ""
        raw = _beginning(f"{self._proc}/{pid}/cmdline")
        if len(raw) == _READ_BYTES and b"\0" in raw:
            raw = raw[: raw.rindex(b"\0")]  # of a cut secret the rest might not look like one
        raw = raw.rstrip(b"\0")
        text = redact([part.decode(errors="replace") for part in raw.split(b"\0")])
        return printable(text.encode(errors="replace"), _LONGEST_COMMAND) if text else ""


class UserNames:
    """Names out of the file alone: the system's own lookup may ask a directory over the network and wait for it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._names: dict[int, str] = {}

    def name(self, uid: int) -> str:
        """The number where the file has no name for it."""
        return self._names.get(uid) or str(uid)

    def look_again(self) -> None:
        try:
            found = os.stat(self._path)  # noqa: PTH116
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._stamp and found.st_size <= _MOST_PASSWD_BYTES:
                self._stamp, self._names = stamp, _names(read(self._path))
        except OSError:
            self._stamp, self._names = None, {}


def _names(text: bytes) -> dict[int, str]:
    """`name:password:uid:...`, passwd(5). The first of two with one number has it, as for getpwuid(3)."""
    found: dict[int, str] = {}
    for line in text.splitlines():
        name, *rest = line.split(b":", 3)
        if len(rest) > 1 and rest[1].isdigit():
            found.setdefault(int(rest[1]), printable(name))
    return found


def _boot_ms(proc: str) -> int | None:
    try:
        _, found, rest = read(f"{proc}/stat").partition(b"\nbtime ")
        return int(rest.split(None, 1)[0]) * 1000 if found else None
    except (OSError, ValueError, IndexError):
        return None


def _beginning(path: str) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(handle, _READ_BYTES)
    finally:
        os.close(handle)
