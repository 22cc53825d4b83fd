"""Writes down how the agent's link is, for `pudim agent status` and for what watches an update.

A file of some hundred bytes, written when something changes and once a minute: it costs no socket, no listener and no
thread, and after the agent's end it still says when the collector last took something.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import NamedTuple, Protocol

from pudim_agent.clock import Clock

FILE = "status"
MAX_BYTES = 4096
_LOOK_SECONDS = 2.0
_RENEW_SECONDS = 60.0
_SELDOM_MS = 30_000


class Link(Protocol):
    @property
    def connected(self) -> bool: ...

    @property
    def acknowledged_at(self) -> int | None:
        """When the collector took something last, in Unix milliseconds."""
        ...


class Waiting(Protocol):
    lost: int

    @property
    def batches(self) -> int: ...


class Said(NamedTuple):
    """What stands in the file. `streams`: the pinned collector answers and takes what this agent has."""

    pid: int
    release: str
    started_at: int
    written_at: int
    connected: bool
    connected_at: int | None
    acknowledged_at: int | None
    streams: bool
    waiting: int
    lost: int


class Status:
    def __init__(
        self, state_dir: Path, link: Link, spool: Waiting, *, clock: Clock, interval_ms: int
    ) -> None:
        self._path, self._link, self._spool, self._clock = state_dir / FILE, link, spool, clock
        self._interval_ms = interval_ms
        self._started_at = clock.now().wall_ms
        self._connected_at: int | None = None
        self._acknowledged_at: int | None = None
        self._written: tuple[bool, bool] | None = None
        self._renewed = 0.0

    async def run(self) -> None:
        """For ever: only cancelling ends it."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Write if something changed, or nothing was written for a minute."""
        now = self._clock.now()
        connected = self._link.connected
        if not connected:
            self._connected_at = None
        elif self._connected_at is None:
            self._connected_at = now.wall_ms
        self._acknowledged_at = self._link.acknowledged_at or self._acknowledged_at
        state = (connected, self._acknowledged_at is not None)
        if state != self._written or now.monotonic - self._renewed >= _RENEW_SECONDS:
            self._written, self._renewed = state, now.monotonic
            self._write(now.wall_ms, connected=connected)

    def _write(self, now_ms: int, *, connected: bool) -> None:
        # One that samples seldom has nothing to be acknowledged for long: to be connected to the pinned collector counts.
        streams = self._acknowledged_at is not None or (connected and self._interval_ms > _SELDOM_MS)
        said = Said(
            os.getpid(),
            Path(sys.prefix).name,
            self._started_at,
            now_ms,
            connected,
            self._connected_at,
            self._acknowledged_at,
            streams,
            self._spool.batches,
            self._spool.lost,
        )
        fresh = self._path.with_name(f".{FILE}")
        with contextlib.suppress(OSError):  # a full disk: only who asks for the status misses it
            fresh.write_text("".join(map(_line, Said._fields, said)), "utf-8")
            fresh.replace(self._path)


def _line(name: str, value: object) -> str:
    return f"{name} {'-' if value is None else int(value) if isinstance(value, bool) else value}\n"


def read(state_dir: Path) -> Said | None:
    """What an agent wrote last, None where none did or it cannot be read."""
    try:
        with (state_dir / FILE).open("rb") as file:
            lines = file.read(MAX_BYTES).decode("utf-8", "replace").splitlines()
        found = dict(line.partition(" ")[::2] for line in lines)
        return Said(
            int(found["pid"]),
            found["release"],
            int(found["started_at"]),
            int(found["written_at"]),
            found["connected"] == "1",
            _number(found["connected_at"]),
            _number(found["acknowledged_at"]),
            found["streams"] == "1",
            int(found["waiting"]),
            int(found["lost"]),
        )
    except (OSError, KeyError, ValueError):
        return None


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)
