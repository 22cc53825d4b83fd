"""Looks at the age, number and size of files in folders that this host allows, and at nothing that a link leads to."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

from pudim.checks import Down, Figure, Outcome, Status, Surroundings, Unknown, checks, setting

COUNT = Figure("pudim.check.file.count")
NEWEST = Figure("pudim.check.file.age", (("pudim.check.file", "newest"),))
OLDEST = Figure("pudim.check.file.age", (("pudim.check.file", "oldest"),))
SIZE = Figure("pudim.check.file.size")
MOST_ENTRIES = 20_000
"""Entries of folders that are looked at in one run."""
MOST_HANGING = 2
"""Folders of a dead network filesystem hold a thread for ever; with so many of them, no more are tried."""
_SIGNS = frozenset("*?[")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
T = TypeVar("T")


@dataclass(frozen=True)
class FileConfig:
    path: str = setting(
        "Files",
        "A path in which * and ? stand for parts of one name, such as /var/backups/db-*.dump.",
        required=True,
    )
    newest: float = setting("Newest at most, seconds old", "0 does not ask.", 0.0, low=0, high=3.2e8)
    oldest: float = setting("Oldest at most, seconds old", "0 does not ask.", 0.0, low=0, high=3.2e8)
    least: int = setting("At least", "So many must be there.", 1, low=0, high=MOST_ENTRIES)
    least_bytes: int = setting("Bytes of the newest, at least", "0 does not ask.", 0, low=0, high=1 << 60)


@dataclass
class _Found:
    count: int = 0
    looked_at: int = 0
    newest: float = float("-inf")
    oldest: float = float("inf")
    size: int = 0
    refused: list[str] = field(default_factory=list)


@checks.register("file")
class File:
    Config = FileConfig
    title = "Age of files"
    help = "Asks how old, how many and how large files of this server are; their content is never read."
    figures = (COUNT, NEWEST, OLDEST, SIZE)
    silence = Status.UNKNOWN

    def __init__(self, config: FileConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: FileConfig) -> Iterable[tuple[str, str]]:
        if not config.path.startswith("/") or config.path.endswith("/"):
            yield "path", "must be the whole path of files, from / on"
        if any(one in {"", ".", ".."} for one in config.path.split("/")[1:]):
            yield "path", "must be plain: without //, . and .."
        if "**" in config.path:
            yield "path", "has no **: each * stands for a part of one name"

    async def run(self, around: Surroundings, _timeout: float) -> Outcome:
        started = around.timer()
        root, parts = _split(self._config.path, around.folders)
        found = await _aside(lambda: _look(root, parts))
        return self._judge(found, around.wall(), around.timer() - started)

    def _judge(self, found: _Found, wall: float, took: float) -> Outcome:
        config, figures = self._config, {COUNT: float(found.count)}
        if found.refused and not found.count:
            raise Unknown("not_permitted", f"cannot be looked at: {found.refused[0]}")
        if found.count:
            figures |= {NEWEST: wall - found.newest, OLDEST: wall - found.oldest, SIZE: float(found.size)}
        words = f"{found.count} file{'' if found.count == 1 else 's'}"
        if found.count < config.least:
            raise Down("too_few", f"{words}, at least {config.least} must be there", figures)
        if found.count and config.newest and figures[NEWEST] > config.newest:
            raise Down("too_old", f"the newest is {figures[NEWEST]:.0f} s old", figures)
        if found.count and config.oldest and figures[OLDEST] > config.oldest:
            raise Down("too_old", f"the oldest is {figures[OLDEST]:.0f} s old", figures)
        if found.count and found.size < config.least_bytes:
            raise Down("too_small", f"the newest has {found.size} bytes", figures)
        age = f", the newest {figures[NEWEST]:.0f} s old" if found.count else ""
        return Outcome(Status.UP, took, words + age, figures=figures)


def _split(path: str, folders: Iterable[str]) -> tuple[str, list[str]]:
    """The allowed folder that the path lies in, and the names beneath it. Raises Unknown."""
    for folder in sorted(folders, key=len, reverse=True):
        root = folder.rstrip("/")
        if path.startswith(f"{root}/"):
            return root or "/", path[len(root) + 1 :].split("/")
    raise Unknown("not_permitted", "this host does not allow checks to look there")


def _look(root: str, parts: list[str]) -> _Found:
    found = _Found()
    try:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        found.refused.append(error.strerror or str(error))
        return found
    try:
        _descend(handle, parts, found)
    finally:
        os.close(handle)
    return found


def _descend(handle: int, parts: list[str], found: _Found) -> None:
    """Each name is opened in the folder that was opened before it, so that nothing can be put in between."""
    for name in _names(handle, parts[0], found):
        try:
            if len(parts) == 1:
                _count(os.stat(name, dir_fd=handle, follow_symlinks=False), found)
                continue
            inner = os.open(name, _FOLDER, dir_fd=handle)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if len(parts) > 1 and _is_link(name, handle):
                continue
            found.refused.append(error.strerror or str(error))
            continue
        try:
            _descend(inner, parts[1:], found)
        finally:
            os.close(inner)


def _is_link(name: str, handle: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _names(handle: int, wanted: str, found: _Found) -> Iterator[str]:
    if not _SIGNS & set(wanted):
        found.looked_at += 1
        yield wanted
        return
    try:
        entries = os.scandir(handle)
    except OSError as error:
        found.refused.append(error.strerror or str(error))
        return
    with entries:
        for entry in entries:
            found.looked_at += 1
            if found.looked_at > MOST_ENTRIES:
                raise Unknown("too_many", f"there are more than {MOST_ENTRIES} entries to look at")
            if fnmatchcase(entry.name, wanted) and (wanted[0] == "." or not entry.name.startswith(".")):
                yield entry.name


def _count(seen: os.stat_result, found: _Found) -> None:
    if not stat.S_ISREG(seen.st_mode):
        return
    found.count += 1
    found.oldest = min(found.oldest, seen.st_mtime)
    if seen.st_mtime > found.newest:
        found.newest, found.size = seen.st_mtime, seen.st_size


_hanging = threading.BoundedSemaphore(MOST_HANGING)


async def _aside(work: Callable[[], T]) -> T:
    """Run in a daemon thread, which a dead filesystem may keep for ever without holding up our exit."""
    if not _hanging.acquire(blocking=False):
        raise Unknown("busy", "other looks at files are not done yet")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(found: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(found)  # type: ignore[arg-type] # without an error there is a result

    def run() -> None:
        found, error = None, None
        try:
            found = work()
        except Exception as failure:  # noqa: BLE001 - it is raised where it is awaited
            error = failure
        finally:
            _hanging.release()
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, found, error)

    threading.Thread(target=run, name="file check", daemon=True).start()
    return await done
