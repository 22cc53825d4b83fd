"""Which series a question means: label matchers, and patterns that nobody can hang a process with."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.database import database
from pudim_collector.series.catalogue import Catalogue
from pudim_collector.series.reading import Reader
from pudim_collector.series.selecting import BadMatcher, Selector, fits, parse_matcher
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.questions import asked

START = int(NOW.timestamp())
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("matcher", "accepted", "refused"),
    [
        ("a=x", {"a": "x"}, {"a": "xx"}),
        ("a=", {}, {"a": "x"}),
        ("a!=x", {"a": "y"}, {"a": "x"}),
        ("a!=x", {}, {"a": "x"}),
        ("a=~x.*", {"a": "xyz"}, {"a": "yx"}),
        ("a=~x|y", {"a": "y"}, {"a": "xy"}),
        ("a=~", {}, {"a": "x"}),
        ("a!~x.*", {"a": "yx"}, {"a": "xyz"}),
        ("a=b=c", {"a": "b=c"}, {"a": "b"}),
        ("a=~é.", {"a": "éa"}, {"a": "e"}),
    ],
)
def test_a_matcher(matcher: str, accepted: dict[str, str], refused: dict[str, str]) -> None:
    found = (parse_matcher(matcher),)
    assert fits(accepted, found)
    assert not fits(refused, found)


@pytest.mark.parametrize(
    "text", ["", "a", "=x", "!=x", "a=~(", "a=~(?=x)", "a!~\\", "a=\x00", f"a=~{'x' * 257}", "a=~\ud800"]
)
def test_what_is_no_matcher(text: str) -> None:
    with pytest.raises(BadMatcher):
        parse_matcher(text)


@given(st.text())
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    try:
        parse_matcher(text).accepts("value")
    except BadMatcher:
        return


def test_no_pattern_takes_longer_than_its_text_is_long() -> None:
    started = time.process_time()
    assert not parse_matcher("a=~(x*)*(x*)*y").accepts("x" * 1_000_000)
    assert time.process_time() - started < 30  # one that goes back and forth would take years


async def test_matchers_see_the_labels_of_source_and_series(store: Store, reader: Reader) -> None:
    server = uuid4()
    ids = await store.declare(
        server, [source("rss", name="process", group=group) for group in ("a", "b", "ab")]
    )
    await commit(store, server, [frames(one, [START], [[1.0]]) for one in ids])

    async def groups(*where: str) -> list[str]:
        found = await reader.read(asked("rss", [server], NOW, NOW + HOUR, *where))
        return sorted(dict(one.series.labels)["group"] for one in found.series)

    assert await groups() == ["a", "ab", "b"]
    assert await groups("group=a") == ["a"]
    assert await groups("group=~a.*") == ["a", "ab"]
    assert await groups("group=~a.*", "group!=a") == ["ab"]
    assert await groups("other=") == ["a", "ab", "b"]
    assert await groups("other!=") == []


async def test_what_is_declared_later_is_known_at_once(store: Store) -> None:
    catalogue, server = Catalogue(), uuid4()
    async with database.connection() as connection:
        await catalogue.refresh(connection)
        assert catalogue.places(Selector(("cpu",))) == {}
        await store.declare(server, [source("cpu")])
        await catalogue.refresh(connection)
        assert len(catalogue.places(Selector(("cpu",)))) == 1
        assert catalogue.places(Selector(("cpu",), frozenset([uuid4()]))) == {}
        assert [tuple(one) for one in catalogue.metrics()] == [("cpu", "1", 1, 1)]


async def test_a_lower_id_that_commits_later_is_not_missed(store: Store) -> None:
    """As when two writers declare at once: ids are given before their transactions end."""
    catalogue = Catalogue()
    await store.declare(uuid4(), [source("first")])
    await store.declare(uuid4(), [source("cpu")])
    async with database.connection() as connection:
        await connection.execute("CREATE TABLE hidden AS SELECT * FROM sources WHERE source_id = 1")
        await connection.execute("DELETE FROM sources WHERE source_id = 1")
        await catalogue.refresh(connection)
        assert [one.metric for one in catalogue.metrics()] == ["cpu"]
        await connection.execute("INSERT INTO sources OVERRIDING SYSTEM VALUE SELECT * FROM hidden")
        await catalogue.refresh(connection)
        assert [one.metric for one in catalogue.metrics()] == ["cpu", "first"]


async def test_what_is_long_known_is_not_read_again(store: Store) -> None:
    catalogue = Catalogue()
    await store.declare(uuid4(), [source("cpu")])
    async with database.connection() as connection:
        await connection.execute("UPDATE sources SET declared_at = now() - interval '1 hour'")
        await catalogue.refresh(connection)
        assert catalogue.complete_until == 1
        await catalogue.refresh(connection)
        assert len(catalogue.places(Selector(("cpu",)))) == 1


async def test_forgotten_sources_are_forgotten(store: Store) -> None:
    catalogue = Catalogue()
    await store.declare(uuid4(), [source("cpu")])
    await store.declare(uuid4(), [source("cpu")])
    async with database.connection() as connection:
        await connection.execute("UPDATE sources SET declared_at = now() - interval '1 hour'")
        await catalogue.refresh(connection)
        await connection.execute("DELETE FROM sources WHERE source_id = 1")
        await catalogue.refresh(connection)
        assert [one.servers for one in catalogue.metrics()] == [1]
