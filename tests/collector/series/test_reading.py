"""Reading back what was stored: buckets, gaps, layouts that change, and what is latest."""

import math
from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest

from pudim_collector.series import limits
from pudim_collector.series.limits import TooManySeries
from pudim_collector.series.reading import Reader
from pudim_collector.series.store import Store
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source
from tests.collector.series.questions import asked

START = int(NOW.timestamp())
HOUR = timedelta(hours=1)


async def test_one_metric_in_buckets(store: Store, reader: Reader) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("other", "cpu")])
    await commit(
        store, server, [frames(one, [START + 10 * n for n in range(12)], [[-1.0, n] for n in range(12)])]
    )
    found = await reader.read(asked("cpu", [server], NOW, NOW + timedelta(minutes=2), points=2))
    assert found.step == 60
    (series,) = found.series
    assert (series.server_id, series.series.metric) == (server, "cpu")
    assert series.columns.time.tolist() == [START, START + 60]
    assert series.columns.low.tolist() == [0, 6]
    assert series.columns.mean.tolist() == [2.5, 8.5]
    assert series.columns.high.tolist() == [5, 11]
    assert series.columns.count.tolist() == [6, 6]


async def test_the_range_is_half_open(store: Store, reader: Reader) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    await commit(store, server, [frames(one, [START, START + 10, START + 20], [[0.0], [1.0], [2.0]])])
    (series,) = (
        await reader.read(asked("cpu", [server], NOW, NOW + timedelta(seconds=20), points=100))
    ).series
    assert series.columns.mean.tolist() == [0, 1]


async def test_a_missing_sample_counts_for_nothing(store: Store, reader: Reader) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    times = [START + 10 * n for n in range(6)]
    await commit(
        store, server, [frames(one, times, [[4.0], [math.nan], [2.0], [math.nan], [math.nan], [math.nan]])]
    )
    (series,) = (await reader.read(asked("cpu", [server], NOW, NOW + timedelta(minutes=1), points=2))).series
    assert series.columns.count.tolist() == [2, 0]
    assert series.columns.mean[0] == 3.0
    assert np.isnan(series.columns.mean[1])


@pytest.mark.parametrize("wild", [1e300, -1e300, 1.7e308, math.inf, -math.inf])
async def test_what_no_host_measures_spoils_no_bucket(store: Store, reader: Reader, wild: float) -> None:
    """One agent's nonsense must not fail the chart of all servers."""
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    times = [START + 10 * n for n in range(4)]
    await commit(store, server, [frames(one, times, [[wild], [2.0], [wild], [wild]])])
    (series,) = (await reader.read(asked("cpu", [server], NOW, NOW + timedelta(minutes=1), points=1))).series
    assert (series.columns.mean.tolist(), series.columns.count.tolist()) == ([2.0], [1])


async def test_a_gap_stays_a_gap(store: Store, reader: Reader) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    times = [START + n for n in (0, 10, 20, 200, 210)]
    await commit(store, server, [frames(one, times, [[1.0]] * 5)])
    (series,) = (await reader.read(asked("cpu", [server], NOW, NOW + HOUR, points=3600))).series
    assert series.columns.count.tolist() == [1, 1, 1, 0, 1, 1]


async def test_a_series_continues_in_a_new_layout(store: Store, reader: Reader) -> None:
    server = uuid4()
    before, after = await store.declare(server, [source("cpu"), source("disk", "cpu")])
    await commit(store, server, [frames(before, [START], [[1.0]]), frames(after, [START + 10], [[9.0, 2.0]])])
    (series,) = (await reader.read(asked("cpu", [server], NOW, NOW + HOUR, points=3600))).series
    assert series.columns.mean.tolist() == [1, 2]


async def test_labels_of_the_source_are_labels_of_its_series(store: Store, reader: Reader) -> None:
    server = uuid4()
    ids = await store.declare(server, [source("rss", name="process", group=group) for group in ("a", "b")])
    await commit(store, server, [frames(one, [START], [[1.0]]) for one in ids])
    found = await reader.read(asked("rss", [server], NOW, NOW + HOUR, points=3600))
    assert [dict(series.series.labels) for series in found.series] == [{"group": "a"}, {"group": "b"}]


async def test_servers_are_kept_apart_and_only_those_asked_for_are_read(store: Store, reader: Reader) -> None:
    servers = [uuid4() for _ in range(3)]
    for number, server in enumerate(servers):
        (one,) = await store.declare(server, [source("cpu")])
        await commit(store, server, [frames(one, [START], [[float(number)]])])
    found = await reader.read(asked("cpu", servers[:2], NOW, NOW + HOUR, points=10))
    assert {one.server_id: one.columns.mean.tolist() for one in found.series} == {
        servers[0]: [0.0],
        servers[1]: [1.0],
    }


async def test_what_was_never_measured_is_no_series(store: Store, reader: Reader) -> None:
    server = uuid4()
    (one,) = await store.declare(server, [source("cpu")])
    await commit(store, server, [frames(one, [START], [[1.0]])])
    assert (await reader.read(asked("nothing", [server], NOW, NOW + HOUR, points=10))).series == []
    assert (await reader.read(asked("cpu", [], NOW, NOW + HOUR, points=10))).series == []
    assert (await reader.read(asked("cpu", [server], NOW + HOUR, NOW + 2 * HOUR, points=10))).series == []


async def test_too_many_series_are_refused(
    store: Store, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SERIES", 2)
    server = uuid4()
    await store.declare(server, [source("cpu", group=str(n)) for n in range(3)])
    with pytest.raises(TooManySeries):
        await reader.read(asked("cpu", [server], NOW, NOW + HOUR, points=10))


async def test_latest_is_the_newest_of_each_series(store: Store, reader: Reader) -> None:
    server = uuid4()
    old, new = await store.declare(server, [source("cpu", "gone"), source("cpu", "disk")])
    await commit(
        store,
        server,
        [
            frames(old, [START], [[1.0, 7.0]]),
            frames(new, [START + 10, START + 20], [[2.0, 3.0], [4.0, math.nan]]),
        ],
    )
    found = {
        one.series.metric: (one.time.timestamp(), one.value) for one in await reader.latest([server], NOW)
    }
    assert found["cpu"] == (START + 20, 4.0)
    assert found["gone"] == (START, 7.0)
    assert math.isnan(found["disk"][1])
    assert {one.series.metric for one in await reader.latest([server], NOW, ["cpu"])} == {"cpu"}
    assert await reader.latest([server], NOW + HOUR) == []


async def test_last_stored_is_when_a_commit_came(store: Store, reader: Reader) -> None:
    seen, silent = uuid4(), uuid4()
    (one,) = await store.declare(seen, [source("cpu")])
    await commit(store, seen, [frames(one, [START], [[1.0]])])
    await store.open_boot(silent, b"x" * 16)
    assert set(await reader.last_stored([seen, silent])) == {seen}


async def test_frames_after_a_time_come_in_order(store: Store, reader: Reader) -> None:
    server = uuid4()
    host, process = await store.declare(server, [source("cpu"), source("rss", name="process", group="a")])
    await commit(
        store,
        server,
        [
            frames(process, [START + 10], [[5.0]]),
            frames(host, [START, START + 10, START + 20], [[1.0], [2.0], [3.0]]),
        ],
    )
    found = await reader.frames_after(server, NOW, 100)
    assert [(one.source, one.time.timestamp() - START, one.values) for one in found] == [
        ("host", 10, [2.0]),
        ("process", 10, [5.0]),
        ("host", 20, [3.0]),
    ]
    assert found[1].series[0].labels == (("group", "a"),)
    assert len(await reader.frames_after(server, NOW, 2)) == 2
