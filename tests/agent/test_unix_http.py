"""A server on a unix socket, honest or not: what is read of it is bounded and in HTTP/1.1."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pudim_agent.unix_http import Answer, BadAnswer, NotItsOwner, connect


async def settle() -> None:
    """Both ends of what was closed see it."""
    for _ in range(5):
        await asyncio.sleep(0)


async def answered(path: Path, raw: bytes, most: int = 1000) -> Answer:
    """What is made of `raw`, after which the server closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_unix_server(serve, str(path))
    connection = await connect(str(path))
    try:
        return await connection.get("/x", most)
    finally:
        connection.close()
        server.close()
        await server.wait_closed()
        await settle()


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Answer(200, b"hi")),
        (b"HTTP/1.1 404 Not Found\r\ncontent-LENGTH:2\r\n\r\nno", Answer(404, b"no")),
        (b"HTTP/1.0 200\nContent-Length: 0\n\n", Answer(200, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\n\r\n",
            Answer(200, b"hi yo"),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", Answer(200, b"")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, Answer(200, b"x" * 1000)),
    ],
)
async def test_answers(tmp_path: Path, raw: bytes, answer: Answer) -> None:
    assert await answered(tmp_path / "s", raw) == answer


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"10\r\n" + b"x" * 16 + b"\r\n" + b"3e0\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"9" * 100_000,
    ],
)
async def test_lies(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises((BadAnswer, ConnectionError)):
        await answered(tmp_path / "s", raw)


async def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await connect(str(tmp_path / "s"))
    (tmp_path / "s").write_text("a file")
    with pytest.raises(ConnectionRefusedError):
        await connect(str(tmp_path / "s"))


async def test_another_user_than_the_place_belongs_to(tmp_path: Path) -> None:
    served: list[asyncio.StreamWriter] = []

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        served.append(writer)

    server = await asyncio.start_unix_server(serve, str(tmp_path / "s"))
    (await connect(str(tmp_path / "s"), os.geteuid())).close()
    with pytest.raises(NotItsOwner, match="listens in a place of user"):
        await connect(str(tmp_path / "s"), os.geteuid() + 1)
    while len(served) < 2:
        await asyncio.sleep(0)
    server.close()
    await server.wait_closed()
    await settle()
