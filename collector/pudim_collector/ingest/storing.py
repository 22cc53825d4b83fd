"""Whether commits work, and if not, why: in words for agents, as a cause for counters, and not too often in the log."""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum

import psycopg
from psycopg import errors

from pudim.wire.refusals import StoreUnavailable
from pudim_collector.infra.database.errors import DatabaseBusyError, DatabaseError
from pudim_collector.ingest import counters

log = logging.getLogger(__name__)

REMIND_SECONDS = 60.0
"""How often a cause that lasts is logged."""


class Cause(StrEnum):
    """Why the database does not take frames."""

    DISK_FULL = "disk_full"
    NO_ROOM = "no_room"
    READ_ONLY = "read_only"
    SHUTTING_DOWN = "shutting_down"
    STARTING = "starting"
    CONNECTIONS = "connections"
    TOO_SLOW = "too_slow"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    OTHER = "other"


WORDS = {
    Cause.DISK_FULL: "the database's disk is full",
    Cause.NO_ROOM: "the database has no room for frames of that time",
    Cause.READ_ONLY: "the database is read-only",
    Cause.SHUTTING_DOWN: "the database is shutting down",
    Cause.STARTING: "the database is starting up",
    Cause.CONNECTIONS: "the database has no free connection",
    Cause.TOO_SLOW: "the database took too long, or something there is locked",
    Cause.UNREACHABLE: "the database cannot be reached",
    Cause.REFUSED: "the database refuses these frames",
    Cause.OTHER: "the database failed",
}
_BY_CLASS: tuple[tuple[type[Exception], Cause], ...] = (
    (errors.DiskFull, Cause.DISK_FULL),
    (errors.ReadOnlySqlTransaction, Cause.READ_ONLY),
    (errors.AdminShutdown, Cause.SHUTTING_DOWN),
    (errors.CrashShutdown, Cause.STARTING),
    (errors.CannotConnectNow, Cause.STARTING),
    (errors.TooManyConnections, Cause.CONNECTIONS),
    (errors.QueryCanceled, Cause.TOO_SLOW),
    (errors.LockNotAvailable, Cause.TOO_SLOW),
    (DatabaseBusyError, Cause.CONNECTIONS),
    (psycopg.DataError, Cause.REFUSED),
    (psycopg.IntegrityError, Cause.REFUSED),
)
# Why a connection was refused is only said in words, and where those are another language's it was just refused.
_BY_WORDS = (
    ("No space left on device", Cause.DISK_FULL),
    ("no partition of relation", Cause.NO_ROOM),
    ("shutting down", Cause.SHUTTING_DOWN),
    ("starting up", Cause.STARTING),
    ("in recovery mode", Cause.STARTING),
    ("not yet accepting connections", Cause.STARTING),
    ("too many clients", Cause.CONNECTIONS),
    ("connection slots", Cause.CONNECTIONS),
)


def cause_of(error: BaseException) -> Cause:
    said = str(error)
    for words, cause in _BY_WORDS:
        if words in said:
            return cause
    for kind, cause in _BY_CLASS:
        if isinstance(error, kind):
            return cause
    lost = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
    return Cause.UNREACHABLE if lost or isinstance(error, DatabaseError | OSError) else Cause.OTHER


def unavailable(error: BaseException) -> StoreUnavailable:
    """What an agent is told. The database's own words may name machines, and stay in the log."""
    return StoreUnavailable(WORDS[cause_of(error)])


class Storing:
    """`failing` says why the last commit failed; None while all is well."""

    def __init__(self) -> None:
        self._cause: Cause | None = None
        self._since = self._said_at = 0.0
        self._failures = 0

    @property
    def failing(self) -> str | None:
        return WORDS[self._cause] if self._cause else None

    def failed(self, error: BaseException) -> None:
        cause, now = cause_of(error), asyncio.get_running_loop().time()
        counters.failed_commits.labels(cause).inc()
        if self._cause is None:
            self._since, self._failures = now, 0
        self._failures += 1
        if cause is not self._cause or now - self._said_at > REMIND_SECONDS:
            self._said_at = now
            log.error(
                "frames are not stored, %d failures in %.0f s: %s (%s)",
                *(self._failures, now - self._since, WORDS[cause], _first_line(error)),
            )
        self._cause = cause

    def worked(self) -> None:
        if self._cause is not None:
            lasted = asyncio.get_running_loop().time() - self._since
            log.warning("frames can be stored again, after %d failures in %.0f s", self._failures, lasted)
            self._cause = None


def refused(error: BaseException, servers: str) -> None:
    """Of one sender alone; what the others bring is stored."""
    cause = cause_of(error)
    counters.failed_commits.labels(cause).inc()
    log.error("frames of server %s are not stored: %s (%s)", servers, WORDS[cause], _first_line(error))


def _first_line(error: BaseException) -> str:
    """Without PostgreSQL's details: they quote rows."""
    return str(error).partition("\n")[0] or type(error).__name__
