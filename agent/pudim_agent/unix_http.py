"""Asks an HTTP server on a unix socket: GET only, HTTP/1.1, one connection for several questions, bounded answers.

aiohttp could do it, for a session and a connector a time; what is needed is this little.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import NamedTuple

_LONGEST_LINE = 16 << 10
_MOST_HEADERS = 64


class BadAnswer(ValueError):
    """What answered does not speak HTTP/1.1, or answered too much."""


class NotItsOwner(PermissionError):
    """Another user listens than the one to whom the socket's place belongs."""


class Answer(NamedTuple):
    status: int
    body: bytes


class UnixServer:
    """One connection. After an error it can only be closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def get(self, target: str, most: int) -> Answer:
        """`target` is a path of safe characters. Raises OSError or BadAnswer, the latter also for over `most` bytes."""
        self._writer.write(
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n".encode()
        )
        try:
            await self._writer.drain()
            status = _status(await self._line())
            return Answer(status, await self._body(await self._headers(), most))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadAnswer("the answer ended early or has too long a line") from error

    def close(self) -> None:
        self._writer.transport.abort()  # nothing is left to say

    async def _line(self) -> bytes:
        return (await self._reader.readuntil(b"\n")).rstrip(b"\r\n")

    async def _headers(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for _ in range(_MOST_HEADERS):
            if not (line := await self._line()):
                return found
            name, _, value = line.partition(b":")
            found[name.lower()] = value.strip()
        raise BadAnswer("too many headers")

    async def _body(self, headers: dict[bytes, bytes], most: int) -> bytes:
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            return await self._chunks(most)
        if b"content-length" not in headers:
            raise BadAnswer("an answer without a length")
        return await self._reader.readexactly(_bounded(headers[b"content-length"], 10, most))

    async def _chunks(self, most: int) -> bytes:
        """RFC 9112, 7.1. Trailers are passed over."""
        parts, left = [], most
        while size := _bounded((await self._line()).partition(b";")[0].strip(), 16, left):
            parts.append(await self._reader.readexactly(size))
            left -= size
            if await self._line():
                raise BadAnswer("a chunk is longer than it says")
        await self._headers()
        return b"".join(parts)


async def connect(path: str, owner: int | None = None) -> UnixServer:
    """Raises OSError; NotItsOwner when the one who listens is not of the user `owner`."""
    reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_LINE)
    if owner is not None and (peer := _peer(writer)) != owner:
        writer.transport.abort()
        raise NotItsOwner(f"user {peer} listens in a place of user {owner}")
    return UnixServer(reader, writer)


def _peer(writer: asyncio.StreamWriter) -> int:
    """The user who listens, unix(7)."""
    form = struct.Struct("3i")
    raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size)
    return int(form.unpack(raw)[1])


def _status(line: bytes) -> int:
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise BadAnswer("no HTTP answer")
    return int(rest[:3])


def _bounded(text: bytes, base: int, most: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if not 0 <= size <= most:
        raise BadAnswer(f"more than {most} bytes, or no length at all")
    return size
