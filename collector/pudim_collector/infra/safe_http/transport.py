"""One request over one new connection, by aiohttp; the only module of the collector that may import an HTTP client.

It is imported when the first request is made, for a collector that asks nobody should not carry it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from typing import Any, TypeAlias

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pudim.checks.http_client import Target
from pudim_collector.infra.safe_http.errors import (
    AddressRefused,
    Malformed,
    NotReachable,
    TooLarge,
    Untrusted,
)
from pudim_collector.infra.safe_http.proxy import Proxy
from pudim_collector.infra.safe_http.requests import Answer, Request
from pudim_collector.infra.safe_http.unpacking import Body

MOST_ANSWER_HEADERS = 128
LONGEST_LINE = 8190
_PIECE = 1 << 16
_OFFERED = {"Accept-Encoding": "gzip"}
SocketFactory: TypeAlias = Callable[[Any], socket.socket]


async def exchange(
    target: Target,
    request: Request,
    addresses: Sequence[str],
    context: ssl.SSLContext,
    connect_patience: float,
    *,
    proxy: Proxy | None = None,
) -> Answer:
    """Connects to nothing but `addresses`, or has `proxy` do so. Raises OutboundError; the caller bounds the time of all of it."""
    try:
        if proxy is None:
            return await _exchange(
                target, request, addresses, context, connect_patience, sockets=only_to(addresses)
            )
        address, made = await proxy.tunnel(addresses, target.port, connect_patience)
        with closing(Already(address, made)) as tunnel:
            return await _exchange(target, request, [address], context, connect_patience, sockets=tunnel)
    # No cause is kept: these errors quote what the other side sent.
    except aiohttp.ClientSSLError:
        raise Untrusted from None
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError, aiohttp.InvalidURL):
        raise Malformed from None
    except (aiohttp.ClientError, ConnectionError):
        raise NotReachable from None


async def _exchange(
    target: Target,
    request: Request,
    addresses: Sequence[str],
    context: ssl.SSLContext,
    connect_patience: float,
    *,
    sockets: SocketFactory,
) -> Answer:
    connector = aiohttp.TCPConnector(
        resolver=_Judged(addresses),
        socket_factory=sockets,
        ssl=context,
        use_dns_cache=False,
        force_close=True,
    )
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            requote_redirect_url=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_patience),
            read_bufsize=_PIECE,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
            max_headers=MOST_ANSWER_HEADERS,
        ) as session,
        session.request(
            request.method,
            _address(target),
            headers={"User-Agent": "Pudim", **request.headers, **_OFFERED},
            data=request.body,
            allow_redirects=False,
        ) as response,
    ):
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, await _body(response, request), _told(target))


async def _body(response: aiohttp.ClientResponse, request: Request) -> bytes:
    if request.method == "HEAD":
        return b""
    if (response.content_length or 0) > request.most_bytes:
        raise TooLarge(f"The answer is larger than {request.most_bytes} bytes.")
    body = Body(response.headers.get("Content-Encoding", ""), request.most_bytes)
    async for part in response.content.iter_any():
        body.add(part)
    return body.whole()


def _address(target: Target) -> URL:
    """What we have read, not what was written: no second reader decides where it leads."""
    return URL(f"{target.scheme}://{target.authority}{target.path}", encoded=True)


def _told(target: Target) -> str:
    return f"{target.scheme}://{target.authority}{target.path.partition('?')[0]}"


class _Judged(AbstractResolver):
    """Names are not asked for a second time."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""


class Already:
    """The one socket that leads to this address, through a proxy, for one connection; closed here as long as nobody took it."""

    def __init__(self, address: str, made: socket.socket) -> None:
        self._address, self._made = address, made

    def __call__(self, where: Any) -> socket.socket:
        family, kind, protocol, _, address = where
        if address[0] != self._address or self._made.fileno() < 0:
            raise AddressRefused("Something else than what was judged would be asked.", "not judged")
        return _Connected(family, kind, protocol, self._made.detach())

    def close(self) -> None:
        self._made.close()


class _Connected(socket.socket):
    """For a client that connects its sockets itself: this one has been, and has the family of where it leads, not of the proxy."""

    def connect(self, _: Any) -> None:
        """There is nothing left to do."""


def only_to(addresses: Collection[str]) -> SocketFactory:
    """The last look, at the very address that a socket is made for; whatever led to it."""

    def make(where: Any) -> socket.socket:
        family, kind, protocol, _, address = where
        if address[0] not in addresses:
            raise AddressRefused("Something else than what was judged would be asked.", "not judged")
        return socket.socket(family, kind, protocol)

    return make
