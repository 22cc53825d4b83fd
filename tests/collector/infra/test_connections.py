"""Raw sockets against the real server: what is too long, too slow or too much is refused by name, and holds nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from pudim_collector.app.serving import Server, http_server
from pudim_collector.app.settings import Settings
from pudim_collector.infra.connections import BoundedHttp, ConnectionLimits
from pudim_collector.infra.request_limits import Bounded, RequestLimits
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.kernel.clock import SystemClock


class Impatient(BoundedHttp):
    limits = ConnectionLimits(head_seconds=0.3, unread_seconds=0.3)


class App:
    """Reads bodies, waits for ever, or never ends telling."""

    def __init__(self) -> None:
        self.waiting = 0
        self.release = asyncio.Event()
        self.left_alone = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            self.waiting += 1
            try:
                await self.release.wait()
            finally:
                self.waiting -= 1
        if scope["path"] == "/read":
            while (await receive())["more_body"]:
                pass
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/flood":
            await receive()
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            self.left_alone.set()
            return
        await send({"type": "http.response.body", "body": b"done"})


@asynccontextmanager
async def served(server: uvicorn.Server) -> AsyncIterator[int]:
    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("http", server.serve)
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        while supervisor.reports["http"].state == "running":
            await asyncio.sleep(0.01)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with served(http_server(App(), Settings(tmp_path, port=0))) as found:
        yield found


@asynccontextmanager
async def impatient(limits: RequestLimits | None = None) -> AsyncIterator[tuple[App, int]]:
    app = App()
    config = uvicorn.Config(
        Bounded(app, limits), port=0, http=Impatient, log_config=None, lifespan="off", proxy_headers=False
    )
    async with served(Server(config)) as port:
        yield app, port
        app.release.set()


async def answer(port: int, sent: bytes) -> tuple[int, Any]:
    """Status and body of what comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        async with asyncio.timeout(20):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read()
    finally:
        writer.close()
    return int(head.split()[1]), json.loads(body) if b"problem+json" in head else body.decode()


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /" + b"a" * 25_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414, "address_too_long"),
        (b"GET /?" + b"a=b&" * 7000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414, "address_too_long"),
        (b"GET / HTTP/1.1\r\ncookie: " + b"a" * 40_000 + b"\r\n\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\ncookie: " + b"a" * 40_000, 431, "head_too_large"),  # without an end
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\n" + b"a" * 40_000 + b": b\r\n\r\n", 431, "head_too_large"),
        (b"G" * 40_000, 400, "malformed_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_request"),  # TLS
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400, "malformed_request"),
        (
            b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "malformed_request",
        ),
        (b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n", 400, "malformed_request"),
    ],
)
async def test_what_is_too_long_or_no_request_is_refused_by_name(
    port: int, sent: bytes, status: int, code: str
) -> None:
    told, problem = await answer(port, sent)
    assert (told, problem["code"]) == (status, code)
    assert problem["status"] == status


async def test_what_is_within_the_bounds_passes(port: int) -> None:
    longest = b"GET /" + b"a" * 24_000 + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    told, body = await answer(port, longest + b"a: b\r\n" * 90 + b"cookie: " + b"c" * 20_000 + b"\r\n\r\n")
    assert told == 200
    assert "done" in body
    large = b"x" * 200_000
    head = b"POST /read HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 200000\r\n\r\n"
    assert (await answer(port, head + large))[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: "])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    async with impatient() as (_, port):
        told, problem = await answer(port, sent)
        assert (told, problem["code"]) == (408, "head_too_slow")


async def test_a_head_that_drips_is_not_waited_for_either() -> None:
    async with impatient() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(20):
            dripping = asyncio.ensure_future(reader.read())
            while not dripping.done():
                writer.write(b"a: b\r\n")
                await asyncio.sleep(0.05)
            assert b"head_too_slow" in await dripping
        writer.close()


async def test_a_body_that_drips_is_not_waited_for() -> None:
    async with impatient(RequestLimits(body_seconds=0.3)) as (_, port):
        told, problem = await answer(
            port, b"POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc"
        )
        assert (told, problem["code"]) == (408, "body_too_slow")


async def test_what_nobody_reads_of_a_body_ends_the_connection() -> None:
    async with impatient() as (_, port):
        told, body = await answer(port, b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
        assert told == 200
        assert "done" in body  # and `answer` read until the server hung up


async def test_an_answer_that_nobody_reads_is_given_up() -> None:
    async with impatient() as (app, port):
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n")
            async with asyncio.timeout(20):
                await app.left_alone.wait()


async def test_nothing_answers_in_time() -> None:
    async with impatient(RequestLimits(answer_seconds=0.2)) as (app, port):
        told, problem = await answer(port, b"GET /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert (told, problem["code"]) == (503, "answer_too_slow")
        assert app.waiting == 0, "what it did goes on"


async def test_one_address_gets_so_many_answers_at_once_and_no_more() -> None:
    async with impatient(RequestLimits(at_once=3)) as (app, port):
        request = b"GET /wait HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        waiting = [asyncio.ensure_future(answer(port, request)) for _ in range(3)]
        while app.waiting < 3:
            await asyncio.sleep(0.01)
        told, problem = await answer(port, request)
        assert (told, problem["code"]) == (429, "too_many_at_once")
        app.release.set()
        assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200, 200]
        assert (await answer(port, request))[0] == 200, "what ended counts no more"
