"""Each series of another keeps one place: after a restart, in two processes at once, and however it comes."""

import asyncio
import math
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest

from pudim.wire.layouts import Series
from pudim_collector.infra.database import database
from pudim_collector.series.reading import Reader
from pudim_collector.series.selecting import Selector
from pudim_collector.series.shelves import SENDER, WIDTH, Owner, Shelves, Shelving
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW as CLOCK
from tests.collector.series.made import frames

OWNER = Owner(UUID(int=5), "otlp", ((SENDER, "lab"), ("service.name", "cart")))
NOW = 1_000_000


def series(*names: str) -> list[Series]:
    return [Series(name, "1", (("a", "b"),)) for name in names]


@pytest.fixture
def shelving(store: Store) -> Shelving:
    return Shelving(database, store)


async def put(shelving: Shelving, wanted: Iterable[Series], owner: Owner = OWNER) -> Shelves:
    shelves = await shelving.of(owner)
    await shelving.add(shelves, wanted, NOW)
    return shelves


def where(shelves: Shelves) -> dict[Series, tuple[int, int]]:
    return {one: (place.shelf.source_id, place.position) for one, place in shelves.places.items()}


async def test_series_that_come_together_stand_together(shelving: Shelving) -> None:
    wanted = series(*(f"m{number:03}" for number in range(WIDTH + 6)))
    shelves = await put(shelving, wanted)
    assert [shelf.width for shelf in shelves.all] == [WIDTH, 6]
    first, second = (shelf.source_id for shelf in shelves.all)
    assert where(shelves) == {
        one: (first, number) if number < WIDTH else (second, number - WIDTH)
        for number, one in enumerate(wanted)
    }


async def test_a_series_stays_where_it_is_and_new_ones_get_a_new_shelf(shelving: Shelving) -> None:
    before = where(await put(shelving, series("b", "c")))
    shelves = await put(shelving, series("a", "b", "c", "a"))
    after = where(shelves)
    assert {one: after[one] for one in before} == before
    assert [shelf.width for shelf in shelves.all] == [2, 1]


async def test_a_restart_finds_every_series_where_it_was(store: Store, shelving: Shelving) -> None:
    await put(shelving, series("a", "b"))
    before = where(await put(shelving, series("c")))
    restarted = await Shelving(database, store).of(OWNER)
    assert where(restarted) == before
    assert restarted.used_since(1) == 0


async def test_two_processes_put_a_series_in_one_place(store: Store) -> None:
    processes = [Shelving(database, store) for _ in range(2)]
    names = [f"m{number}" for number in range(10)]
    both = await asyncio.gather(
        *(put(one, series(*order)) for one, order in zip(processes, (names, names[::-1]), strict=True))
    )
    assert where(both[0]) == where(both[1])
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM sources") == [(1,)]


async def test_what_another_process_put_since_is_found_when_it_is_needed(
    store: Store, shelving: Shelving
) -> None:
    mine = await put(shelving, series("a"))
    theirs = await put(Shelving(database, store), series("b"))
    await shelving.add(mine, series("b", "c"), NOW)
    assert {one: where(mine)[one] for one in where(theirs)} == where(theirs)
    assert len(mine.all) == 3


async def test_many_requests_at_once_agree(shelving: Shelving) -> None:
    found = await asyncio.gather(*(put(shelving, series("a", f"m{number % 3}")) for number in range(8)))
    assert len({id(one) for one in found}) == 1
    assert sum(shelf.width for shelf in found[0].all) == len(found[0].places) == 4


async def test_owners_are_apart(shelving: Shelving) -> None:
    others = [
        OWNER._replace(server_id=UUID(int=6)),
        OWNER._replace(source="prometheus"),
        OWNER._replace(labels=((SENDER, "other"),)),
    ]
    found = [await put(shelving, series("a"), owner) for owner in (OWNER, *others)]
    assert len({shelf.source_id for one in found for shelf in one.all}) == 4
    assert shelving.owned("lab") == found[:3]
    assert shelving.owned("cart") == []


async def test_what_nobody_sends_is_dropped_from_memory_and_found_again(shelving: Shelving) -> None:
    shelves = await put(shelving, series("a"))
    shelving.forget(NOW)
    assert await shelving.of(OWNER) is shelves
    shelving.forget(NOW + 1)
    again = await shelving.of(OWNER)
    assert again is not shelves
    assert where(again) == where(shelves)


async def test_the_newest_value_is_found_in_whichever_part_of_a_frame_it_stands(
    store: Store, shelving: Shelving, reader: Reader
) -> None:
    wanted = series("a", "b", "c")
    shelves = await put(shelving, wanted)
    (shelf,) = shelves.all
    nan, start = math.nan, int(CLOCK.timestamp()) - 60
    parts = [(start, (1.0, nan, 7.0)), (start + 10, (nan, 2.0, nan)), (start + 10, (3.0, nan, nan))]
    for time, values in parts:
        await store.commit([frames(shelf.source_id, [time], [values])], [], "")
    expected = {"a": 3.0, "b": 2.0, "c": 7.0}
    since = CLOCK - timedelta(minutes=5)
    found = await reader.latest([OWNER.server_id], since)
    assert {one.series.metric: one.value for one in found} == expected
    for metric, value in expected.items():
        (top,) = await reader.top(Selector((metric,), None, ()), 5, since)
        assert top.value == value


async def test_hostile_names_and_labels_come_back(store: Store, shelving: Shelving) -> None:
    hostile = [Series("'; DROP TABLE frames; --", "{x}", (("<b>", '"\\\\u0000"'), ("k", "💥" * 100)))]
    before = where(await put(shelving, hostile))
    assert where(await Shelving(database, store).of(OWNER)) == before
