"""PostgreSQL refuses to run as root, so a root-run Pudim starts it under an account that owns nothing else."""

import logging
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pudim.vocabulary.errors import PudimError

_log = logging.getLogger(__name__)
_NAMES = ("pudim", "postgres")


class NoSystemAccountError(PudimError):
    """As root, the embedded database needs a system account to run under, and none could be made."""

    code = "no_system_account"
    hint = "Create one (useradd --system pudim), or run Pudim as an ordinary user."


@dataclass(frozen=True)
class SystemAccount:
    uid: int
    gid: int


def choose_account(folder: Path) -> SystemAccount | None:
    """None for an ordinary user, who runs it himself; as root the folder's owner, or a known system account."""
    if os.geteuid() != 0:
        return None
    owner = folder.stat()
    if owner.st_uid != 0:
        return SystemAccount(owner.st_uid, owner.st_gid)
    return _find() or _make()


def let_through(account: SystemAccount, *folders: Path) -> None:
    """Let the account pass (not list) the folders above, which a root's home usually forbids."""
    for folder in folders:
        for parent in folder.parents:
            mode = parent.stat()
            if not _passable(mode, account):
                _log.warning(
                    "%s: others may now pass through (not list) it, for the database's account", parent
                )
                parent.chmod(stat.S_IMODE(mode.st_mode) | stat.S_IXOTH)


def _passable(mode: os.stat_result, account: SystemAccount) -> bool:
    if mode.st_uid == account.uid:
        return bool(mode.st_mode & stat.S_IXUSR)
    if mode.st_gid == account.gid:
        return bool(mode.st_mode & stat.S_IXGRP)
    return bool(mode.st_mode & stat.S_IXOTH)


def _find() -> SystemAccount | None:
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return SystemAccount(entry.pw_uid, entry.pw_gid)
    return None


def _make() -> SystemAccount:
    useradd = shutil.which("useradd")
    if useradd is None:
        raise NoSystemAccountError
    argv = [
        useradd,
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        _NAMES[0],
    ]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)  # noqa: S603 - argv of our own
    found = _find()
    if found is None:
        raise NoSystemAccountError(f"useradd failed: {done.stderr.strip()}")
    return found
