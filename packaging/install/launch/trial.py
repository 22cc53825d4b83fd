"""A release that was switched on by itself is on trial until it streams; if it does not, the one before comes back.

`decide` is the rule. Everything else here reads and writes the three small files that it goes by.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from places import Places, write_whole

MOST_ATTEMPTS = 3
MAX_SMALL_FILE = 1 << 16
MOST_FAILED = 100
WORKS, FAILS = "works", "fails"


class Trial(NamedTuple):
    release: str
    previous: str
    attempts: int = 0


class Step(Enum):
    KEEP = "nothing is on trial"
    TRY = "another attempt"
    CONFIRM = "it streams"
    ROLL_BACK = "it does not stream"


def decide(trial: Trial | None, verdict: str) -> Step:
    """What to do before the agent starts. `verdict` is `works` or `fails` and the release it is about, or empty."""
    if trial is None:
        return Step.KEEP
    if verdict == f"{WORKS} {trial.release}":
        return Step.CONFIRM
    if verdict == f"{FAILS} {trial.release}" or trial.attempts >= MOST_ATTEMPTS:
        return Step.ROLL_BACK
    return Step.TRY


def read_trial(places: Places) -> Trial | None:
    try:
        said = json.loads(read_small(places.trial))
        return Trial(str(said["release"]), str(said["previous"]), int(said["attempts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_trial(places: Places, trial: Trial | None) -> None:
    if trial is None:
        with suppress(FileNotFoundError):
            places.trial.unlink()
    else:
        write_whole(places.trial, json.dumps(trial._asdict()).encode())


def read_failed(places: Places) -> list[str]:
    """Releases that did not stream; they are not tried again by themselves."""
    try:
        return [str(one) for one in json.loads(read_small(places.failed))]
    except (OSError, ValueError, TypeError):
        return []


def add_failed(places: Places, release: str) -> None:
    write_whole(places.failed, json.dumps([*read_failed(places), release][-MOST_FAILED:]).encode())


def read_verdict(places: Places) -> str:
    try:
        return read_small(places.verdict).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def write_verdict(places: Places, verdict: str, release: str) -> None:
    write_whole(places.verdict, f"{verdict} {release}\n".encode(), 0o600)


def is_streaming(places: Places, pid: int) -> bool:
    """Whether the agent with this process id says that its collector answers."""
    try:
        lines = read_small(places.status).decode("utf-8", "replace").splitlines()
    except OSError:
        return False
    said = dict(line.partition(" ")[::2] for line in lines)
    return said.get("pid") == str(pid) and said.get("streams") == "1"


def read_small(path: Path, most: int = MAX_SMALL_FILE) -> bytes:
    """A regular file, and no link: the agent's user may put anything where root reads. Raises OSError."""
    handle = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{path} is too large")
    return content
