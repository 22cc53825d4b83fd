"""Statements are timed by their name; a slow one is logged, without a word of what it was about."""

import logging

import pytest

from pudim_collector.infra.database import database
from pudim_collector.infra.telemetry import registry
from pudim_collector.series import statements
from pudim_collector.series.statements import run, timed
from pudim_collector.series.store import Store


def counted(name: str) -> float:
    return registry.get_sample_value("pudim_database_statement_seconds_count", {"statement": name}) or 0


async def test_a_named_statement_is_counted(store: Store) -> None:
    before = counted("raw_kept")
    async with database.connection() as connection:
        await run(connection, "raw_kept")
    assert counted("raw_kept") == before + 1


async def test_a_slow_statement_is_logged_without_its_parameters(
    store: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "SLOW", 0.0)
    async with database.connection() as connection:
        await run(connection, "layouts", [4711])
    (record,) = [one for one in caplog.records if "layouts" in one.getMessage()]
    assert record.levelno == logging.WARNING
    assert "0 rows" in record.getMessage()
    assert "4711" not in record.getMessage()


def test_a_quick_one_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with timed("quick") as one:
        one.rows = 1
    assert caplog.records == []


def test_one_that_fails_is_counted_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "SLOW", 0.0)
    with pytest.raises(OSError, match="gone"), timed("broken"):
        raise OSError("gone")
    assert counted("broken") == 1
    assert "broken" in caplog.text
    assert "failed" in caplog.text
