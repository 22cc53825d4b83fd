"""The way out through the operator's HTTP proxy: a tunnel to an address that was judged here, never to a name.

So the proxy decides nothing: it resolves no name, reads no request and no answer, and plain http goes through a tunnel too.
"""

from __future__ import annotations

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from pudim.checks.addresses import plain
from pudim.checks.connecting import is_name
from pudim_collector.infra.safe_http.errors import NotReachable, ProxyRefused

USUAL_PORT = 3128
LONGEST_HEAD = 8190
"""Bytes of the proxy's answer before its tunnel begins."""
_PIECE = 1024
_END = b"\r\n\r\n"
_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_BEHIND_IT = frozenset({502, 503, 504})
_UNKNOWN = frozenset({401, 407})


@dataclass(frozen=True)
class Proxy:
    """`credentials` is what the proxy is shown, as it stands in the header."""

    host: str
    port: int = USUAL_PORT
    credentials: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Of `http://name:password@proxy.internal:3128`. Raises ValueError, without the password in it."""
        if any(ord(one) <= ord(" ") or ord(one) == 0x7F for one in text):  # noqa: PLR2004 - DEL
            raise ValueError("has spaces or control characters")
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError("cannot be read") from None
        host = (parts.hostname or "").lower()
        if (
            parts.scheme != "http"
            or parts.path not in {"", "/"}
            or parts.query
            or parts.fragment
            or port == 0
        ):
            raise ValueError("must be like http://proxy.example.org:3128")
        if plain(host) is None and not is_name(host):
            raise ValueError("names no host")
        return cls(host, port or USUAL_PORT, _credentials(parts.username, parts.password))

    async def tunnel(self, addresses: Sequence[str], port: int, patience: float) -> tuple[str, socket.socket]:
        """Which of the addresses it led to, and a socket that ends there. Raises NotReachable or ProxyRefused."""
        try:
            async with asyncio.timeout(patience):
                return await self._first(addresses, port)
        except (TimeoutError, OSError):
            raise NotReachable("The proxy did not lead there in time.") from None

    async def _first(self, addresses: Sequence[str], port: int) -> tuple[str, socket.socket]:
        for address in addresses:
            made = await self._connected()
            try:
                status = await self._asked(made, address, port)
            except BaseException:
                made.close()
                raise
            if _is_tunnel(status):
                return address, made
            made.close()
            if status in _UNKNOWN:
                raise ProxyRefused("The proxy does not know the name and password that it was shown.")
            if status not in _BEHIND_IT:
                raise ProxyRefused(f"The proxy answers {status}.")
        raise NotReachable("The proxy reaches none of its addresses.")

    async def _connected(self) -> socket.socket:
        loop, failed = asyncio.get_running_loop(), OSError()
        for family, kind, protocol, _, where in await loop.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM
        ):
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            try:
                await loop.sock_connect(made, where)
            except OSError as error:
                made.close()
                failed = error
            except BaseException:
                made.close()
                raise
            else:
                return made
        raise failed

    async def _asked(self, made: socket.socket, address: str, port: int) -> int:
        loop, head = asyncio.get_running_loop(), b""
        await loop.sock_sendall(made, self._question(address, port))
        while _END not in head and len(head) < LONGEST_HEAD:
            piece = await loop.sock_recv(made, _PIECE)
            if not piece:
                break
            head += piece
        line = _LINE.match(head)
        line, end = _LINE.match(head), head.find(_END)
        if line is None or end < 0:
            raise ProxyRefused("The proxy's answer is none.")
        status = int(line[1])
        if _is_tunnel(status) and len(head) != end + len(_END):
            raise ProxyRefused("Something speaks in the tunnel before it was spoken to.")
        return status

    def _question(self, address: str, port: int) -> bytes:
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        shown = f"Proxy-Authorization: Basic {self.credentials}\r\n" if self.credentials else ""
        return f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{shown}\r\n".encode("ascii")


def _is_tunnel(status: int) -> bool:
    """Every success of CONNECT is one: RFC 9110, section 9.3.6."""
    return 200 <= status < 300  # noqa: PLR2004 - as they are written


def _credentials(name: str | None, password: str | None) -> str | None:
    if name is None:
        return None
    return b64encode(f"{unquote(name)}:{unquote(password or '')}".encode()).decode("ascii")
