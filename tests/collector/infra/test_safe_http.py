"""The one client against real servers that lie, lead astray, dawdle and never end, and a name server that changes its mind."""

from __future__ import annotations

import asyncio
import gzip
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pudim_collector.infra.safe_http import (
    AddressRefused,
    Allowed,
    BadRedirect,
    BadUrl,
    Malformed,
    NotReachable,
    Outbound,
    OutboundError,
    Request,
    TooLarge,
    TooManyRedirects,
    TooSlow,
)
from pudim_collector.infra.safe_http.client import asked, refused
from pudim_collector.infra.safe_http.transport import only_to
from pudim_collector.kernel.clock import SystemClock
from tests.collector.infra.safe_http_places import Names, NameServer, asking, name_server
from tests.shared.checks.places import Web, serving

NOT_FOR_YOU = "s3cret-of-the-inside"


@dataclass
class World:
    """A name server, a web server on 127.0.0.1 that counts who connects, and clients of both."""

    names: Names
    server: NameServer
    dns_port: int
    port: int
    web: Web
    connected: list[str] = field(default_factory=list)

    def client(self, allow: str = "") -> Outbound:
        return Outbound(SystemClock(), Allowed.parse(allow), resolve=asking(self.dns_port))

    async def get(self, host: str, /, allow: str = "", path: str = "/", **changed: Any) -> Any:
        url = f"http://{host}:{self.port}{path}"
        return await self.client(allow).send(Request(url, **changed), purpose="test")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    web, connected, names = Web(), list[str](), Names()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.append(writer.get_extra_info("sockname")[0])
        await web(reader, writer)

    async with on_all_of_loopback(handle) as port, name_server(names) as (server, dns_port):
        yield World(names, server, dns_port, port, web, connected)


@asynccontextmanager
async def on_all_of_loopback(
    handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """One port on 127.0.0.1, 127.0.0.2, 127.0.0.3 and ::1."""
    one = socket.create_server(("127.0.0.1", 0))
    port = one.getsockname()[1]
    more = [socket.create_server((address, port)) for address in ("127.0.0.2", "127.0.0.3")]
    more.append(socket.create_server(("::1", port), family=socket.AF_INET6))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    servers = [await asyncio.start_server(handle, sock=made) for made in (one, *more)]
    try:
        yield port
    finally:
        for server in servers:
            server.close()


async def test_an_allowed_target_answers(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    answer = await world.get("good.test", allow="127.0.0.2")
    assert (answer.status, answer.body) == (200, b"hello")
    assert world.connected == ["127.0.0.2"]
    assert f"Host: good.test:{world.port}\r\n" in world.web.asked[0]


@pytest.mark.parametrize(
    "records",
    [
        *(["127.0.0.1"], ["::1"], ["10.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["0.0.0.0"]),  # noqa: S104
        *(["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"], ["127.0.0.2", "fe80::1"]),
        *(["127.0.0.2", "169.254.169.254"], ["127.0.0.2", "64:ff9b::7f00:1"], ["1.1.1.1", "127.0.0.1"]),
        ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.2", "127.0.0.2", "127.0.0.4", "127.0.0.5"],
    ],
)  # fmt: skip
async def test_one_bad_record_refuses_the_name(world: World, records: list[str]) -> None:
    world.names["mixed.test"] = [records]
    with pytest.raises(AddressRefused):
        await world.get("mixed.test", allow="127.0.0.2")
    assert not world.connected


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"),
        *("[2002:7f00:1::]", "169.254.169.254", "[fd00:ec2::254]", "0.0.0.0", "[::]", "１２７.０.０.１"),  # noqa: RUF001, S104
    ],
)  # fmt: skip
async def test_a_literal_is_judged_as_a_name_is(world: World, host: str) -> None:
    with pytest.raises(AddressRefused):
        await world.get(host)
    assert not world.connected
    assert not world.web.asked


@pytest.mark.parametrize(
    "host",
    ["0x7f.1", "2130706433", "017700000001", "127.1", "127.0.0.1.", "127.0.0.1%00.test", "u@127.0.0.1"],
)
async def test_another_notation_is_not_even_asked_for(world: World, host: str) -> None:
    with pytest.raises(BadUrl):
        await world.get(host, allow="127.0.0.0/8")
    assert not world.connected
    assert not world.server.asked


@pytest.mark.parametrize(
    ("host", "shown"),
    [("[0:0:0:0:0:0:0:1]", "[::1]"), ("[::0.0.0.1]", "[::1]"), ("127.0.0.3", "127.0.0.3")],
)
async def test_a_literal_that_is_allowed_answers(world: World, host: str, shown: str) -> None:
    assert (await world.get(host, allow="127.0.0.3 ::1")).status == 200
    assert f"Host: {shown}:{world.port}\r\n" in world.web.asked[0]


async def test_the_systems_own_resolver_leads_to_no_loopback(world: World) -> None:
    client = Outbound(SystemClock())
    for host in ("localhost", "LOCALHOST", "localhost."):
        with pytest.raises(AddressRefused):
            await client.send(Request(f"http://{host}:{world.port}/"), purpose="test")
    assert not world.connected


async def test_a_rebinding_changes_nothing(world: World) -> None:
    world.names["rebind.test"] = [["127.0.0.2"], ["127.0.0.1"]]
    assert (await world.get("rebind.test", allow="127.0.0.2")).status == 200
    assert world.server.asked.count(("rebind.test", "A")) == 1
    assert world.connected == ["127.0.0.2"]
    with pytest.raises(AddressRefused):
        await world.get("rebind.test", allow="127.0.0.2")
    assert world.connected == ["127.0.0.2"]


async def test_a_rebinding_between_two_hops_is_refused(world: World) -> None:
    world.names["rebind.test"] = [["127.0.0.2"], ["127.0.0.1"]]
    world.web.paths["/"] = redirect("/inside")
    with pytest.raises(AddressRefused):
        await world.get("rebind.test", allow="127.0.0.2", redirects=3)
    assert world.connected == ["127.0.0.2"]


async def test_the_last_look_is_at_the_socket(world: World) -> None:
    make = only_to(["127.0.0.2"])
    where = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
    make((*where, ("127.0.0.2", 80))).close()
    with pytest.raises(AddressRefused):
        make((*where, ("127.0.0.1", 80)))


async def test_the_networks_own_translation_is_asked_for(world: World) -> None:
    world.names["ipv4only.arpa"] = [["192.0.0.170", "192.0.0.171", "2a00:1098:2b::c000:aa"]]
    world.names["inside.test"] = [["2a00:1098:2b::7f00:1"]]
    world.names["meta.test"] = [["2a00:1098:2b::a9fe:a9fe"]]
    for name, reason in (("inside.test", "private"), ("meta.test", "a cloud's metadata")):
        with pytest.raises(AddressRefused) as said:
            await world.get(name)
        assert said.value.reason == reason


async def test_redirects_are_not_followed_unless_asked(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    world.web.paths["/"] = redirect("/next")
    answer = await world.get("good.test", allow="127.0.0.2")
    assert (answer.status, answer.headers["location"]) == (302, "/next")
    assert len(world.connected) == 1


def redirect(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://169.254.169.254/latest/meta-data/", AddressRefused),
        ("http://127.0.0.1:{port}/", AddressRefused),
        ("http://[::1]:{port}/", AddressRefused),
        ("http://[::ffff:a9fe:a9fe]/", AddressRefused),
        ("//inside.test:{port}/", AddressRefused),
        ("http://good.test:22/", AddressRefused),
        ("http://2852039166/", BadRedirect),
        ("http://0xa9.0xfe.0xa9.0xfe/", BadRedirect),
        ("http://good.test@127.0.0.1/", BadRedirect),
        ("file:///etc/passwd", BadRedirect),
        ("gopher://127.0.0.1:{port}/", BadRedirect),
        ("http://[", BadRedirect),
    ],
)
async def test_a_redirect_leads_no_further_inside(
    world: World, location: str, error: type[OutboundError]
) -> None:
    world.names |= {"good.test": [["127.0.0.2"]], "inside.test": [["127.0.0.1"]]}
    world.web.paths["/"] = redirect(location.format(port=world.port))
    with pytest.raises(error):
        await world.get("good.test", allow="127.0.0.2", redirects=5)
    assert world.connected == ["127.0.0.2"]


async def test_redirects_end(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    world.web.paths["/"] = redirect("/")
    with pytest.raises(TooManyRedirects):
        await world.get("good.test", allow="127.0.0.2", redirects=3)
    assert len(world.connected) == 4


async def test_secrets_do_not_travel_to_another_origin(world: World) -> None:
    world.names |= {"good.test": [["127.0.0.2"]], "other.test": [["127.0.0.3"]]}
    world.web.paths |= {"/": redirect("/same"), "/same": redirect(f"http://other.test:{world.port}/last")}
    headers = {"Authorization": "Bearer s3cret", "Cookie": "a=s3cret", "X-Key": "s3cret", "Accept": "text/x"}
    answer = await world.get("good.test", allow="127.0.0.0/8", redirects=2, headers=headers)
    assert answer.status == 200
    first, second, third = world.web.asked
    assert first.count("s3cret") == second.count("s3cret") == 3
    assert "s3cret" not in third
    assert "Accept: text/x" in third


async def test_cookies_of_an_answer_are_forgotten(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    world.web.paths["/"] = b"HTTP/1.1 302 F\r\nSet-Cookie: a=1\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    client = world.client("127.0.0.2")
    for _ in range(2):
        await client.send(Request(f"http://good.test:{world.port}/", redirects=1), purpose="test")
    assert "ookie" not in "".join(world.web.asked)


async def test_what_is_posted_arrives(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    headers = {"Content-Type": "application/json", "User-Agent": "Pudim-test"}
    await world.get("good.test", allow="good.test", method="POST", headers=headers, body=b'{"a": 1}')
    (said,) = world.web.asked
    assert said.startswith("POST / HTTP/1.1\r\n")
    assert said.endswith('{"a": 1}')
    assert "Content-Type: application/json\r\n" in said
    assert "User-Agent: Pudim-test\r\n" in said


async def test_no_proxy_comes_from_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{world.port}")
    world.names["good.test"] = [["127.0.0.2"]]
    assert (await world.get("good.test", allow="127.0.0.2")).status == 200
    assert world.connected == ["127.0.0.2"]
    assert world.web.asked[0].startswith("GET / ")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", TooLarge),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000, TooLarge),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1000\r\n%b\r\n" % (b"x" * 4096) * 5, TooLarge),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(5_000_000)), TooLarge),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip", Malformed),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx", Malformed),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", Malformed),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", Malformed),
        (b"HTTP/1.1 200 " + b"y" * 20_000 + b"\r\n\r\n", Malformed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Malformed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", Malformed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Malformed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", Malformed),
        (b"SSH-2.0-OpenSSH_9.2 " + NOT_FOR_YOU.encode() + b"\r\n", Malformed),
        (b"+PONG " + NOT_FOR_YOU.encode() + b"\r\n", Malformed),
        (b"", NotReachable),
    ],
)  # fmt: skip
async def test_an_answer_out_of_bounds(world: World, answer: bytes, error: type[OutboundError]) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    world.web.answer = answer
    with pytest.raises(error) as said:
        await world.get("good.test", allow="127.0.0.2", most_bytes=10_000)
    assert NOT_FOR_YOU not in "".join(traceback.format_exception(said.value))


async def test_what_is_packed_within_bounds_is_unpacked(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    world.web.answer = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"a" * 10_000)
    assert (await world.get("good.test", allow="127.0.0.2", most_bytes=10_000)).body == b"a" * 10_000
    with pytest.raises(TooLarge):
        await world.get("good.test", allow="127.0.0.2", most_bytes=9_999)


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _drips_headers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X")
        await asyncio.sleep(0.01)


async def _drips_body(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _says_wait(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("handler", [_silent, _drips_headers, _drips_body, _says_wait])
async def test_who_dawdles_is_given_up(world: World, handler: Any) -> None:
    async with serving(handler) as port:
        with pytest.raises(TooSlow):
            await world.client("127.0.0.1").send(
                Request(f"http://127.0.0.1:{port}/", patience=0.5), purpose="test"
            )


async def test_a_body_without_end_is_cut(world: World) -> None:
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()
            sent += 65_536

    async with serving(endless) as port:
        with pytest.raises(TooLarge):
            await world.client("127.0.0.1").send(Request(f"http://127.0.0.1:{port}/"), purpose="test")
    assert sent < 16 << 20


async def test_nobody_listens(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotReachable):
        await world.client("127.0.0.1").send(Request(f"http://127.0.0.1:{port}/"), purpose="test")


async def test_a_name_server_that_never_answers(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = Outbound(SystemClock(), resolve=asking(silent.getsockname()[1]))
        with pytest.raises(TooSlow):
            await client.send(Request("http://slow.test/", patience=0.5), purpose="test")


async def test_a_name_that_is_unknown(world: World) -> None:
    with pytest.raises(NotReachable):
        await world.get("nothing.test")


async def test_what_became_of_it_is_counted(world: World) -> None:
    def count(counter: Any, *labels: str) -> float:
        return float(counter.labels(*labels)._value.get())

    world.names |= {"good.test": [["127.0.0.2"]], "inside.test": [["127.0.0.1"]]}
    before = [
        count(asked, "test", "answered"),
        count(asked, "test", "address_refused"),
        count(refused, "private"),
    ]
    await world.get("good.test", allow="127.0.0.2")
    with pytest.raises(AddressRefused):
        await world.get("inside.test")
    after = [
        count(asked, "test", "answered"),
        count(asked, "test", "address_refused"),
        count(refused, "private"),
    ]
    assert after == [one + 1 for one in before]


async def test_an_answer_does_not_tell_the_query(world: World) -> None:
    world.names["good.test"] = [["127.0.0.2"]]
    answer = await world.get("good.test", allow="127.0.0.2", path="/a?token=s3cret")
    assert answer.url == f"http://good.test:{world.port}/a"
    assert "s3cret" not in repr(answer)
