"""Files that hold keys: written whole or not at all, for their owner alone, and refused where anybody else had a hand in them."""

from __future__ import annotations

import fcntl
import os
import secrets as random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pudim.vocabulary.errors import PudimError

_MODE = 0o600
_FOLDER_MODE = 0o700
_OTHERS = 0o077
_OTHERS_MAY_WRITE = 0o022
# As systemd hands out a credential: root's, and the group's bits stand for an access list of one account.
_BEYOND_LENT = 0o037
_ROOT = 0


class KeyFileError(PudimError):
    """A file with a key cannot be used as it is."""

    code = "key_file"


class KeyFileMissingError(KeyFileError):
    """A file with a key is not there."""

    code = "key_file_missing"
    hint = "Bring it back from a backup."


class KeyFileOpenError(KeyFileError):
    """Others than its owner may read a file with a key."""

    code = "key_file_open"
    hint = "Take their rights away (chmod 600), and ask who may have read it: a key that others know has to be replaced."


class KeyFileForeignError(KeyFileError):
    """A file with a key, or the folder that it is in, belongs to another account."""

    code = "key_file_foreign"
    hint = "Run Pudim and its commands as that account, or give the file to the one that they run as."


class KeyFolderOpenError(KeyFileError):
    """Others may put files into the folder that holds keys."""

    code = "key_folder_open"
    hint = "Take their rights away (chmod 700)."


class KeyFileDamagedError(KeyFileError):
    """A file with a key is cut short, or does not hold what was written."""

    code = "key_file_damaged"
    hint = "Bring it back from a backup; another key in its place would open nothing."


def read_private(path: Path, most: int, *, lent: bool = False) -> bytes:
    """At most `most` bytes. What is checked is what is read. Raises a KeyFileError.

    One that is `lent`, as a credential of systemd is, may be root's, and lies in a folder that is not looked at.
    """
    if not lent:
        check_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise KeyFileMissingError(f"{path} is not there") from error
    except OSError as error:
        raise KeyFileForeignError(f"{path} cannot be read: {error.strerror}") from error
    try:
        _check(path, os.fstat(handle), lent=lent)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(most + 1)
    finally:
        os.close(handle)
    if len(content) > most:
        raise KeyFileDamagedError(f"{path} is longer than {most} bytes")
    return content


def _check(path: Path, found: os.stat_result, *, lent: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyFileDamagedError(f"{path} is no file")
    if found.st_uid != os.geteuid() and not (lent and found.st_uid == _ROOT):
        raise KeyFileForeignError(f"{path} belongs to user {found.st_uid}, and this is user {os.geteuid()}")
    if found.st_mode & (_BEYOND_LENT if lent else _OTHERS):
        raise KeyFileOpenError(f"{path} has mode {stat.S_IMODE(found.st_mode):04o}")


def check_folder(folder: Path) -> None:
    """Raises KeyFolderOpenError or KeyFileForeignError; a folder that is not there yet is fine."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return
    if found.st_uid != os.geteuid():
        raise KeyFileForeignError(f"{folder} belongs to user {found.st_uid}, and this is user {os.geteuid()}")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise KeyFolderOpenError(f"{folder} has mode {stat.S_IMODE(found.st_mode):04o}")


def create_private(path: Path, content: bytes) -> bool:
    """False where there is a file of this name already, which stays as it is."""
    path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    check_folder(path.parent)
    with _draft(path, content) as draft:
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        _sync(path.parent)
        return True


def replace_private(path: Path, content: bytes) -> None:
    """The old content or the new one, whatever happens in between; of a link, the file that it leads to."""
    target = path.resolve()
    with _draft(target, content) as draft:
        draft.replace(target)
        _sync(target.parent)


@contextmanager
def changed_by_one(folder: Path) -> Iterator[None]:
    """While this holds, no other process that asks so changes files of this folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """The content on disk under a name of its own."""
    # Not named by the process: a killed start's draft must not be in the way, and in a container all ids are alike.
    draft = path.with_name(f"{path.name}.{random.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
