"""The guide's configurations in a real nginx and a real HAProxy, with a client that lies about where it comes from."""

import asyncio
import datetime as dt
import re
import shutil
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pudim_collector.app.serving import http_server
from pudim_collector.app.settings import Settings
from pudim_collector.infra.proxies import TrustedProxies
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.kernel.clock import SystemClock

GUIDE = Path(__file__).parents[3] / "docs/guides/behind-a-proxy.md"
CLIENT = "127.0.0.2"
LIES = {
    "x-forwarded-for": "10.6.6.6",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "evil.example",
    "forwarded": "for=10.6.6.6;proto=http;host=evil.example",
}
pytestmark = pytest.mark.processes


class Echo:
    """Tells who it was asked by; its stream says a second word only when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"])[b"host"].decode()
        client = scope["client"][0] if scope["client"] else "nobody"
        told = f"{client} {scope['scheme']} {host}".encode()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "bytes": told})
            await receive()
            return
        kind = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        streamed = scope["path"] == "/events"
        await send({"type": "http.response.body", "body": told + b"\n", "more_body": streamed})
        if streamed:
            await self.go_on.wait()
            await send({"type": "http.response.body", "body": b"more\n"})


@asynccontextmanager
async def echoing(settings: Settings) -> AsyncIterator[tuple[Echo, int]]:
    echo = Echo()
    server = http_server(echo, settings)
    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("http", server.serve)
        while not server.started:
            await asyncio.sleep(0.01)
        name = server.servers[0].sockets[0].getsockname()
        yield echo, name[1] if isinstance(name, tuple) else 0
        server.should_exit = True
        while supervisor.reports["http"].state == "running":
            await asyncio.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def certificate(folder: Path) -> None:
    """pudim.pem with the key, as HAProxy wants it, and pudim.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "pudim.key").write_bytes(secret)
    (folder / "pudim.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)


def configuration(kind: str, folder: Path, behind: str, port: int) -> str:
    """What the guide says, on ports of this test."""
    found = re.search(rf"<!-- tested -->\n```{kind}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found, kind
    text = found[1].replace("/etc/ssl/", f"{folder}/").replace("127.0.0.1:8460", behind)
    return text.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "bind :443", f"bind 127.0.0.1:{port}"
    )


def written(kind: str, folder: Path, behind: str, port: int) -> list[str]:
    """The command that runs the proxy, its configuration written."""
    certificate(folder)
    said = configuration(kind, folder, behind, port)
    file = folder / f"{kind}.conf"
    if kind == "haproxy":
        file.write_text(said)
        return ["/usr/sbin/haproxy", "-db", "-f", str(file)]
    temporary = "".join(
        f"{one}_temp_path {folder}/{one};\n" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off;\n{temporary}{said}}}\n"
    )
    return ["/usr/sbin/nginx", "-p", str(folder), "-c", str(file)]


@asynccontextmanager
async def proxied(kind: str, folder: Path, behind: str) -> AsyncIterator[int]:
    port = free_port()
    command = written(kind, folder, behind, port)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        while True:
            assert process.returncode is None, f"{kind} ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield port
    finally:
        process.terminate()
        await process.wait()


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "pudim.pem"))


@pytest.fixture(params=["nginx", "haproxy"])
def kind(request: pytest.FixtureRequest) -> str:
    if not shutil.which(request.param, path="/usr/sbin"):
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


async def test_the_guides_configuration_tells_who_asks_and_how(kind: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path, port=0, proxies=TrustedProxies.parse("127.0.0.1"))
    async with echoing(settings) as (echo, behind), proxied(kind, tmp_path, f"127.0.0.1:{behind}") as port:
        own = f"127.0.0.1:{port}"
        transport = httpx.AsyncHTTPTransport(verify=trusting(tmp_path), local_address=CLIENT)
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{own}", headers=LIES) as client:
            assert (await client.get("/")).text == f"{CLIENT} https {own}\n"
            async with client.stream("GET", "/events") as answer:
                lines = answer.aiter_lines()
                assert await anext(lines) == f"{CLIENT} https {own}"
                echo.go_on.set()
                assert await anext(lines) == "more"
        async with websockets.connect(
            f"wss://{own}/agent/v1/stream",
            ssl=trusting(tmp_path),
            additional_headers=LIES,
            local_addr=(CLIENT, 0),
        ) as opened:
            assert await opened.recv() == f"{CLIENT} wss {own}".encode()


async def spoken(port: int, folder: Path, newest: str, ciphers: str) -> str | None:
    """The version of TLS that the proxy agrees to; None if it agrees to none."""
    context = trusting(folder)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[newest]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except (ssl.SSLError, ConnectionError):
        return None
    version = writer.get_extra_info("ssl_object").version()
    writer.transport.abort()
    return str(version)


async def test_the_guides_configuration_speaks_no_weak_tls(kind: str, tmp_path: Path) -> None:
    async with proxied(kind, tmp_path, f"127.0.0.1:{free_port()}") as port:
        assert await spoken(port, tmp_path, "TLSv1_3", "ALL") == "TLSv1.3"
        assert await spoken(port, tmp_path, "TLSv1_2", "ECDHE-ECDSA-AES128-GCM-SHA256") == "TLSv1.2"
        assert await spoken(port, tmp_path, "TLSv1_2", "ECDHE-ECDSA-AES128-SHA") is None
        assert await spoken(port, tmp_path, "TLSv1_1", "ALL") is None


async def test_without_trust_no_header_counts(kind: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path, port=0)
    async with echoing(settings) as (_, behind), proxied(kind, tmp_path, f"127.0.0.1:{behind}") as port:
        transport = httpx.AsyncHTTPTransport(verify=trusting(tmp_path), local_address=CLIENT)
        async with httpx.AsyncClient(transport=transport, headers=LIES) as client:
            assert (await client.get(f"https://127.0.0.1:{port}/")).text.startswith("127.0.0.1 http ")


async def test_a_proxy_may_come_through_a_socket(tmp_path: Path) -> None:
    if not shutil.which("nginx", path="/usr/sbin"):
        pytest.skip("nginx is not installed")
    place = tmp_path / "http.sock"
    settings = Settings(tmp_path, socket=place, proxies=TrustedProxies.parse("unix"))
    async with echoing(settings), proxied("nginx", tmp_path, f"unix:{place}") as port:
        transport = httpx.AsyncHTTPTransport(verify=trusting(tmp_path), local_address=CLIENT)
        async with httpx.AsyncClient(transport=transport, headers=LIES) as client:
            told = await client.get(f"https://127.0.0.1:{port}/")
            assert told.text == f"{CLIENT} https 127.0.0.1:{port}\n"
