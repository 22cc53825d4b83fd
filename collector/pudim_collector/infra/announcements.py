"""What happened, told between processes: one LISTEN connection, handed on to whoever waits in this process.

Notifications carry ids only; who hears one reads the database. A listener that falls behind, or missed some
while the connection was down, is told EVERYTHING.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from psycopg.sql import SQL, Identifier

from pudim_collector.infra.database import PsycopgEngine, SessionSettings, connect

EVERYTHING = "*"
_MOST_UNHEARD = 256
_NO_TIMEOUT = SessionSettings("pudim announcements", timedelta(0))


class Subscription:
    """What was announced on one channel and not yet heard, each payload once."""

    def __init__(self) -> None:
        self._unheard: set[str] = set()
        self._arrived = asyncio.Event()

    def announce(self, payload: str) -> None:
        self._unheard.add(payload)
        if len(self._unheard) > _MOST_UNHEARD:
            self._unheard = {EVERYTHING}
        self._arrived.set()

    async def heard(self, patience: float) -> frozenset[str]:
        """All that was announced since last asked; empty after `patience` seconds of silence."""
        try:
            async with asyncio.timeout(patience):
                await self._arrived.wait()
        except TimeoutError:
            return frozenset()
        heard, self._unheard = frozenset(self._unheard), set()
        self._arrived.clear()
        return heard


class Announcements:
    """The process' ear; `run` is its loop."""

    def __init__(self, database: PsycopgEngine, channels: Iterable[str]) -> None:
        self._database = database
        self._channels: dict[str, set[Subscription]] = {channel: set() for channel in channels}

    @contextmanager
    def subscribe(self, channel: str) -> Iterator[Subscription]:
        subscription = Subscription()
        self._channels[channel].add(subscription)
        try:
            yield subscription
        finally:
            self._channels[channel].discard(subscription)

    async def announce(self, channel: str, payload: str) -> None:
        """Tell every process; inside a transaction, when it commits."""
        async with self._database.connection() as connection:
            await connection.execute("SELECT pg_notify($1, $2)", [channel, payload])

    async def run(self) -> None:
        connection = await connect(self._database.conninfo, _NO_TIMEOUT)
        try:
            for channel in self._channels:
                await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
                # What was said while nobody listened is unknown.
                self._hand_on(channel, EVERYTHING)
            async for note in connection.notifies():
                self._hand_on(note.channel, note.payload)
        finally:
            await connection.close()

    def _hand_on(self, channel: str, payload: str) -> None:
        for subscription in self._channels[channel]:
            subscription.announce(payload)
