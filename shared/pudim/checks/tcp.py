"""Connects to a port, perhaps says something, and perhaps expects a text back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from pudim.checks import Down, NotUp, Outcome, Status, Surroundings, checks, setting
from pudim.checks.connecting import Phases, connect, failed, is_host, phase

MOST_READ = 65_536
"""Bytes in which the expected text must come."""
_ESCAPES = {"\\r": "\r", "\\n": "\n", "\\t": "\t", "\\\\": "\\"}


@dataclass(frozen=True)
class TcpConfig:
    host: str = setting("Host", "A name or an address.", required=True, longest=253)
    port: int = setting("Port", "Such as 5432.", required=True, low=1, high=65_535)
    send: str = setting(
        "Send",
        r"What is said first; \r and \n stand for line ends.",
        "",
        secret=True,
        longest=4096,
        lines=True,
    )
    expect: str = setting("Expect", "A text that must come back.", "", longest=1024)


@checks.register("tcp")
class Tcp:
    Config = TcpConfig
    title = "TCP port"
    help = "Connects to a port; can send a text and expect one back."
    figures = tuple(map(phase, ("resolve", "connect", "wait")))
    silence = Status.DOWN

    def __init__(self, config: TcpConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: TcpConfig) -> Iterable[tuple[str, str]]:
        if not is_host(config.host):
            yield "host", "must be a name or an address"

    async def run(self, around: Surroundings, timeout: float) -> Outcome:
        config, phases = self._config, Phases(around.timer)
        try:
            made = await connect(config.host, config.port, around, phases, timeout)
            phases.end()
            reader, writer = await asyncio.open_connection(sock=made)
            try:
                await self._converse(reader, writer, phases)
            finally:
                writer.transport.abort()
        except NotUp as found:
            phases.end()
            found.figures = {**phases.figures(), **found.figures}
            raise
        words = "connected" if not config.expect else "the expected text came"
        return Outcome(Status.UP, phases.total, words, figures=phases.figures())

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, phases: Phases
    ) -> None:
        config = self._config
        phases.enter("wait")
        try:
            if config.send:
                writer.write(unescaped(config.send).encode())
                await writer.drain()
            if config.expect:
                await _expect(reader, unescaped(config.expect).encode())
        except OSError as error:
            raise failed(error, f"{config.host} port {config.port}") from error
        phases.end()


async def _expect(reader: asyncio.StreamReader, wanted: bytes) -> None:
    found = b""
    while wanted not in found:
        part = await reader.read(MOST_READ)
        if not part:
            raise Down("text_missing", "the connection ended without the expected text")
        found += part
        if len(found) > MOST_READ + len(wanted):
            raise Down("text_missing", f"the expected text is not in the first {MOST_READ} bytes")


def unescaped(text: str) -> str:
    r"""`text` with \r, \n, \t and \\ as what they stand for."""
    parts = text.split("\\\\")
    for short, one in _ESCAPES.items():
        parts = [part.replace(short, one) for part in parts]
    return "\\".join(parts)
