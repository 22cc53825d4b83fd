"""Use cases around metrics: latest values, a metric over a range, and frames while somebody watches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pudim_collector.features.metrics.rules import Range
from pudim_collector.features.servers.service import COMMITTED, Servers
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.reading import Latest, Reader, Reading, StoredFrame

WATCH = "pudim_watch"
WATCH_RENEWED_EVERY = 5.0
"""Seconds after which a watcher says again that it watches."""
_LATEST_SINCE = timedelta(minutes=5)
_MOST_FRAMES = 1_000
_LIVE_BACKLOG = timedelta(minutes=5)


@dataclass(frozen=True)
class Metrics:
    reader: Reader
    servers: Servers
    announcements: Announcements
    clock: Clock

    async def latest(self, server_id: UUID) -> list[Latest]:
        """The newest samples of the last minutes. Raises NoSuchServer."""
        await self.servers.one(server_id)
        found = await self.reader.latest([server_id], self.clock.now() - _LATEST_SINCE)
        return sorted(found, key=lambda latest: latest.series)

    async def read(self, metric: str, server_ids: list[UUID], span: Range, points: int) -> Reading:
        """Without `server_ids`, of all servers. Raises NoSuchServer or TooManySeries."""
        known = server_ids or [view.record.id for view in await self.servers.all()]
        for server_id in server_ids:
            await self.servers.one(server_id)
        return await self.reader.read(metric, known, span.start, span.end, points)

    async def watch(self, server_id: UUID, after: datetime | None) -> AsyncIterator[list[StoredFrame]]:
        """Frames of one server as they are committed, and an empty list now and then; it is sampled each second.

        `after` resumes an interrupted watch. Raises NoSuchServer.
        """
        await self.servers.one(server_id)
        now = self.clock.now()
        newest = max(after or now, now - _LIVE_BACKLOG)
        renewed = -WATCH_RENEWED_EVERY
        with self.announcements.subscribe(COMMITTED) as committed:
            while True:
                if self.clock.monotonic() - renewed >= WATCH_RENEWED_EVERY:
                    await self.announcements.announce(WATCH, server_id.hex)
                    renewed = self.clock.monotonic()
                heard = await committed.heard(WATCH_RENEWED_EVERY)
                if heard and not _concerns(server_id, heard):
                    continue
                frames = await self.reader.frames_after(server_id, newest, _MOST_FRAMES)
                newest = max((frame.time for frame in frames), default=newest)
                yield frames


def _concerns(server_id: UUID, heard: frozenset[str]) -> bool:
    return any(payload == EVERYTHING or server_id.hex in payload for payload in heard)
