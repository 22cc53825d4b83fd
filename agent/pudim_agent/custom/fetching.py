"""Asks an exporter for its text, with an end to everything: time, bytes, bytes once unpacked, and where it may lie."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from pudim.deadlines import within
from pudim.vocabulary.errors import PudimError
from pudim_agent.custom.own_addresses import is_address, is_own

_HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.8,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "User-Agent": "pudim-agent",
}
_GZIP = 16 + zlib.MAX_WBITS
_OK = 200
_REDIRECTS = range(300, 400)


class FetchFailed(PudimError):
    """An exporter that gave no text to read."""

    code = "fetch_failed"


class Answer(NamedTuple):
    text: bytes
    openmetrics: bool


class OwnAddresses(AbstractResolver):
    """Names that lie on this host, and no others, whatever the name server says today."""

    def __init__(self) -> None:
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        here = [one for one in found if is_own(one["host"])]
        if not here:
            raise OSError(errno.EACCES, f"{host} is not this host; allow_remote = true allows that")
        return here

    async def close(self) -> None:
        await self._inner.close()


class Exporter:
    """One place to fetch from, over one connection that is kept open between the times."""

    def __init__(self, url: str, http: aiohttp.ClientSession, most_bytes: int, *, remote: bool) -> None:
        self._url, self._http, self._most_bytes, self._remote = url, http, most_bytes, remote

    async def fetch(self, seconds: float) -> Answer:
        """Raises FetchFailed, after `seconds` at the latest."""
        try:
            async with within(seconds):
                return await self._fetch()
        except asyncio.TimeoutError:
            raise FetchFailed(f"no whole answer in {seconds:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise FetchFailed(f"{error}" or type(error).__name__) from error

    async def _fetch(self) -> Answer:
        self._check_address()
        async with self._http.get(self._url, headers=_HEADERS, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                raise FetchFailed(f"answered {response.status}; redirections are not followed")
            if response.status != _OK:
                raise FetchFailed(f"answered {response.status}")
            encoding = response.headers.get("Content-Encoding", "identity").lower()
            if encoding not in {"identity", "gzip"}:
                raise FetchFailed("answered in an encoding that was not asked for")
            kind = response.headers.get("Content-Type", "").lower()
            body = await self._body(response.content, packed=encoding == "gzip")
            return Answer(body, kind.startswith("application/openmetrics-text"))

    def _check_address(self) -> None:
        """An address needs no resolver, so it is looked at here."""
        host = urlsplit(self._url).hostname or ""
        if not self._remote and is_address(host) and not is_own(host):
            raise FetchFailed(f"{host} is not this host; allow_remote = true allows that")

    async def _body(self, content: aiohttp.StreamReader, *, packed: bool) -> bytes:
        unpacker = zlib.decompressobj(_GZIP) if packed else None
        body = bytearray()
        async for part in content.iter_any():
            try:
                body += unpacker.decompress(part, self._most_bytes + 1 - len(body)) if unpacker else part
            except zlib.error:
                raise FetchFailed("an answer that is not the gzip it says it is") from None
            if len(body) > self._most_bytes:
                raise FetchFailed(f"more than {self._most_bytes} bytes")
        if unpacker and not unpacker.eof:
            raise FetchFailed("an answer that is cut short")
        return bytes(body)


@asynccontextmanager
async def exporter(
    url: str, most_bytes: int, *, remote: bool, ca_file: Path | None
) -> AsyncIterator[Exporter]:
    connector = aiohttp.TCPConnector(
        resolver=None if remote else OwnAddresses(),
        ssl=ssl.create_default_context(cafile=ca_file) if ca_file else True,
        use_dns_cache=False,
        limit=1,
    )
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as http:
        yield Exporter(url, http, most_bytes, remote=remote)
