"""Use cases around metrics: latest values, a metric over a range, and frames while somebody watches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pudim_collector.features.metrics.rules import KNOWN, Group, Place, charts_of
from pudim_collector.features.servers.service import COMMITTED, Servers
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.answering import Question, Reading
from pudim_collector.series.catalogue import Named
from pudim_collector.series.reading import Latest, Reader, StoredFrame
from pudim_collector.series.selecting import Selector, parse_matcher
from pudim_collector.series.shelves import is_from_outside

WATCH = "pudim_watch"
WATCH_RENEWED_EVERY = 5.0
"""Seconds after which a watcher says again that it watches."""
_LATEST_SINCE = timedelta(minutes=5)
_MOST_FRAMES = 10_000
"""More than a server has sources, so that frames of one time are never all there is."""
_EVERY_SOURCE = 2**31
_INSTANT = timedelta(microseconds=1)
_LIVE_BACKLOG = timedelta(minutes=5)


@dataclass(frozen=True)
class Metrics:
    reader: Reader
    servers: Servers
    announcements: Announcements
    clock: Clock

    async def latest(self, within: Scope, server_id: UUID) -> list[Latest]:
        """The newest samples of the last minutes. Raises NoSuchServer."""
        await self.servers.one(within, server_id)
        found = await self.reader.latest([server_id], self.clock.now() - _LATEST_SINCE)
        return sorted(found, key=lambda latest: latest.series)

    @staticmethod
    def selected(
        within: Scope,
        metrics: Sequence[str],
        server_ids: Sequence[UUID],
        tags: Sequence[str],
        where: Sequence[str],
    ) -> Selector:
        """Series of all servers within the scope where neither ids nor tags are named.

        Raises NoSuchServer or BadMatcher.
        """
        matchers = tuple(parse_matcher(one) for one in where)
        chosen = within.existing(server_ids) if server_ids else within.visible
        if tags:
            chosen &= within.tagged(tags)
        return Selector(tuple(dict.fromkeys(metrics)), chosen, matchers)

    async def read(self, question: Question) -> Reading:
        """Raises TooManySeries, TooManyPoints, TooMuchTouched or QueryTimeout."""
        return await self.reader.read(question)

    async def top(self, selector: Selector, most: int, *, lowest: bool = False) -> list[Latest]:
        """The series with the highest, or lowest, values of the last minutes."""
        return await self.reader.top(selector, most, self.clock.now() - _LATEST_SINCE, lowest=lowest)

    async def names(self, within: Scope) -> list[Named]:
        """Metrics that servers within the scope ever had, by name."""
        return await self.reader.metrics(within.visible)

    async def groups(self, server_id: UUID) -> list[Group]:
        """The charts of a server, as far as its agent ever measured what they show.

        One that has sent nothing yet has the first ones, which fill while somebody waits for them.
        """
        return charts_of(await self.reader.metrics_of(server_id)) or [KNOWN[0]]

    async def labels(self, within: Scope, metric: str) -> dict[str, set[str]]:
        return await self.reader.labels(Selector((metric,), within.visible))

    async def watch(
        self, within: Scope, server_id: UUID, after: Place | None
    ) -> AsyncIterator[list[StoredFrame]]:
        """Frames of one server as they are committed, and an empty list now and then; it is sampled each second.

        `after` resumes an interrupted watch, without loss or repetition for some minutes. Raises NoSuchServer.
        """
        # Only one of them: others' clocks and delays must not make a page skip what the agent sends.
        outside = (await self.servers.one(within, server_id)).from_outside
        seen = await self._beginning(server_id, after, outside=outside)
        renewed = -WATCH_RENEWED_EVERY
        with self.announcements.subscribe(COMMITTED) as committed:
            heard: frozenset[str] = frozenset()
            while True:
                due = self.clock.monotonic() - renewed >= WATCH_RENEWED_EVERY
                if due:
                    await self.announcements.announce(WATCH, server_id.hex)
                    renewed = self.clock.monotonic()
                if due or not heard or _concerns(server_id, heard):
                    frames = await self._frames_after(server_id, seen, outside=outside)
                    seen = max((Place(frame.time, frame.source_id) for frame in frames), default=seen)
                    yield frames
                heard = await committed.heard(WATCH_RENEWED_EVERY)

    async def _beginning(self, server_id: UUID, after: Place | None, *, outside: bool) -> Place:
        """Where a watch begins: at `after` if that is recent, else at the newest frame of the last minutes.

        The agent's clock may be wrong by seconds, so `now` would be the wrong place.
        """
        now = self.clock.now()
        oldest = Place(now - _LIVE_BACKLOG, 0)
        if after is not None and after.time <= now + _LIVE_BACKLOG:
            return max(after, oldest)
        latest = await self.reader.latest([server_id], oldest.time)
        own = (one.time for one in latest if is_from_outside(one.series) == outside)
        return max((Place(time, _EVERY_SOURCE) for time in own), default=oldest)

    async def _frames_after(self, server_id: UUID, seen: Place, *, outside: bool) -> list[StoredFrame]:
        since = seen.time - _INSTANT
        found = await self.reader.frames_after(server_id, since, _MOST_FRAMES, outside=outside)
        return [frame for frame in found if (frame.time, frame.source_id) > seen]


def _concerns(server_id: UUID, heard: frozenset[str]) -> bool:
    return any(payload == EVERYTHING or server_id.hex in payload for payload in heard)
