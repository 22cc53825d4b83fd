"""A prepared store on a database of its own, on every backend that the server offers."""

from datetime import UTC, datetime

import pytest

from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import MigrationApp, migrate
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import Backend
from pudim_collector.series.backends.choice import chosen_backend
from pudim_collector.series.reading import Reader
from pudim_collector.series.statements import MIGRATIONS
from pudim_collector.series.store import Store
from tests.collector.series.offered import NOT_OFFERED, OFFERED, label

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each backend in turn, so that a test's id tells where it ran."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", OFFERED, ids=[label(backend) for backend in OFFERED])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = ", ".join(label(backend) for backend in OFFERED)
    terminalreporter.write_line(f"Frames were kept as: {names}. {NOT_OFFERED}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def migrated(fresh_database: str, clock: ManualClock) -> str:
    await migrate(database, [MigrationApp("series", MIGRATIONS)], clock=clock)
    return fresh_database


@pytest.fixture
async def store(backend: Backend, migrated: str, clock: ManualClock) -> Store:
    async with database.transaction(), database.connection() as connection:
        await chosen_backend(connection, [backend])
    store = Store(database)
    await store.prepare(clock.now())
    return store


@pytest.fixture
def reader(store: Store, clock: ManualClock) -> Reader:
    return Reader(database, clock)
