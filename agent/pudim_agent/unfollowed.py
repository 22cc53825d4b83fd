"""Opens a file by walking its path from a directory that is held open, following no symbolic link on the way.

Between a check by name and an open by name, whoever may write in a directory of the path can put something else there; what
was opened once stays what it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

Look = Callable[[str, os.stat_result], None]
_DIRECTORY = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotPlain(OSError):
    """It is not a regular file."""


def accept(_path: str, _found: os.stat_result) -> None:
    """A look that minds nothing."""


def open_directory(path: str, look: Look = accept, root: str = "/") -> int:
    """The directory `path`, which lies in `root` and is written without `.` and `..`.

    `look` is shown it, `root` and each directory between them, and may raise. Raises OSError, for a symbolic link too.
    """
    reached = root
    handle = os.open(root, _DIRECTORY)
    try:
        look(reached, os.fstat(handle))
        for part in _parts(path, root):
            inner = os.open(part, _DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle, reached = inner, f"{reached.rstrip('/')}/{part}"
            look(reached, os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def open_file(path: str, look: Look = accept, root: str = "/") -> int:
    """The regular file `path` for reading, after `look` was shown it and every directory above it. Raises OSError."""
    if not is_plain(path):
        raise NotPlain(f"{path!r} is not a plain absolute path")
    folder, name = os.path.split(path)
    above = open_directory(folder, look, root)
    try:
        # Not to be blocked by a pipe, nor to act on a device by opening it, is decided before it is open.
        _must_be_regular(path, os.stat(name, dir_fd=above, follow_symlinks=False))
        handle = os.open(name, _FILE, dir_fd=above)
    finally:
        os.close(above)
    try:
        found = os.fstat(handle)
        _must_be_regular(path, found)
        look(path, found)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _must_be_regular(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotPlain(f"{path} is not a regular file")


def is_plain(path: str) -> bool:
    """Whether a path is absolute and written the one way there is: no `.`, no `..`, no slash too many."""
    return path.startswith("/") and not path.startswith("//") and os.path.normpath(path) == path


def _parts(path: str, root: str) -> list[str]:
    if not is_plain(path):
        raise NotPlain(f"{path!r} is not a plain absolute path")
    parts = os.path.relpath(path, root).split("/")
    if ".." in parts:
        raise NotPlain(f"{path!r} is not in {root}")
    return [] if parts == ["."] else parts
