"""Questions of many series through the API: matchers, tags, groups, ranks, rates, percentiles, pickers and refusals."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg

from pudim.wire.batches import block
from pudim.wire.layouts import Layout, Series, Source
from tests.collector.app.site import HOST, Site, figures, report, store
from tests.collector.ingest.agent import LedAgent, now_ms

CPU, DISK = "system.cpu.utilization", "system.filesystem.utilization"
MOUNT = "system.filesystem.mountpoint"
REQUESTS = Source("host", (), Layout((Series("requests", "{request}"),)))
BOUNDS = ("0.1", "0.5", "1", "+Inf")
LATENCY = Source("host", (), Layout(tuple(Series("latency.bucket", "s", (("le", one),)) for one in BOUNDS)))
BASE = now_ms() // 60_000 * 60_000 - 600_000
RANGE = {"from": BASE / 1000, "to": BASE / 1000 + 60}


async def means(site: Site, **asked: Any) -> list[list[float | None]]:
    found = await site.get("/api/v2/series", **({"metric": CPU} | RANGE | {"step": 10} | asked))
    return [one["avg"] for one in found["series"]]


async def counted(site: Site, source: Source, *rows: Sequence[float]) -> LedAgent:
    """A server with a row each ten seconds from BASE on."""
    agent = await site.enrol()
    times = [BASE + 10_000 * n for n in range(len(rows))]
    async with agent:
        await store(agent, 1, [block(source.hash, times, [tuple(row) for row in rows])], source)
    return agent


async def test_matchers_choose_series_by_their_labels(site: Site) -> None:
    await report(await site.enrol(), figures(BASE))
    assert await means(site, metric=DISK, where=f"{MOUNT}=/srv") == [[0.125]]
    assert await means(site, metric=DISK, where=f"{MOUNT}!=/srv") == [[0.75]]
    assert await means(site, metric=DISK, where=f"{MOUNT}=~/s.*") == [[0.125]]
    assert await means(site, metric=DISK, where=[f"{MOUNT}!~/.+", f"{MOUNT}=~/.*"]) == [[0.75]]
    assert await means(site, where="cpu.mode=") == [[0.25]]


async def test_tags_choose_servers(site: Site) -> None:
    for n, tags in enumerate((["web"], ["web", "prod"], [])):
        agent = await site.enrol(f"s{n}")
        await report(agent, figures(BASE, n / 10))
        async with site.client() as client:
            answer = await client.patch(f"/api/v2/servers/{agent.agent_id}", json={"tags": tags})
            assert answer.status_code == 200
    assert sorted(await means(site, tag="web", where="cpu.mode=")) == [[0.0], [0.1]]
    assert await means(site, tag=["web", "prod"], where="cpu.mode=") == [[0.1]]
    assert await means(site, tag="none") == []
    assert await means(site, tag="web", server=str(agent.agent_id)) == []


async def test_series_of_servers_become_one(site: Site) -> None:
    agents = [await site.enrol(name) for name in ("a", "b")]
    for n, agent in enumerate(agents):
        await report(agent, figures(BASE, 0.25 * (n + 1)), *([figures(BASE + 10_000, 0.5)] * n))
    asked = {"where": "cpu.mode="}
    assert await means(site, aggregate="sum", **asked) == [[0.75, 0.5]]
    assert await means(site, aggregate="avg", **asked) == [[0.375, 0.5]]
    assert await means(site, aggregate="count", **asked) == [[2, 1]]
    found = await site.get("/api/v2/series", metric=DISK, **RANGE, step=10, aggregate="max", by=MOUNT)
    assert sorted((one["server"], one["labels"][MOUNT], one["avg"][0]) for one in found["series"]) == [
        (None, "/", 0.75),
        (None, "/srv", 0.125),
    ]
    by_server = await site.get("/api/v2/series", metric=DISK, **RANGE, step=10, aggregate="max", by="server")
    assert sorted(one["server"] for one in by_server["series"]) == sorted(str(one.agent_id) for one in agents)


async def test_ranks(site: Site) -> None:
    for n in range(4):
        await report(await site.enrol(), figures(BASE, n / 8))
    assert await means(site, where="cpu.mode=", top=2) == [[0.375], [0.25]]
    assert await means(site, where="cpu.mode=", bottom=1, rank="latest") == [[0.0]]


async def test_only_the_figures_that_are_asked_for_are_told(site: Site) -> None:
    await report(await site.enrol(), figures(BASE, 0.5))
    asked = {"metric": DISK, **RANGE, "step": 10}
    (one, _) = (await site.get("/api/v2/series", **asked, column="avg"))["series"]
    assert set(one) == {"server", "labels", "time", "avg"}
    (both, _) = (await site.get("/api/v2/series", **asked, column=["count", "max"]))["series"]
    assert set(both) == {"server", "labels", "time", "max", "count"}
    (every, _) = (await site.get("/api/v2/series", **asked))["series"]
    assert set(every) == {"server", "labels", "time", "min", "avg", "max", "count"}
    assert every["avg"] == one["avg"]


async def test_a_rate(site: Site) -> None:
    await counted(site, REQUESTS, [100], [150], [20])
    found = await site.get("/api/v2/series", metric="requests", **RANGE, step=10, rate=True)
    assert found["unit"] == "{request}/s"
    assert [one["avg"] for one in found["series"]] == [[5, 2]]


async def test_a_percentile_of_a_histogram_by_its_name(site: Site) -> None:
    await counted(site, LATENCY, [0, 0, 0, 0], [10, 70, 90, 100])
    for name in ("latency", "latency.bucket"):
        assert await means(site, metric=name, percentile=0.7) == [[0.5]]
    found = await site.get("/api/v2/series", metric="latency", **RANGE, step=10, percentile=0.95)
    assert [(one["labels"], one["avg"], one["count"]) for one in found["series"]] == [({}, [1.0], [100])]


async def test_charts_of_several_metrics_come_at_once_and_in_order(site: Site) -> None:
    agent = await site.enrol()
    await report(agent, figures(BASE))
    names = [DISK, "nothing", CPU]
    found = await site.get("/api/v2/charts", metric=names, server=str(agent.agent_id), **RANGE, step=10)
    assert [one["metric"] for one in found["metrics"]] == names
    for one in found["metrics"]:
        alone = await site.get("/api/v2/series", metric=one["metric"], **RANGE, step=10)
        assert (alone["unit"], alone["series"]) == (one["unit"], one["series"])
    assert (found["step"], found["tier"]) == (10, "raw")


async def test_the_top_by_latest_value(site: Site) -> None:
    for n in range(4):
        await report(await site.enrol(), figures(now_ms(), n / 8))
    await report(await site.enrol(), figures(now_ms() - 600_000, 1.0))

    async def values(**asked: Any) -> list[float]:
        found = await site.get("/api/v2/top", metric=CPU, where="cpu.mode=", **asked)
        return [one["value"] for one in found]

    assert await values(limit=2) == [0.375, 0.25]
    assert await values(limit=1, order="asc") == [0.0]
    assert len(await values()) == 4
    assert await site.get("/api/v2/top", metric="nothing") == []


async def test_pickers_name_metrics_and_labels(site: Site) -> None:
    for _ in range(2):
        await report(await site.enrol())
    found = {one["name"]: one for one in (await site.get("/api/v2/metrics"))["items"]}
    assert found[DISK] == {"name": DISK, "unit": "1", "series": 4, "servers": 2}
    assert await site.get(f"/api/v2/metrics/{DISK}/labels") == {
        "items": [{"name": MOUNT, "values": ["/", "/srv"], "distinct": 2}],
        "next_cursor": None,
    }
    assert (await site.get("/api/v2/metrics/nothing/labels"))["items"] == []


async def test_what_cannot_be_answered_is_named(site: Site) -> None:
    await report(await site.enrol())
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"where": "nonsense"}, 422, "bad_matcher"),
        ({"where": "a=~("}, 422, "bad_matcher"),
        ({"where": "a=~" + "x" * 300}, 422, "bad_matcher"),
        ({"by": "a"}, 422, "bad_question"),
        ({"percentile": 0.5, "rate": True}, 422, "bad_question"),
        ({"top": 1, "bottom": 1}, 422, "bad_question"),
        ({"step": 1, "from": "-7d"}, 422, "too_many_points"),
        ({"step": 0}, 400, "invalid_request"),
        ({"percentile": 2}, 400, "invalid_request"),
        ({"aggregate": "median"}, 400, "invalid_request"),
        ({"column": "median"}, 400, "invalid_request"),
        ({"top": 0}, 400, "invalid_request"),
        ({"rank": "beauty"}, 400, "invalid_request"),
        ({"tag": ["x"] * 21}, 400, "invalid_request"),
    ]
    for wrong, status, code in cases:
        problem = await site.get("/api/v2/series", status, **({"metric": CPU} | wrong))
        assert (problem["code"], problem["status"]) == (code, status), wrong


async def reading_now(site: Site) -> list[str]:
    """Statements of connections for reading that run or wait."""
    database = site.runtime.database
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'pudim reading' AND state = 'active'"
        )
        return [row[0] for row in await cursor.fetchall()]


async def until(site: Site, running: int) -> None:
    async with asyncio.timeout(10):
        while len(await reading_now(site)) != running:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def nothing_can_be_read(site: Site) -> AsyncIterator[None]:
    """Whoever reads waits, as behind a statement without end."""
    async with await psycopg.AsyncConnection.connect(site.runtime.database.conninfo) as connection:
        await connection.execute("LOCK TABLE sources IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.rollback()


async def test_a_client_that_hangs_up_ends_its_statement(site: Site) -> None:
    async with nothing_can_be_read(site):
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        head = f"GET /api/v2/series?metric={CPU} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {site.token}\r\n\r\n"
        writer.write(head.encode())
        await writer.drain()
        await until(site, 1)
        writer.close()
        await until(site, 0)
        assert await reader.read() == b""
    assert await site.get("/api/v2/series", metric=CPU)


async def test_reading_goes_on_when_the_server_has_ended_its_connections(site: Site) -> None:
    async with site.runtime.database.connection() as connection:
        cursor = await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'pudim reading'"
        )
        assert len(await cursor.fetchall()) >= 2
    for _ in range(4):
        await site.get("/api/v2/series", metric=CPU)


async def test_reading_cannot_write(site: Site) -> None:
    async def write(connection: Any) -> None:
        await connection.execute("UPDATE store SET forgotten = 1")

    try:
        await site.runtime.read_pool.run(write)
    except psycopg.errors.ReadOnlySqlTransaction:
        return
    raise AssertionError("it wrote")


async def test_what_was_replayed_late_is_there_after_the_next_pass(site: Site) -> None:
    agent = await site.enrol()
    early = (now_ms() - int(timedelta(hours=3) / timedelta(milliseconds=1))) // 3_600_000 * 3_600_000
    async with agent:
        await store(agent, 1, [figures(early + 10_000 * n, 0.5) for n in range(360)], HOST)
    await site.runtime.upkeep.run_once()
    for step, tier in ((3600, "hour"), (60, "minute"), (10, "raw")):
        found = await site.get(
            "/api/v2/series",
            metric=CPU,
            where="cpu.mode=",
            step=step,
            **{"from": early / 1000, "to": early / 1000 + 3600},
        )
        assert found["tier"] == tier
        (one,) = found["series"]
        assert (sum(one["count"]), set(one["avg"])) == (360, {0.5})
