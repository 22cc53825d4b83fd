"""The way out through a proxy: a real tinyproxy that asks for a password, and proxies that lie; behind them stands a small internet."""

from __future__ import annotations

import asyncio
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pudim_collector.app.settings import BadSetting, read_settings
from pudim_collector.infra.safe_http import (
    AddressRefused,
    Allowed,
    Answer,
    BadRedirect,
    NotReachable,
    Outbound,
    OutboundError,
    Proxy,
    ProxyRefused,
    Request,
    Untrusted,
)
from pudim_collector.infra.safe_http.transport import Already
from pudim_collector.kernel.clock import SystemClock
from tests.collector.infra.safe_http_places import Names, asking, name_server
from tests.collector.infra.test_real_proxies import free_port
from tests.shared.checks.places import Authority, Web, serving

PUBLIC, OTHER, SIX = "93.184.216.34", "93.184.216.35", "2606:2800:220:1::1"
PASSWORD = "horse:battery staple"


@dataclass
class Internet:
    """A proxy that is told addresses and leads to servers of this test, as if these stood there; it keeps what it heard."""

    places: dict[str, int] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)
    said: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n"

    @property
    def asked(self) -> list[str]:
        return [head.split()[1] for head in self.heads]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        port = self.places.get(self.asked[-1])
        if port is None:
            writer.write(b"HTTP/1.1 502 Bad gateway\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writer.write(self.said)
        await asyncio.gather(_carry(reader, back), _carry(there, writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(4096):
        writer.write(piece)
        await writer.drain()
    writer.close()


@dataclass
class World:
    internet: Internet
    proxy: Proxy
    dns_port: int
    web: Web
    ca_file: Path
    direct: str

    async def get(self, url: str, allow: str = "", /, proxy: Proxy | None = None, **changed: Any) -> Answer:
        client = Outbound(
            SystemClock(),
            Allowed.parse(allow),
            ca_file=self.ca_file,
            proxy=proxy or self.proxy,
            resolve=asking(self.dns_port),
        )
        return await client.send(Request(url, **changed), purpose="test")


NAMES: Names = {
    "good.test": [[PUBLIC]],
    "six.test": [[SIX]],
    "other.test": [[PUBLIC]],
    "inside.test": [["127.0.0.1"]],
    "mixed.test": [[PUBLIC, "127.0.0.1"]],
    "metadata.test": [["169.254.169.254"]],
    "moving.test": [[PUBLIC], [PUBLIC], ["10.0.0.1"]],
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    authority, web, internet = Authority(tmp_path), Web(), Internet()
    (tmp_path / "ca.pem").write_text(authority.pem)
    async with (
        serving(web) as plain,
        serving(web, authority.made("good.test", "six.test").context) as secure,
        serving(internet) as port,
        name_server(NAMES) as (_, dns_port),
    ):
        internet.places = {
            f"{PUBLIC}:80": plain,
            f"{PUBLIC}:443": secure,
            f"[{SIX}]:443": secure,
            f"{OTHER}:8443": plain,
        }
        proxy = Proxy("127.0.0.1", port)
        yield World(internet, proxy, dns_port, web, tmp_path / "ca.pem", f"http://inside.test:{plain}/")


async def test_the_proxy_is_told_the_address_and_the_server_the_name(world: World) -> None:
    for url in ("http://good.test/a", "https://good.test/b", "https://six.test/c"):
        answer = await world.get(url, headers={"Authorization": "Bearer of-the-server"})
        assert (answer.status, answer.body) == (200, b"hello")
    assert world.internet.asked == [f"{PUBLIC}:80", f"{PUBLIC}:443", f"[{SIX}]:443"]
    assert "Host: good.test\r\n" in world.web.asked[1]
    for head in world.internet.heads:
        assert "test" not in head
        assert "Authorization" not in head


async def test_the_next_address_is_tried(world: World) -> None:
    address, made = await world.proxy.tunnel([OTHER, PUBLIC], 443, patience=5)
    made.close()
    assert address == PUBLIC
    assert world.internet.asked == [f"{OTHER}:443", f"{PUBLIC}:443"]
    with pytest.raises(NotReachable):
        await world.get(f"http://{OTHER}/")


@pytest.mark.parametrize(
    "url",
    [
        *("http://inside.test/", "http://mixed.test/", "http://metadata.test/", "http://127.0.0.1/", "http://[::1]/"),
        *("http://10.0.0.1/", "http://169.254.169.254/", "http://[::ffff:10.0.0.1]/", "http://good.test:25/"),
    ],
)  # fmt: skip
async def test_what_is_refused_is_refused_before_the_proxy(world: World, url: str) -> None:
    with pytest.raises(AddressRefused):
        await world.get(url)
    assert not world.internet.heads


async def test_what_is_allowed_inside_is_asked_directly(world: World) -> None:
    assert (await world.get(world.direct, "127.0.0.1")).status == 200
    assert not world.internet.heads


async def test_a_name_that_moves_and_a_redirect_are_judged_again(world: World) -> None:
    world.web.paths["/in"] = (
        b"HTTP/1.1 302 Found\r\nLocation: http://moving.test/next\r\nContent-Length: 0\r\n\r\n"
    )
    world.web.paths["/down"] = (
        b"HTTP/1.1 302 Found\r\nLocation: http://good.test/\r\nContent-Length: 0\r\n\r\n"
    )
    assert (await world.get("http://moving.test/")).status == 200
    assert (await world.get("http://good.test/in", redirects=1)).url == "http://moving.test/next"
    with pytest.raises(AddressRefused):
        await world.get("http://good.test/in", redirects=1)
    with pytest.raises(BadRedirect):
        await world.get("https://good.test/down", redirects=1)


async def test_a_certificate_is_checked_through_the_tunnel(world: World) -> None:
    assert (await world.get("https://good.test/")).status == 200
    with pytest.raises(Untrusted):
        await world.get("https://other.test/")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 403 Filtered\r\nContent-Length: 9\r\n\r\nForbidden", ProxyRefused),
        (b"HTTP/1.1 407 Who are you\r\nProxy-Authenticate: Basic\r\n\r\n", ProxyRefused),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n", ProxyRefused),
        (b"HTTP/1.1 504 Too late\r\n\r\n", NotReachable),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlies", ProxyRefused),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\n\r\n", ProxyRefused),
        (b"HTTP/1.1 200", ProxyRefused),
        (b"SSH-2.0-OpenSSH\r\n\r\n", ProxyRefused),
        (b"\r\n\r\n", ProxyRefused),
        (b"", ProxyRefused),
    ],
)
async def test_a_proxy_that_says_something_else(world: World, said: bytes, why: type[OutboundError]) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with serving(handle) as port:
        proxy = Proxy("127.0.0.1", port, b64encode(PASSWORD.encode()).decode())
        with pytest.raises(why) as caught:
            await world.get("http://good.test/", proxy=proxy)
    assert not world.web.asked
    assert PASSWORD not in repr(caught.value) + str(proxy)
    assert proxy.credentials is not None
    assert proxy.credentials not in repr(caught.getrepr()) + repr(proxy)


async def test_a_proxy_that_is_not_there_or_says_nothing(world: World) -> None:
    with pytest.raises(NotReachable):
        await world.get("http://good.test/", proxy=Proxy("127.0.0.1", free_port()))
    with pytest.raises(NotReachable):
        await world.get("http://good.test/", proxy=Proxy("nowhere.invalid"))

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as port:
        with pytest.raises(NotReachable):
            await Proxy("127.0.0.1", port).tunnel([PUBLIC], 80, patience=0.2)


async def test_a_tunnel_is_for_one_connection_to_one_address(world: World) -> None:
    def where(address: str) -> tuple[Any, ...]:
        return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)

    address, made = await world.proxy.tunnel([PUBLIC], 80, patience=5)
    once = Already(address, made)
    with pytest.raises(AddressRefused):
        once(where(OTHER))
    with once(where(PUBLIC)) as taken:
        with pytest.raises(AddressRefused):
            once(where(PUBLIC))
        once.close()
        assert taken.fileno() > 0
    _, left = await world.proxy.tunnel([PUBLIC], 80, patience=5)
    Already(PUBLIC, left).close()
    assert left.fileno() == -1


@asynccontextmanager
async def tinyproxy(folder: Path, upstream: int) -> AsyncIterator[int]:
    """The real one, which lets nobody pass without the password, and goes out through what stands for the internet."""
    port = free_port()
    (folder / "tinyproxy.conf").write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{folder / "log"}"\nMaxClients 20\n'
        f"Upstream http 127.0.0.1:{upstream}\nBasicAuth ada s3cret\nConnectPort 443\nConnectPort 80\n"
    )
    process = await asyncio.create_subprocess_exec("tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf"))
    try:
        await _listens(port)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


@pytest.mark.processes
async def test_a_real_proxy_with_a_password(world: World, tmp_path: Path) -> None:
    async with tinyproxy(tmp_path, world.proxy.port) as port:
        known = Proxy.parse(f"http://ada:s3cret@127.0.0.1:{port}")
        for url in ("https://good.test/", "http://good.test/"):
            assert (await world.get(url, proxy=known)).body == b"hello"
        assert world.internet.asked == [f"{PUBLIC}:443", f"{PUBLIC}:80"]
        for other in (f"http://127.0.0.1:{port}", f"http://ada:wrong@127.0.0.1:{port}"):
            with pytest.raises(ProxyRefused, match="name and password"):
                await world.get("https://good.test/", proxy=Proxy.parse(other))
        with pytest.raises(ProxyRefused, match="403"):
            await world.get(f"http://{OTHER}:8443/", proxy=known)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://proxy.example.org:3128", Proxy("proxy.example.org", 3128)),
        ("http://10.0.0.1/", Proxy("10.0.0.1", 3128)),
        ("http://[fd00::1]:8080", Proxy("fd00::1", 8080)),
        ("http://a:b%3Ac@proxy", Proxy("proxy", 3128, b64encode(b"a:b:c").decode())),
    ],
)
def test_a_proxy_is_named_by_its_address(text: str, found: Proxy) -> None:
    assert read_settings({"PUDIM_OUTBOUND_PROXY": text}).outbound_proxy == found


@pytest.mark.parametrize(
    "text",
    [
        *("proxy:3128", "https://proxy:3128", "socks5://proxy", "http://", "http://proxy:0", "http://proxy:99999"),
        *("http://proxy/path", "http://proxy?x", "http://pro xy", "http://x:s3cret@-/", "http://[::1", "http://a\r\nb"),
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_named_without_its_password(text: str) -> None:
    with pytest.raises(BadSetting, match="PUDIM_OUTBOUND_PROXY") as caught:
        read_settings({"PUDIM_OUTBOUND_PROXY": text})
    assert "s3cret" not in str(caught.value)
