"""Reads the last lines of a log file that the host's policy names, following no symbolic link to it."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import ClassVar

from pudim_agent.actions import ActionFailed, NotAllowed, Surroundings, actions
from pudim_agent.redaction import redact
from pudim_agent.text import printable
from pudim_agent.unfollowed import NotPlain, is_plain, open_file

_LONGEST_LINE = 2048


class _SeveralNames(OSError):
    """The file has another name too."""


@actions.register("tail_log")
class TailLog:
    seconds: ClassVar[float] = 10.0

    @dataclass(frozen=True)
    class Args:
        path: str
        lines: int = field(default=200, metadata={"low": 1, "high": 5_000})

    @dataclass(frozen=True)
    class Allowed:
        """`files` are absolute paths, in which `*` stands for a part of one name that does not begin with a dot."""

        files: tuple[str, ...]
        max_lines: int = field(default=1_000, metadata={"low": 1, "high": 5_000})
        max_kib: int = field(default=32, metadata={"low": 1, "high": 60})

    def __init__(self, _around: Surroundings) -> None:
        pass

    def permit(self, args: Args, allowed: Allowed) -> None:
        if not any(_matches(args.path, pattern) for pattern in allowed.files):
            raise NotAllowed("the policy names no such file")
        if args.lines > allowed.max_lines:
            raise NotAllowed(f"the policy allows {allowed.max_lines} lines")

    async def run(self, args: Args, allowed: Allowed) -> str:
        # Not on the loop: the file may lie on a disk that hangs.
        return await asyncio.get_running_loop().run_in_executor(None, tail, args, allowed)


def tail(args: TailLog.Args, allowed: TailLog.Allowed) -> str:
    """Raises ActionFailed."""
    try:
        content, cut = _last_bytes(args.path, allowed.max_kib << 10)
    except FileNotFoundError as error:
        raise ActionFailed("no_such_file", "there is no such file") from error
    except PermissionError as error:
        raise ActionFailed("not_readable", "the agent may not read it") from error
    except _SeveralNames as error:
        raise ActionFailed(
            "several_names", "the file has another name too, and may be somebody else's"
        ) from error
    except (NotPlain, OSError) as error:
        raise ActionFailed("not_a_plain_file", f"not a plain file by this path: {error}") from error
    lines = content.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if cut:
        lines = lines[1:]  # it begins in the middle
    return "\n".join(_shown(line) for line in lines[-args.lines :])


def _last_bytes(path: str, most: int) -> tuple[bytes, bool]:
    """The end of a file, and whether there is more before it."""
    handle = open_file(path, _with_one_name)
    try:
        size = os.fstat(handle).st_size
        start = max(0, size - most)
        return os.pread(handle, most, start), start > 0
    finally:
        os.close(handle)


def _with_one_name(_path: str, found: os.stat_result) -> None:
    """Who may write in a log's directory can give any file of that disk a name there."""
    if found.st_nlink > 1 and stat.S_ISREG(found.st_mode):
        raise _SeveralNames


def _shown(line: bytes) -> str:
    """Harmless, and without what looks like a secret: whoever reads it here may not be who may read it there."""
    plain = line.rstrip(b"\r").replace(b"\t", b"    ")
    return redact(printable(plain, _LONGEST_LINE).split(" ")) if plain else ""


def _matches(path: str, pattern: str) -> bool:
    """Name by name; a path that is not written plainly matches nothing."""
    if not is_plain(path):
        return False
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(map(_name_matches, names, wanted))


def _name_matches(name: str, wanted: str) -> bool:
    if "*" not in wanted:
        return name == wanted
    if name.startswith(".") and not wanted.startswith("."):
        return False
    plain = wanted.replace("[", "[[]").replace("?", "[?]")
    return fnmatchcase(name, plain)
