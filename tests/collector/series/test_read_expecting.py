"""Reading without a look at the catalogue before it: whatever has changed since the last look, the answer knows it."""

import math
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from pudim_collector.infra.database import database
from pudim_collector.infra.telemetry import registry
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series import limits
from pudim_collector.series.limits import TooManySeries
from pudim_collector.series.reading import Reader
from pudim_collector.series.selecting import Selector
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Store
from pudim_collector.series.tiers import Tier
from pudim_collector.series.upkeep import Upkeep
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.questions import asked

DAY = timedelta(days=1)
END = int(NOW.timestamp())


async def change(statement: str) -> None:
    async with database.connection() as connection:
        await connection.execute(statement.encode())


async def settle() -> None:
    """All sources are old enough that no other can appear beside them."""
    await change("UPDATE sources SET declared_at = now() - interval '1 hour'")


def looks() -> float:
    return (
        registry.get_sample_value("pudim_database_statement_seconds_count", {"statement": "catalogue"}) or 0.0
    )


async def values(reader: Reader, servers: list[UUID] | None = None) -> list[float]:
    """The minutes of the last day that have one, smallest first."""
    found = await reader.read(asked("cpu", servers, NOW - DAY, NOW, step=60))
    means = (float(mean) for one in found.series for mean in one.columns.mean)
    return sorted(mean for mean in means if not math.isnan(mean))


@pytest.fixture
async def server(store: Store, reader: Reader) -> UUID:
    """With one sample, which the reader has read."""
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    await commit(store, server, [frames(one, [END - 3000], [[1.0]])])
    await settle()
    assert await values(reader) == [1.0]
    return server


async def test_what_is_known_is_not_looked_up_again(server: UUID, reader: Reader) -> None:
    before = looks()
    assert await values(reader, [server]) == [1.0]
    assert await values(reader) == [1.0]
    assert looks() == before


async def test_new_frames_of_a_known_source(server: UUID, store: Store, reader: Reader) -> None:
    (one,) = await store.declare(server, [source("cpu")])
    await commit(
        store, server, [frames(one, [END - 100], [[2.0]])], boot=await store.open_boot(server, b"c" * 16)
    )
    before = looks()
    assert await values(reader, [server]) == [1.0, 2.0]
    assert looks() == before


async def test_a_source_that_is_new(server: UUID, store: Store, reader: Reader) -> None:
    for number, metrics in enumerate([("cpu", "load"), ("load", "cpu")], 1):
        (one,) = await store.declare(server, [source(*metrics)])
        boot = await store.open_boot(server, bytes([number]) * 16)
        await commit(store, server, [frames(one, [END - 120 * number], [[5.0, 5.0]])], boot=boot)
        assert await values(reader, [server]) == [1.0] + [5.0] * number
        await settle()
    before = looks()
    for _ in range(2):
        assert await values(reader, [server]) == [1.0, 5.0, 5.0]
    assert looks() == before + 1


async def test_a_source_that_is_gone(server: UUID, store: Store, reader: Reader) -> None:
    other = uuid4()
    (one,) = await store.declare(other, [source("cpu")])
    await commit(store, other, [frames(one, [END - 50], [[9.0]])])
    await settle()
    assert await values(reader) == [1.0, 9.0]
    await change("DELETE FROM sources WHERE source_id = 1")
    assert await values(reader) == [9.0]
    assert await values(reader, [server]) == []


async def test_too_many_series_are_too_many_only_while_they_are_there(
    server: UUID, store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SERIES", 2)
    await store.declare(uuid4(), [source("cpu", group=str(n)) for n in range(2)])
    await settle()
    for _ in range(2):
        with pytest.raises(TooManySeries):
            await values(reader)
    await change("DELETE FROM sources WHERE source_id > 1")
    assert await values(reader) == [1.0]


async def test_rollups_that_were_made_since(
    server: UUID, store: Store, clock: ManualClock, reader: Reader
) -> None:
    before = await reader.read(asked("cpu", [server], NOW - DAY, NOW, step=60))
    await Upkeep(database, store, clock).run_once()
    async with database.connection() as connection:
        await fetch(connection, "DELETE FROM frames")  # so that only the rollups can tell
    after = await reader.read(asked("cpu", [server], NOW - DAY, NOW, step=60))
    assert before.tier is after.tier is Tier.MINUTE
    assert [one.columns.mean.tolist() for one in after.series] == [[1.0]]


async def _less_raw() -> None:
    await change("UPDATE store SET raw_since = now()")


async def _fewer_days() -> None:
    await change("UPDATE retention SET days = 1 WHERE tier = 'raw'")


@pytest.mark.parametrize("shorten", [_less_raw, _fewer_days])
async def test_raw_frames_that_are_kept_shorter_since(
    server: UUID, store: Store, clock: ManualClock, reader: Reader, shorten: Callable[[], Awaitable[None]]
) -> None:
    await Upkeep(database, store, clock).run_once()
    question = asked("cpu", [server], NOW - 2 * DAY, NOW, step=45)
    assert (await reader.read(question)).tier is Tier.RAW
    await shorten()
    after = await reader.read(question)
    assert (after.tier, after.step) == (Tier.MINUTE, 60)


async def highest(reader: Reader) -> list[float]:
    return [one.value for one in await reader.top(Selector(("cpu",)), 10, NOW - DAY)]


async def test_what_is_known_is_ranked_without_another_look(server: UUID, reader: Reader) -> None:
    before = looks()
    assert await highest(reader) == [1.0]
    assert looks() == before


async def test_a_new_source_is_ranked_at_once(server: UUID, store: Store, reader: Reader) -> None:
    other = uuid4()
    (one,) = await store.declare(other, [source("load", "cpu")])
    await commit(store, other, [frames(one, [END - 100], [[7.0, 5.0]])])
    assert await highest(reader) == [5.0, 1.0]
    await settle()
    assert await highest(reader) == [5.0, 1.0]
    before = looks()
    assert await highest(reader) == [5.0, 1.0]
    assert looks() == before


async def test_what_is_gone_is_ranked_no_more_and_counts_no_more(
    server: UUID, store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_RANKED", 2)
    other = uuid4()
    (one, *_) = await store.declare(other, [source("cpu", group=str(n)) for n in range(2)])
    await commit(store, other, [frames(one, [END - 100], [[5.0]])])
    await settle()
    for _ in range(2):
        with pytest.raises(TooManySeries):
            await highest(reader)
    await change("DELETE FROM sources WHERE source_id = 1")
    assert await highest(reader) == [5.0]
