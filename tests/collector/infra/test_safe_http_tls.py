"""Whom the one client trusts: the right name, a known authority, a time that is now, and TLS that is not old."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pudim_collector.infra.safe_http import Allowed, Answer, Outbound, Request, Untrusted
from pudim_collector.infra.safe_http.client import trust
from pudim_collector.kernel.clock import SystemClock
from tests.collector.infra.safe_http_places import asking, name_server
from tests.shared.checks.places import DAY, Authority, Web, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(made.pem)
    return made


async def ask(port: int, ca_file: Path | None) -> Answer:
    async with name_server({"good.test": [["127.0.0.1"]]}) as (_, dns_port):
        client = Outbound(
            SystemClock(), Allowed.parse("good.test"), ca_file=ca_file, resolve=asking(dns_port)
        )
        return await client.send(Request(f"https://good.test:{port}/"), purpose="test")


async def test_the_operators_authority_is_trusted(authority: Authority, tmp_path: Path) -> None:
    async with serving(Web(), authority.made("good.test").context) as port:
        assert (await ask(port, tmp_path / "ca.pem")).body == b"hello"
        with pytest.raises(Untrusted):
            await ask(port, None)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("other.test", {}),
        ("127.0.0.1", {}),
        ("good.test", {"self_signed": True}),
        ("good.test", {"start": -3 * DAY, "end": -DAY}),
        ("good.test", {"start": DAY}),
    ],
)
async def test_such_a_certificate_is_not(
    authority: Authority, tmp_path: Path, name: str, changes: dict[str, Any]
) -> None:
    async with serving(Web(), authority.made(name, **changes).context) as port:
        with pytest.raises(Untrusted):
            await ask(port, tmp_path / "ca.pem")


@contextmanager
def in_a_thread(context: ssl.SSLContext) -> Iterator[int]:
    """A server that says why it ends a handshake; asyncio's only ends it."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(4096)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(("newest", "is_taken"), [("TLSv1_2", True), ("TLSv1_1", False)])
async def test_old_tls_is_refused(authority: Authority, tmp_path: Path, newest: str, is_taken: bool) -> None:
    context = authority.made("good.test").context
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion[newest]
    with in_a_thread(context) as port:
        if is_taken:
            assert (await ask(port, tmp_path / "ca.pem")).status == 200
            return
        with pytest.raises(Untrusted):
            await ask(port, tmp_path / "ca.pem")


def test_what_is_trusted_is_said() -> None:
    context = trust(None)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
