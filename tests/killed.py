"""Runs a program and kills it, as `kill -9` does, right before the n-th thing that it does to files of a folder."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_HOOKED = """
import os, signal, sys
left = [int(sys.argv[1])]
folder = sys.argv[2]
CHANGES = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
def hook(event, args):
    if event in CHANGES and isinstance(args[0], (str, bytes, os.PathLike)) and os.fspath(args[0]).startswith(folder):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
program = compile(sys.argv[3], "program", "exec")
names = {"folder": folder}
exec("from pathlib import Path", names)
sys.argv = sys.argv[:1]
names["armed"] = lambda: sys.addaudithook(hook)
exec(program, names)
"""
_MOST_POINTS = 200


def killed_at_each_point(folder: Path, program: str) -> Iterator[int]:
    """Each point at which it was killed; the caller looks at the folder, and puts it back for the next one.

    The program calls `armed()` when it may be killed from there on; it finds the folder as `folder`.
    """
    for point in range(_MOST_POINTS):
        done = subprocess.run(
            [sys.executable, "-c", _HOOKED, str(point), str(folder), program],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0:
            assert point > 1, "it did nothing that could be interrupted"
            return
        assert done.returncode == -signal.SIGKILL, done.stderr
        yield point
    raise AssertionError("it never came to its end")
