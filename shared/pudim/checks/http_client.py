"""One HTTP/1.1 request on a connection of its own: to the address the guard has seen, each phase timed, all of it bounded.

A general client resolves, pools, decompresses and follows by itself; a check must know what each of these did.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from pudim.checks import Down, Surroundings, Unknown
from pudim.checks.addresses import plain
from pudim.checks.certificates import LONGEST_LINE, peer, secured, untrusted
from pudim.checks.connecting import Phases, ascii_name, connect, failed, is_host

MOST_BODY = 1 << 20
"""Bytes of a body that are looked at."""
MOST_HEADERS = 128
_MOST_INTERIM = 8
_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: |$)")
_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,8}[ \t]*(?:;.*)?")
_NUMBER = re.compile(r"[0-9]{1,15}")
_SAFE = "/:?#[]@!$&'()*+,;=%-._~"
_BODILESS = frozenset({204, 304})
_OK = 200


class Target(NamedTuple):
    """Where a URL leads; `path` is what the request line says."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class Request:
    """`headers` must be harmless already. `wants_body`: whether the answer's body is read at all."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    verify: bool
    ca: str
    wants_body: bool


@dataclass(frozen=True)
class Answer:
    """`body` is what was read of it; `until` is when the peer's certificate ends, None without TLS."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool
    until: float | None


_PORTS = {"http": 80, "https": 443}


def target_of(url: str) -> Target:
    """Raises ValueError for what is not an http or https URL with a host that can be asked for."""
    if any(ord(one) <= ord(" ") or ord(one) == 0x7F for one in url) or "\\" in url:  # noqa: PLR2004 - DEL
        raise ValueError("has spaces, control characters or backslashes")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise ValueError("must start with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a name or password; use a header")
    host, port = parts.hostname or "", parts.port
    if not is_host(host) or "%" in host:
        raise ValueError("names no host")
    if port == 0:
        raise ValueError("has no port that can be connected to")
    path = quote(parts.path or "/", safe=_SAFE) + (
        f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    )
    name = host if plain(host) is not None else ascii_name(host)
    return Target(parts.scheme, name, port or _PORTS[parts.scheme], path)


def follow(target: Target, location: str) -> Target:
    """Raises Down when the server leads nowhere."""
    try:
        return target_of(urljoin(f"{target.scheme}://{target.authority}{target.path}", location))
    except ValueError as error:
        raise Down("bad_redirect", f"the server leads to an address that {error}") from error


async def ask(
    target: Target, request: Request, around: Surroundings, phases: Phases, patience: float
) -> Answer:
    """Raises Down or Unknown."""
    reader, writer, until = await _open(target, request, around, phases, patience)
    try:
        phases.enter("wait")
        writer.write(_head(target, request) + request.body)
        await writer.drain()
        status, headers = await _answer_head(reader)
        phases.enter("receive")
        body, is_cut = b"", False
        if request.wants_body and request.method != "HEAD" and status not in _BODILESS:
            body, is_cut = await _body(reader, headers)
        phases.end()
        return Answer(status, headers, body, is_cut, until)
    except asyncio.IncompleteReadError as error:
        raise Down("cut_short", "the connection ended before the answer did") from error
    except (asyncio.LimitOverrunError, ValueError) as error:
        raise Down("malformed", "the answer is not HTTP/1.1 within bounds") from error
    except ssl.SSLError as error:
        raise untrusted(error, target.authority) from error
    except OSError as error:
        raise failed(error, target.authority) from error
    finally:
        writer.transport.abort()


async def _open(
    target: Target, request: Request, around: Surroundings, phases: Phases, patience: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, float | None]:
    made = await connect(target.host, target.port, around, phases, patience)
    if target.scheme == "http":
        reader, writer = await asyncio.open_connection(sock=made, limit=LONGEST_LINE)
        return reader, writer, None
    reader, writer = await secured(made, target.host, phases, ca=request.ca, verify=request.verify)
    return reader, writer, peer(writer.transport)[0]


def _head(target: Target, request: Request) -> bytes:
    lines = [f"{request.method} {target.path} HTTP/1.1", f"Host: {target.authority}", "Connection: close"]
    given = {name.lower() for name in request.headers}
    if "user-agent" not in given:
        lines.append("User-Agent: Pudim-check")
    if "accept" not in given:
        lines.append("Accept: */*")
    if "accept-encoding" not in given:
        lines.append("Accept-Encoding: identity")
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(request.body)}")
    lines.extend(f"{name}: {value}" for name, value in request.headers.items())
    return "\r\n".join((*lines, "", "")).encode("utf-8")


async def _answer_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    for _ in range(_MOST_INTERIM):
        found = _LINE.match((await reader.readuntil(b"\n")).rstrip(b"\r\n"))
        if found is None:
            raise Down("malformed", "the answer does not begin as HTTP/1.1 does")
        headers = await _headers(reader)
        if int(found[1]) >= _OK:
            return int(found[1]), headers
    raise Down("malformed", "the server says to wait again and again")


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """By lower-case name; of one that comes twice the last."""
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS):
        line = (await reader.readuntil(b"\n")).rstrip(b"\r\n")
        if not line:
            return headers
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    raise Down("malformed", f"the answer has more than {MOST_HEADERS} headers")


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> tuple[bytes, bool]:
    """At most MOST_BODY bytes, and whether there was more."""
    if headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise Unknown("encoded", "the body came compressed though that was not asked for")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(reader)
    length = headers.get("content-length", "")
    if not length:
        found = await _read_some(reader, MOST_BODY + 1)
        return found[:MOST_BODY], len(found) > MOST_BODY
    if not _NUMBER.fullmatch(length):
        raise Down("malformed", "the answer's length is not a number")
    return await reader.readexactly(min(int(length), MOST_BODY)), int(length) > MOST_BODY


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    found = bytearray()
    while True:
        line = (await reader.readuntil(b"\n")).strip()
        if not _CHUNK.fullmatch(line):
            raise Down("malformed", "a chunk of the answer has no size")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return bytes(found), False
        if len(found) + size > MOST_BODY:
            found += await reader.readexactly(MOST_BODY - len(found))
            return bytes(found), True
        found += await reader.readexactly(size)
        await reader.readexactly(2)


async def _read_some(reader: asyncio.StreamReader, most: int) -> bytes:
    """Up to `most` bytes, fewer only at the end."""
    found = bytearray()
    while len(found) < most and (part := await reader.read(most - len(found))):
        found += part
    return bytes(found)
