"""A prepared store on a database of its own, on every backend that the server offers."""

from datetime import UTC, datetime

import pytest

from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import MigrationApp, migrate
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.reading import Reader
from pudim_collector.series.statements import MIGRATIONS
from pudim_collector.series.store import Store

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def migrated(fresh_database: str, clock: ManualClock) -> str:
    await migrate(database, [MigrationApp("series", MIGRATIONS)], clock=clock)
    return fresh_database


@pytest.fixture
async def store(migrated: str, clock: ManualClock) -> Store:
    store = Store(database)
    await store.prepare(clock.now())
    return store


@pytest.fixture
def reader(store: Store) -> Reader:
    return Reader(database)
