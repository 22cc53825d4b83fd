"""Ports that are open, closed, talk, keep silent, or never stop."""

import asyncio

import pytest

from pudim.checks import Status
from pudim.checks.tcp import unescaped
from tests.shared.checks.places import found, serving


async def test_a_port_that_is_open_and_one_that_is_not() -> None:
    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(quiet) as port:
        outcome = await found("tcp", host="127.0.0.1", port=port)
        assert (outcome.status, outcome.detail) == (Status.UP, "connected")
        silent = await found("tcp", host="127.0.0.1", port=port, expect="x", timeout=0.2)
        assert (silent.status, silent.code) == (Status.DOWN, "timeout")
    closed = await found("tcp", host="127.0.0.1", port=port)
    assert (closed.status, closed.code) == (Status.DOWN, "refused")


async def test_what_is_said_and_expected() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"\r\n")
        for byte in b"you said " + line:
            writer.write(bytes((byte,)))
            await writer.drain()
        writer.close()

    async with serving(echo) as port:
        good = await found("tcp", host="127.0.0.1", port=port, send=r"PING\r\n", expect=r"said PING\r\n")
        assert good.status is Status.UP
        bad = await found("tcp", host="127.0.0.1", port=port, send=r"PING\r\n", expect="PONG")
        assert (bad.status, bad.code) == (Status.DOWN, "text_missing")


async def test_who_never_stops_talking_is_not_listened_to_for_ever() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 8192)
            await writer.drain()

    async with serving(endless) as port:
        assert (await found("tcp", host="127.0.0.1", port=port, expect="y")).code == "text_missing"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(r"a\r\nb", "a\r\nb"), (r"\\n", r"\n"), ("plain", "plain"), (r"\\\n", "\\\n"), (r"\x", r"\x")],
)
def test_line_ends_as_they_are_typed(typed: str, meant: str) -> None:
    assert unescaped(typed) == meant
