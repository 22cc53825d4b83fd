"""Metrics from outside through the whole process: stored before they are acknowledged, refused by name otherwise."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from pudim_collector.infra.database import database
from pudim_collector.ingest.outside import endpoint
from pudim_collector.ingest.outside.messages import Status
from pudim_collector.series.statements import fetch
from tests.collector.app.site import PAGE, Site, figures, report
from tests.collector.ingest.agent import now_ms
from tests.collector.ingest.outside.made import (
    STALE,
    attributes,
    export,
    gzipped,
    metric,
    ns,
    snappy,
    write_request,
)
from tests.collector.senders.conftest import Pusher

MakePusher = Callable[..., Awaitable[Pusher]]
UP = {"__name__": "up", "job": "node", "instance": "web-1:9100"}


def gauge(value: float, at: int | None = None, **labels: str) -> dict[str, Any]:
    return {
        "timeUnixNano": ns(now_ms() if at is None else at),
        "asDouble": value,
        "attributes": attributes(**labels),
    }


async def servers(site: Site) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await site.get("/api/v2/servers"))["items"]}


async def read(site: Site, name: str) -> list[tuple[dict[str, str], list[float]]]:
    """Labels and the last hour's values of each series of a metric."""
    found = await site.get("/api/v2/series", metric=name, to=f"{now_ms() // 1000 + 60}", points=5000)
    return [
        (one["labels"], [value for value in one["avg"] if value is not None])
        for one in sorted(found["series"], key=lambda one: sorted(one["labels"].items()))
    ]


async def rows() -> int:
    async with database.connection() as connection:
        return int((await fetch(connection, "SELECT count(*) FROM frames"))[0][0])


def status(answer: httpx.Response) -> str:
    """The message of a google.rpc.Status."""
    assert answer.headers["content-type"] == "application/x-protobuf"
    return str(Status.FromString(answer.content).message)


def partial(answer: httpx.Response) -> tuple[int, str]:
    assert answer.status_code == 200, answer.content
    said = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    return said.rejected_data_points, said.error_message


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


async def test_samples_of_another_time_are_refused_and_the_rest_is_stored(site: Site, pusher: Pusher) -> None:
    now, day = now_ms(), 86_400_000
    answer = await pusher.write(
        (UP, [(now - 400 * day, 1.0), (now, 2.0), (now + 120_000, 3.0), (-(2**63), 4.0)])
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert "2 refused, sample_too_old" in answer.text
    assert "1 refused, sample_in_future" in answer.text
    assert "the rest is stored" in answer.text
    assert [values for _, values in await read(site, "up")] == [[2.0]]
    refused, said = partial(
        await pusher.otlp(export(metric("m", "gauge", gauge(1, now - 400 * day), gauge(2)), host_name="x"))
    )
    assert (refused, "sample_too_old" in said) == (1, True)
    assert [values for _, values in await read(site, "m")] == [[2.0]]


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


async def test_a_dead_agents_server_is_not_brought_to_life_by_others(site: Site, pusher: Pusher) -> None:
    agent = await site.enrol("web-1")
    await report(agent)
    site.clock.advance(40)
    assert (await pusher.otlp(export(metric("m", "gauge", gauge(1)), host_name="web-1"))).status_code == 200
    assert (await servers(site))["web-1"]["state"] == "silent"


async def test_no_agent_can_speak_for_a_server_from_outside(site: Site, pusher: Pusher) -> None:
    await pusher.otlp(export(metric("m", "gauge", gauge(1)), host_name="web-9"))
    from uuid import UUID

    server_id = UUID((await servers(site))["web-9"]["id"])
    assert await site.runtime.agents.find(server_id) is None


async def test_a_revoked_server_gets_nothing_more(site: Site, pusher: Pusher) -> None:
    assert (await pusher.write((UP, [(now_ms(), 1.0)]))).status_code == 204
    server = (await servers(site))["node/web-1:9100"]
    async with site.client() as owner:
        assert (await owner.delete(f"/api/v2/servers/{server['id']}")).status_code == 204
    site.clock.advance(11)
    answer = await pusher.write((UP, [(now_ms(), 2.0)]))
    assert (answer.status_code, "server_revoked" in answer.text) == (400, True)
    assert await rows() == 1


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


async def test_too_many_series_are_refused_and_the_offender_is_named(
    site: Site, make_pusher: MakePusher
) -> None:
    pusher = await make_pusher("shop", most_series=10)
    now = now_ms()
    paths = [
        ({**UP, "__name__": "http_requests_total", "path": f"/{n}", "code": "200"}, [(now, 1.0)])
        for n in range(20)
    ]
    answer = await pusher.write((UP, [(now, 1.0)]), *paths)
    assert answer.status_code == 400
    assert "11 refused, series_cap" in answer.text
    assert (
        "'shop' may have 10 series; 'http_requests_total' has 20, and its label 'path' 20 values"
        in answer.text
    )
    assert len(await read(site, "http_requests_total")) + len(await read(site, "up")) == 10
    # What is known goes on.
    known = [
        {
            **UP,
            **{key: value for key, value in labels.items() if key in {"path", "code"}},
            "__name__": "http_requests_total",
        }
        for labels, _ in await read(site, "http_requests_total")
    ]
    assert (await pusher.write(*[(labels, [(now + 1000, 2.0)]) for labels in known])).status_code == 204
    said = await pusher.known()
    assert (said["series"], said["refused_points"]) == (10, 11)
    assert "'path'" in said["refused_said"]


async def test_otlp_says_so_in_partial_success(make_pusher: MakePusher) -> None:
    pusher = await make_pusher("shop", most_series=2)
    points = [gauge(n, user=f"u{n}") for n in range(5)]
    refused, said = partial(await pusher.otlp(export(metric("visits", "gauge", *points), host_name="x")))
    assert refused == 3
    assert "series_cap: 'shop' may have 2 series; 'visits' has 5, and its label 'user' 5 values" in said


async def test_series_that_were_not_sent_for_a_day_make_room(site: Site, make_pusher: MakePusher) -> None:
    pusher = await make_pusher("shop", most_series=2)

    async def send(*names: str) -> int:
        at = int(site.clock.now().timestamp() * 1000)
        return (await pusher.write(*[({**UP, "__name__": name}, [(at, 1.0)]) for name in names])).status_code

    assert await send("a", "b") == 204
    assert await send("c") == 400
    site.clock.advance(23 * 3600)
    assert await send("a") == 204
    site.clock.advance(2 * 3600)
    assert await send("c") == 204
    assert await send("d") == 400


async def test_too_many_servers_are_refused_and_what_names_them_is_said(
    site: Site, make_pusher: MakePusher
) -> None:
    pusher = await make_pusher("shop", most_servers=2)
    now = now_ms()
    targets = [({**UP, "instance": f"pod-{n}:80"}, [(now, 1.0)]) for n in range(4)]
    answer = await pusher.write(*targets)
    assert answer.status_code == 400
    assert "2 refused, server_cap" in answer.text
    assert "named by instance 'node/pod-2:80'" in answer.text
    assert len(await servers(site)) == 2
    await site.enrol("pod-3")
    site.clock.advance(11)
    answer = await pusher.write(targets[3])
    assert answer.status_code == 204, answer.text


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


@pytest.mark.parametrize(
    ("content", "headers", "status_code", "code"),
    [
        (b"", {"content_type": "text/plain"}, 415, "unknown_type"),
        (b"x", {"content_type": "application/x-protobuf", "content_encoding": "br"}, 415, "unknown_encoding"),
        (b"x", {"content_type": "application/x-protobuf", "content_encoding": "gzip"}, 400, "undecodable"),
        (b"\xff", {"content_type": "application/x-protobuf"}, 400, "undecodable"),
        (
            gzipped(bytes(30 << 20)),
            {"content_type": "application/x-protobuf", "content_encoding": "gzip"},
            413,
            "body_too_large",
        ),
    ],
)
async def test_otlp_that_cannot_be_read_is_refused_with_a_status(
    pusher: Pusher, content: bytes, headers: dict[str, str], status_code: int, code: str
) -> None:
    answer = await pusher.post("/v1/metrics", content, **headers)
    assert answer.status_code == status_code
    if code == "unknown_type":
        assert answer.json()["code"] == code
    else:
        assert status(answer).startswith(f"{code}: ")
    said = await pusher.known()
    assert said["refused_points"] == 1
    assert said["refused_said"].startswith(f"1 refused, {code}: ")


@pytest.mark.parametrize(
    ("content", "changed", "status_code", "code"),
    [
        (snappy(b""), {"content_type": "application/json"}, 415, "unknown_type"),
        (
            snappy(b""),
            {"content_type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
            415,
            "unknown_type",
        ),
        (gzipped(b""), {"content_encoding": "gzip"}, 415, "unknown_encoding"),
        (write_request((UP, [(1, 1.0)])), {}, 400, "undecodable"),
        (snappy(b"\xff"), {}, 400, "undecodable"),
        (b"\xff\xff\xff\xff\x0f", {}, 413, "body_too_large"),
        (snappy(bytes(21 << 20)), {}, 413, "body_too_large"),
    ],
)
async def test_remote_write_that_cannot_be_read_is_refused_for_good(
    pusher: Pusher, content: bytes, changed: dict[str, str], status_code: int, code: str
) -> None:
    headers = {"content_type": "application/x-protobuf", "content_encoding": "snappy", **changed}
    answer = await pusher.post("/api/v1/write", content, **headers)
    assert (answer.status_code, answer.text.partition(":")[0]) == (status_code, code)
    assert "retry-after" not in answer.headers


async def test_a_body_over_the_limit_is_not_read_to_its_end(pusher: Pusher) -> None:
    for path in ("/v1/metrics", "/api/v1/write"):
        answer = await pusher.post(
            path, bytes(21 << 20), content_type="application/x-protobuf", content_encoding="snappy"
        )
        assert answer.status_code in {413, 415}


async def test_when_too_much_is_held_senders_are_told_to_come_again(
    pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "MAX_HELD_BYTES", 0)
    answer = await pusher.otlp({})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert Status.FromString(answer.content).code == 14
    answer = await pusher.write()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_when_the_database_refuses_nothing_is_acknowledged(pusher: Pusher) -> None:
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE frames ADD CONSTRAINT never CHECK (values[1] < 0)")
    for answer in (
        await pusher.write((UP, [(now_ms(), 1.0)])),
        await pusher.otlp(export(metric("m", "gauge", gauge(1)))),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert b"store_unavailable" in answer.content
    assert await rows() == 0


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


async def test_hostile_texts_harm_no_page(site: Site, pusher: Pusher) -> None:
    hostile = "<script>alert(1)</script>"
    labels = {"__name__": hostile, "job": hostile, "instance": hostile, hostile: "'; DROP TABLE frames; --"}
    assert (await pusher.write((labels, [(now_ms(), 1.0)]))).status_code == 204
    (server,) = (await servers(site)).values()
    assert server["name"] == f"{hostile}/{hostile}"
    async with site.client(**PAGE) as owner:
        for path in ("/servers", f"/servers/{server['id']}", "/senders"):
            page = await owner.get(path)
            assert page.status_code == 200
            assert hostile not in page.text
