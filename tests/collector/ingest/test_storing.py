"""Causes are told apart by the database's errors, and the log is neither flooded nor does it quote rows."""

import errno

import psycopg
import pytest

from pudim_collector.ingest.storing import Cause, Storing, cause_of


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.errors.DiskFull("could not extend file"), Cause.DISK_FULL),
        (psycopg.OperationalError("FATAL:  could not write file: No space left on device"), Cause.DISK_FULL),
        (
            psycopg.OperationalError("connection failed: FATAL:  the database system is starting up"),
            Cause.STARTING,
        ),
        (psycopg.OperationalError("FATAL:  the database system is in recovery mode"), Cause.STARTING),
        (psycopg.errors.AdminShutdown("terminating connection"), Cause.SHUTTING_DOWN),
        (psycopg.OperationalError("FATAL:  sorry, too many clients already"), Cause.CONNECTIONS),
        (psycopg.OperationalError("FATAL:  remaining connection slots are reserved"), Cause.CONNECTIONS),
        (psycopg.OperationalError("consuming input failed: server closed the connection"), Cause.UNREACHABLE),
        (OSError(errno.ECONNREFUSED, "refused"), Cause.UNREACHABLE),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute COPY FROM"), Cause.READ_ONLY),
        (psycopg.errors.CheckViolation('no partition of relation "frames" found for row'), Cause.NO_ROOM),
        (psycopg.errors.CheckViolation('new row violates check constraint "short"'), Cause.REFUSED),
        (psycopg.errors.NumericValueOutOfRange("out of range"), Cause.REFUSED),
        (psycopg.errors.UndefinedTable("no such table"), Cause.OTHER),
        (ValueError("a fault of ours"), Cause.OTHER),
    ],
)
def test_a_cause_is_known_by_its_error(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


async def test_the_log_names_no_row_and_a_new_cause_at_once(caplog: pytest.LogCaptureFixture) -> None:
    storing = Storing()
    for _ in range(100):
        storing.failed(
            psycopg.errors.DiskFull("could not extend file\nCONTEXT:  COPY frames, line 1: secret")
        )
    storing.failed(psycopg.OperationalError("connection refused"))
    storing.worked()
    assert len(caplog.messages) == 3
    assert "secret" not in caplog.text
    assert "after 101 failures" in caplog.messages[2]
