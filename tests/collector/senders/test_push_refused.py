"""What is refused of a push: by name, with the offender, and with the rest stored."""

from collections.abc import Awaitable, Callable

import pytest

from pudim_collector.infra.database import database
from pudim_collector.ingest.outside import endpoint
from pudim_collector.ingest.outside.messages import Status
from tests.collector.app.site import PAGE, Site
from tests.collector.ingest.agent import now_ms
from tests.collector.ingest.outside.made import (
    export,
    gzipped,
    metric,
    snappy,
    write_request,
)
from tests.collector.senders.asking import UP, gauge, partial, read, rows, servers, status
from tests.collector.senders.conftest import Pusher

MakePusher = Callable[..., Awaitable[Pusher]]


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


async def test_a_revoked_server_gets_nothing_more(site: Site, pusher: Pusher) -> None:
    assert (await pusher.write((UP, [(now_ms(), 1.0)]))).status_code == 204
    server = (await servers(site))["node/web-1:9100"]
    async with site.client() as owner:
        assert (await owner.delete(f"/api/v2/servers/{server['id']}")).status_code == 204
    site.clock.advance(11)
    answer = await pusher.write((UP, [(now_ms(), 2.0)]))
    assert (answer.status_code, "server_revoked" in answer.text) == (400, True)
    assert await rows() == 1


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


async def test_when_the_database_cannot_even_say_who_asks_senders_come_again(pusher: Pusher) -> None:
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE senders RENAME TO gone")
    for answer in (await pusher.write((UP, [(now_ms(), 1.0)])), await pusher.otlp({})):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


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
