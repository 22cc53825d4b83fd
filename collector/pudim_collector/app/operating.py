"""What the operator does on the host by commands, for the installation's audit log, under the name of his account there."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pudim_collector.features.audit.service import Trail
from pudim_collector.infra.auditing import Target, audited
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock

_LOGIN = Path("/proc/self/loginuid")
_NOBODY = 2**32 - 1
"""What the kernel says of a process that nobody's login started."""


@audited("backup.taken", "took a backup", target=Target("backup", None, "file"), of_installation=True)
@dataclass(frozen=True)
class BackupTaken:
    file: str
    rows: int
    tables: int


@audited("backup.restored", "restored a backup", target=Target("backup", None, "file"), of_installation=True)
@dataclass(frozen=True)
class BackupRestored:
    """`taken_at` is the moment that everything is of again."""

    file: str
    rows: int
    taken_at: str


@audited("account.setup_link_made", "made a link for the first owner", of_installation=True)
@dataclass(frozen=True)
class SetupLinkMade:
    pass


@audited(
    "password.link_made",
    "made a link to set a new password",
    target=Target("user", "user_id"),
    of_installation=True,
    of_person=True,
)
@dataclass(frozen=True)
class ResetLinkMade:
    user_id: UUID | None


@audited(
    "factor.reset",
    "took all second factors of somebody away",
    target=Target("user", "user_id"),
    of_person=True,
)
@dataclass(frozen=True)
class FactorsReset:
    user_id: UUID


@audited("demo.filled", "filled in simulated servers", of_installation=True)
@dataclass(frozen=True)
class DemoFilled:
    servers: int
    days: int


@audited("demo.removed", "removed the simulated servers", of_installation=True)
@dataclass(frozen=True)
class DemoRemoved:
    servers: int


def operator() -> tuple[str, str]:
    """Who runs this command: the account, and whose login it was where that is another's, as behind sudo."""
    name, login = _name(os.getuid()), _login()
    return "operator", name if login in {None, name} else f"{name} ({login})"


async def tell(event: object) -> None:
    """Into the database that is open. One that is older than the audit log has none."""
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT to_regclass('audit_entries')")).fetchone()
    if row is None or row[0] is None:
        return
    trail = Trail(SystemClock(), actor=operator())
    trail.emit(event)
    await trail.settle()


def _login() -> str | None:
    try:
        uid = int(_LOGIN.read_text())
    except (OSError, ValueError):
        return None
    return None if uid == _NOBODY else _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
