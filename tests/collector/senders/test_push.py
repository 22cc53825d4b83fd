"""Metrics from outside through the whole process: stored before they are acknowledged, refused by name otherwise."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from uuid import UUID

from pudim_collector.infra.database import database
from pudim_collector.series.statements import fetch
from tests.collector.app.site import HOST, Site, figures, report, store
from tests.collector.ingest.agent import now_ms
from tests.collector.ingest.outside.made import (
    STALE,
    export,
    metric,
)
from tests.collector.senders.asking import UP, gauge, read, rows, servers
from tests.collector.senders.conftest import Pusher

MakePusher = Callable[..., Awaitable[Pusher]]


async def test_what_otlp_brings_is_stored_and_read(site: Site, pusher: Pusher) -> None:
    request = export(
        metric("jobs.waiting", "gauge", gauge(3, queue="mail"), gauge(5, queue="print"), unit="{job}"),
        host_name="web-1",
        service_name="shop",
    )
    answer = await pusher.otlp(request)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    labels = {"service.name": "shop", "pudim.sender": "lab"}
    assert await read(site, "jobs.waiting") == [
        ({**labels, "queue": "mail"}, [3]),
        ({**labels, "queue": "print"}, [5]),
    ]
    server = (await servers(site))["web-1"]
    assert (server["kind"], server["state"], server["agent_version"], server["cpu"]) == (
        "outside",
        "live",
        None,
        None,
    )


async def test_json_is_answered_in_json(pusher: Pusher) -> None:
    for request, expected in (
        (export(metric("m", "gauge", gauge(1))), {}),
        (
            export(metric("", "gauge", gauge(1))),
            {
                "partialSuccess": {
                    "rejectedDataPoints": "1",
                    "errorMessage": "1 refused, bad_name: a metric without a name",
                }
            },
        ),
    ):
        answer = await pusher.post(
            "/v1/metrics", json.dumps(request).encode(), content_type="application/json"
        )
        assert (answer.status_code, answer.json()) == (200, expected)
        assert answer.headers["content-type"] == "application/json"
    answer = await pusher.post("/v1/metrics", b"[]", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


async def test_what_remote_write_brings_is_stored_and_read(site: Site, pusher: Pusher) -> None:
    now = now_ms()
    wait = {**UP, "__name__": "wait_seconds_bucket", "le": "0.5"}
    answer = await pusher.write(
        (UP, [(now - 20_000, 1.0), (now - 10_000, 0.0)]), (wait, [(now - 10_000, 7.0)])
    )
    assert (answer.status_code, answer.content) == (204, b"")
    target = {"job": "node", "instance": "web-1:9100", "pudim.sender": "lab"}
    assert await read(site, "up") == [(target, [1, 0])]
    assert await read(site, "wait_seconds_bucket") == [({**target, "le": "0.5"}, [7])]
    assert list(await servers(site)) == ["node/web-1:9100"]


async def test_without_anything_to_store_the_answer_is_good(pusher: Pusher) -> None:
    assert (await pusher.write()).status_code == 204
    assert (await pusher.otlp({})).status_code == 200
    assert await rows() == 0


async def test_a_repeated_push_makes_no_new_sample(site: Site, pusher: Pusher) -> None:
    now = now_ms()
    for _ in range(3):
        assert (await pusher.write((UP, [(now - 1000, 1.0)]))).status_code == 204
    assert [values for _, values in await read(site, "up")] == [[1.0]]


async def test_a_stale_marker_and_nan_are_missing(site: Site, pusher: Pusher) -> None:
    now = now_ms()
    samples = [(now - 30_000, 1.0), (now - 20_000, STALE), (now - 10_000, math.nan)]
    assert (await pusher.write((UP, samples))).status_code == 204
    assert [values for _, values in await read(site, "up")] == [[1.0]]
    assert await rows() == 1


async def test_a_host_with_an_agent_gets_its_samples_beside_the_agents_own(
    site: Site, pusher: Pusher
) -> None:
    """Whoever holds a token can neither forge nor overwrite what the agent measured."""
    agent = await site.enrol("web-1")
    await report(agent, figures(cpu=0.25))
    now = now_ms()
    lies = [
        metric("system.cpu.utilization", "gauge", gauge(0.99, now), unit="1"),
        metric("system.filesystem.utilization", "gauge", gauge(0.99, now), unit="1"),
    ]
    assert (await pusher.otlp(export(*lies, host_name="web-1"))).status_code == 200
    forged = {**UP, "__name__": "system.cpu.utilization", "instance": "web-1:1", "pudim.sender": ""}
    assert (await pusher.write((forged, [(now, 0.98)]))).status_code == 204
    found = await servers(site)
    assert list(found) == ["web-1"]
    assert (found["web-1"]["kind"], found["web-1"]["cpu"], found["web-1"]["disk"]) == ("agent", 0.25, 0.75)
    own = [
        values
        for labels, values in await read(site, "system.cpu.utilization")
        if "pudim.sender" not in labels
    ]
    assert own == [[0.25], [0.2]]
    others = [
        (labels["pudim.sender"], values)
        for labels, values in await read(site, "system.cpu.utilization")
        if "pudim.sender" in labels
    ]
    assert others == [("lab", [0.98]), ("lab", [0.99])]


async def test_a_live_page_of_an_agents_server_skips_nothing_for_what_others_push(
    site: Site, pusher: Pusher
) -> None:
    """Their clocks run ahead by up to a minute, and a live stream goes on from the newest frame."""
    agent = await site.enrol("web-1")
    ahead = export(metric("m", "gauge", gauge(1, now_ms() + 30_000)), host_name="web-1")
    async with agent, site.events(f"/live/servers/{agent.agent_id}") as events:
        await store(agent, 1, [figures()], HOST)
        assert (await events.next()).name == "layout"
        assert (await events.next()).said["values"][0] == 0.25
        assert (await pusher.otlp(ahead)).status_code == 200
        await store(agent, 2, [figures(cpu=0.75)])
        assert (await events.next()).said["values"][0] == 0.75


async def test_a_live_page_of_a_server_from_outside_moves(site: Site, pusher: Pusher) -> None:
    await pusher.write((UP, [(now_ms() - 1000, 1.0)]))
    server = (await servers(site))["node/web-1:9100"]
    async with site.events(f"/live/servers/{server['id']}") as events:
        await pusher.write((UP, [(now_ms(), 0.0)]))
        layout = await events.next()
        assert layout.said["series"][0]["labels"]["pudim.sender"] == "lab"
        assert (await events.next()).said["values"] == [0.0]


async def test_a_dead_agents_server_is_not_brought_to_life_by_others(site: Site, pusher: Pusher) -> None:
    agent = await site.enrol("web-1")
    await report(agent)
    site.clock.advance(40)
    assert (await pusher.otlp(export(metric("m", "gauge", gauge(1)), host_name="web-1"))).status_code == 200
    assert (await servers(site))["web-1"]["state"] == "silent"


async def test_no_agent_can_speak_for_a_server_from_outside(site: Site, pusher: Pusher) -> None:
    await pusher.otlp(export(metric("m", "gauge", gauge(1)), host_name="web-9"))

    server_id = UUID((await servers(site))["web-9"]["id"])
    assert await site.runtime.agents.find(server_id) is None


async def test_a_server_is_silent_after_two_missed_minutes_and_lives_again(
    site: Site, pusher: Pusher
) -> None:
    states = []
    for wait in (0, 149, 2):
        site.clock.advance(wait)
        if not wait:
            await pusher.write((UP, [(now_ms(), 1.0)]))
        states.append((await servers(site))["node/web-1:9100"]["state"])
    await pusher.write((UP, [(now_ms() + 1, 1.0)]))
    states.append((await servers(site))["node/web-1:9100"]["state"])
    assert states == ["live", "live", "silent", "live"]


async def test_tokens_of_one_name_write_into_the_same_series(site: Site, make_pusher: MakePusher) -> None:
    now = now_ms()
    for number, pusher in enumerate([await make_pusher("lab"), await make_pusher("lab")]):
        await pusher.write((UP, [(now - 10_000 + 5000 * number, float(number))]))
    assert [values for _, values in await read(site, "up")] == [[0, 1]]


async def test_senders_of_different_names_do_not_meet(site: Site, make_pusher: MakePusher) -> None:
    now = now_ms()
    for name in ("one", "two"):
        await (await make_pusher(name)).write((UP, [(now, 1.0)]))
    assert sorted(labels["pudim.sender"] for labels, _ in await read(site, "up")) == ["one", "two"]
    assert len(await servers(site)) == 1


async def test_a_restart_goes_on_with_the_same_series(site: Site, pusher: Pusher) -> None:
    now = now_ms()
    for step in range(3):
        assert (await pusher.write((UP, [(now - 30_000 + 10_000 * step, float(step))]))).status_code == 204
        site.runtime.doors.intake._shelving.forget(2**62)
        site.runtime.doors.known._found.clear()
    assert [values for _, values in await read(site, "up")] == [[0, 1, 2]]
    async with database.connection() as connection:
        assert await fetch(connection, "SELECT count(*) FROM sources") == [(1,)]


async def test_many_at_once_are_all_stored(site: Site, pusher: Pusher) -> None:
    now = now_ms()
    answers = await asyncio.gather(
        *(
            pusher.write(
                *[
                    ({**UP, "__name__": f"m{n}", "shard": str(shard % 5)}, [(now - 1000 * shard, 1.0)])
                    for n in range(20)
                ]
            )
            for shard in range(15)
        )
    )
    assert {answer.status_code for answer in answers} == {204}
    for name in ("m0", "m19"):
        assert [len(values) for _, values in await read(site, name)] == [3] * 5
