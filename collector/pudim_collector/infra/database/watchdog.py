"""The embedded server can end by itself (a full disk, the kernel out of memory): whoever started it starts it again."""

from __future__ import annotations

import asyncio
import logging
import subprocess

import psutil
import psycopg

from pudim_collector.infra.database.embedded import EmbeddedDatabaseError, EmbeddedPostgres
from pudim_collector.infra.supervised import Backoff
from pudim_collector.infra.telemetry import counter

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
_FAILURES = (EmbeddedDatabaseError, OSError, psutil.Error, psycopg.Error, subprocess.SubprocessError)

restarts = counter("pudim_database_restarts_total", "Times that the embedded database ended by itself.")


class Watchdog:
    """`run` is its loop, which never gives up; `wrong` says what it is about, None while the server runs."""

    def __init__(self, server: EmbeddedPostgres, backoff: Backoff | None = None) -> None:
        self._server, self._backoff = server, backoff or Backoff()
        self._wrong: str | None = None
        self._failures = 0
        self._runs_since = float("-inf")

    def wrong(self) -> str | None:
        return self._wrong

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._server.running:
                await self._bring_back()

    async def _bring_back(self) -> None:
        loop = asyncio.get_running_loop()
        restarts.inc()
        self._tell(f"the server has ended: {self._server.complaint() or 'its log does not say why'}")
        if loop.time() - self._runs_since > self._backoff.quiet:
            self._failures = 0
        while not await self._started():
            continue
        self._runs_since, self._wrong = loop.time(), None
        log.warning("the embedded database runs again")

    async def _started(self) -> bool:
        """At once for the first time; a server that ends again and again is started ever more slowly."""
        if self._failures:
            await asyncio.sleep(self._backoff.delay(self._failures))
        self._failures += 1
        try:
            await self._restart()
        except _FAILURES as error:
            said = str(error).partition("\n")[0]
            self._tell(f"the server does not start: {self._server.complaint() or said}")
            return False
        return True

    async def _restart(self) -> None:
        """Whoever cancels this waits for its thread: else a server would be launched after it was stopped."""
        restarting = asyncio.get_running_loop().run_in_executor(None, self._server.restart)
        try:
            await asyncio.shield(restarting)
        except asyncio.CancelledError:
            self._server.hurry()
            while not restarting.done():
                await asyncio.wait([restarting])
            restarting.exception()
            raise

    def _tell(self, wrong: str) -> None:
        if wrong != self._wrong:
            log.error("embedded database: %s", wrong)
        self._wrong = wrong
