"""Latest values and ranges in the API: columns that fit together, gaps that show, nothing made up."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pudim.wire.batches import block
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import HOST, PAGE, Site, figures, process, report, store
from tests.collector.ingest.agent import LedAgent, now_ms

CPU, MEMORY, DISK = "system.cpu.utilization", "system.memory.utilization", "system.filesystem.utilization"
BASE = now_ms() // 60_000 * 60_000 - 1_800_000
"""A full minute, half an hour ago."""
COLUMNS = ("time", "min", "avg", "max", "count")


async def test_latest_is_the_newest_of_each_series_and_null_when_it_was_not_measured(site: Site) -> None:
    agent, now = await site.enrol(), now_ms()
    nginx = process("nginx")
    async with agent:
        await store(agent, 1, [figures(now - 10_000), figures(now, 0.9, memory=math.nan)], HOST)
        await store(agent, 2, [block(nginx.hash, [now - 5_000], [(3.5,)])], nginx)
    found = await site.get(f"/api/v2/servers/{agent.agent_id}/latest")
    assert [(one["metric"], one["labels"], one["value"]) for one in found] == [
        ("process.cpu.utilization", {"process.executable.name": "nginx"}, 3.5),
        (CPU, {}, 0.9),
        (CPU, {"cpu.mode": "user"}, 0.2),
        (DISK, {"system.filesystem.mountpoint": "/"}, 0.75),
        (DISK, {"system.filesystem.mountpoint": "/srv"}, 0.125),
        (MEMORY, {}, None),
    ]
    assert {one["unit"] for one in found} == {"1"}
    times = {datetime.fromisoformat(one["time"]) for one in found}
    assert times == {datetime.fromtimestamp(at / 1000, UTC) for at in (now, now - 5_000)}


async def test_what_is_older_than_five_minutes_is_not_the_latest(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    await report(agent)
    clock.advance(timedelta(minutes=4))
    assert len(await site.get(f"/api/v2/servers/{agent.agent_id}/latest")) == 5
    clock.advance(timedelta(minutes=2))
    assert await site.get(f"/api/v2/servers/{agent.agent_id}/latest") == []


async def test_columns_have_one_length_and_a_gap_is_a_row_of_nulls(site: Site) -> None:
    agent = await site.enrol()
    ticks = [*range(6), *range(18, 24)]
    await report(agent, *(figures(BASE + 10_000 * n, n / 100) for n in ticks))
    found = await site.get(
        "/api/v2/series", metric=CPU, **{"from": BASE / 1000, "to": BASE / 1000 + 240, "points": 24}
    )
    assert (found["metric"], found["unit"], found["step"]) == (CPU, "1", 10)
    assert (found["from"], found["to"]) == (BASE / 1000, BASE / 1000 + 240)
    total, user = sorted(found["series"], key=lambda one: len(one["labels"]))
    assert (total["server"], total["labels"]) == (str(agent.agent_id), {})
    assert user["labels"] == {"cpu.mode": "user"}
    assert {len(total[name]) for name in COLUMNS} == {13}
    assert total["time"][:7] == [BASE / 1000 + 10 * n for n in range(7)]
    assert [total[name][6] for name in COLUMNS[1:]] == [None, None, None, 0]
    assert total["avg"][7:] == [n / 100 for n in ticks[6:]]
    assert total["count"] == [*[1] * 6, 0, *[1] * 6]
    assert total["min"] == total["avg"] == total["max"]


async def test_buckets_hold_minimum_average_and_maximum(site: Site) -> None:
    agent = await site.enrol()
    await report(agent, *(figures(BASE + 10_000 * n, n / 8) for n in range(6)))
    await site.runtime.upkeep.run_once()
    found = await site.get(
        "/api/v2/series", metric=CPU, **{"from": BASE / 1000, "to": BASE / 1000 + 60, "points": 1}
    )
    total = next(one for one in found["series"] if not one["labels"])
    assert (found["step"], found["tier"]) == (60, "minute")
    assert [total[name] for name in COLUMNS] == [[BASE / 1000], [0.0], [0.3125], [0.625], [6]]


async def test_what_could_not_be_measured_is_null_and_never_nan(site: Site) -> None:
    agent = await site.enrol()
    await report(agent, *(figures(BASE + 10_000 * n, math.nan) for n in range(3)))
    async with site.client() as client:
        answer = await client.get("/api/v2/series", params={"metric": CPU, "points": 500})
    assert "NaN" not in answer.text
    total = next(one for one in answer.json()["series"] if not one["labels"])
    assert total["avg"] == [None] * 3
    assert total["count"] == [0] * 3


async def test_servers_are_chosen_by_repeating_and_all_are_meant_by_none(site: Site) -> None:
    agents = [await site.enrol(name) for name in ("a", "b", "c")]
    for agent in agents:
        await report(agent)
    ids = [str(agent.agent_id) for agent in agents]

    async def servers(*wanted: str) -> list[str]:
        found = await site.get("/api/v2/series", metric=MEMORY, server=list(wanted), to="-0s")
        return [one["server"] for one in found["series"]]

    site.clock.advance(60)  # frames are made by the real clock
    assert sorted(await servers()) == sorted(ids)
    assert sorted(await servers(ids[0], ids[2])) == sorted([ids[0], ids[2]])
    assert await servers(ids[1], ids[1]) == [ids[1]]


async def test_an_unknown_metric_is_empty_and_an_unknown_server_is_not_found(site: Site) -> None:
    agent, stranger = await site.enrol(), UUID(int=1)
    await report(agent)
    found = await site.get("/api/v2/series", metric="no.such.metric")
    assert (found["unit"], found["series"]) == ("", [])
    for servers in ([str(stranger)], [str(agent.agent_id), str(stranger)]):
        problem = await site.get("/api/v2/series", 404, metric=CPU, server=servers)
        assert problem["code"] == "no_such_server"
    problem = await site.get(f"/api/v2/servers/{stranger}/latest", 404)
    assert problem["code"] == "no_such_server"


async def test_what_cannot_be_read_is_named(site: Site) -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({"metric": ""}, 400),
        ({"metric": "x" * 257}, 400),
        ({"metric": "x\x00"}, 400),
        ({"metric": None}, 400),
        ({"points": 0}, 400),
        ({"points": 5001}, 400),
        ({"points": "many"}, 400),
        ({"points": 10**30}, 400),
        ({"server": "x"}, 400),
        ({"server": [str(UUID(int=n)) for n in range(501)]}, 400),
        ({"from": "x" * 65}, 400),
        ({"from": "yesterday"}, 422),
        ({"to": "2026-02-30"}, 422),
        ({"from": "now"}, 422),
        ({"from": "-2y"}, 422),
        ({"from": "0001-01-01T00:00:00+23:59", "to": "9999-12-31"}, 422),
    ]
    for wrong, status in cases:
        asked = {name: value for name, value in ({"metric": CPU} | wrong).items() if value is not None}
        problem = await site.get("/api/v2/series", status, **asked)
        assert problem["code"] in {"invalid_request", "bad_time", "bad_range"}
        assert problem["status"] == status


async def test_the_ends_of_time_are_read_too(site: Site) -> None:
    for start, end in [
        ("0001-01-01T00:00:00+23:59", "0001-01-02"),
        ("9999-12-31T00:00:00", "9999-12-31T23:59:59-23:59"),
        ("-1", "0"),
        ("-1s", "now"),
        ("-366d", "now"),
    ]:
        await report(await site.enrol())
        for points in (1, 5000):
            found = await site.get(
                "/api/v2/series", metric=CPU, **{"from": start, "to": end, "points": points}
            )
            assert (found["to"] - found["from"]) / found["step"] <= points


async def test_hundreds_of_servers_are_read_at_once(site: Site) -> None:
    agents: list[LedAgent] = [await site.enrol(f"s{n}") for n in range(3)]
    ids = [str(agents[n % 3].agent_id) for n in range(500)]
    await site.get("/api/v2/series", metric=CPU, server=ids)


async def test_the_page_of_a_server_shows_its_figures(site: Site) -> None:
    agent = await site.enrol("<b>bold</b>")
    await report(agent)
    async with site.client(**PAGE) as client:
        answer = await client.get(f"/servers/{agent.agent_id}")
        assert answer.status_code == 200
        assert "&lt;b&gt;bold&lt;/b&gt;" in answer.text
        assert "<b>bold" not in answer.text
        assert (await client.get(f"/servers/{UUID(int=1)}")).status_code == 404
