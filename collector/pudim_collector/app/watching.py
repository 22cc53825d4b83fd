"""Agents of servers that somebody looks at sample each second; watching is a lease, so that nobody need end it."""

from __future__ import annotations

from uuid import UUID

from pudim_collector.features.metrics.service import WATCH, WATCH_RENEWED_EVERY
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.kernel.clock import Clock

WATCHED_INTERVAL_MS = 1_000
LEASE = 3 * WATCH_RENEWED_EVERY


class Watching:
    """`run` is its loop."""

    def __init__(self, announcements: Announcements, stream: AgentStream, clock: Clock) -> None:
        self._announcements, self._stream, self._clock = announcements, stream, clock
        self._until: dict[UUID, float] = {}

    async def run(self) -> None:
        with self._announcements.subscribe(WATCH) as wanted:
            while True:
                for payload in await wanted.heard(patience=1.0):
                    if payload != EVERYTHING:
                        self._renew(UUID(payload))
                self._expire()

    def _renew(self, server_id: UUID) -> None:
        if server_id not in self._until:
            self._stream.configure(server_id, WATCHED_INTERVAL_MS)
        self._until[server_id] = self._clock.monotonic() + LEASE

    def _expire(self) -> None:
        now = self._clock.monotonic()
        for server_id in [one for one, until in self._until.items() if until <= now]:
            del self._until[server_id]
            self._stream.configure(server_id, 0)
