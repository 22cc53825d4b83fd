"""Decoded samples onto the disk: which server they are about, which series may come, and the commit that keeps them.

Whatever returns without an error is stored, but for what was refused by name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Sender
from pudim_collector.ingest import counters
from pudim_collector.ingest.admission import MAX_SKEW_MS
from pudim_collector.ingest.outside.caps import DAY_MS, Census
from pudim_collector.ingest.outside.grid import Columns, frames_of
from pudim_collector.ingest.outside.ports import SenderRecords, Servers
from pudim_collector.ingest.outside.refusals import (
    Crowded,
    PartRefusal,
    Refused,
    SampleInFuture,
    SampleTooOld,
)
from pudim_collector.ingest.outside.samples import Arrival, Push
from pudim_collector.ingest.writer import MAX_PENDING_BYTES, Delivery, Writer
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.shelves import SENDER, Owner, Place, Shelves, Shelving
from pudim_collector.series.store import Store

REPORT_SECONDS = 5.0
_NOW_MS = 600_000
"""What was sent in this time is sent now."""
_SERVER_KNOWN_MS = 10_000
"""How soon a revoked server is noticed, and how often it is said that a server was seen."""
_MOST_REMEMBERED = 20_000


@dataclass
class _Report:
    """What happened to a sender since it was last written down."""

    name: str
    used: bool = False
    refused: Refused = field(default_factory=Refused)


class Intake:
    """Takes what senders bring; `run` is the loop that writes down what became of them."""

    def __init__(
        self,
        *,
        store: Store,
        shelving: Shelving,
        writer: Writer,
        servers: Servers,
        senders: SenderRecords,
        clock: Clock,
    ) -> None:
        self._store, self._shelving, self._writer = store, shelving, writer
        self._servers, self._senders, self._clock = servers, senders, clock
        self._placed: dict[tuple[UUID, str, str], tuple[UUID | PartRefusal, int]] = {}
        self._seen: dict[UUID, int] = {}
        self._censuses: dict[str, Census] = {}
        self._admitting: dict[str, asyncio.Lock] = {}
        self._reports: dict[UUID, _Report] = {}

    async def take(self, sender: Sender, push: Push) -> Refused:
        """Store what may be stored; what was refused of it. Raises Crowded, or StoreUnavailable: nothing is stored then."""
        if self._writer.pending_bytes >= MAX_PENDING_BYTES:
            raise Crowded
        frames: list[SourceFrames] = []
        servers: set[UUID] = set()
        for arrival in push.arrivals.values():
            made = await self._take_arrival(sender, arrival, push.refused)
            if made is not None:
                servers.add(made[0])
                frames += made[1]
        if frames:
            await self._deliver(frozenset(servers), frames)
            await self._say_seen(servers)
        self._note(sender, push.refused)
        return push.refused

    def note_refused(self, sender: Sender, refusal: PudimError) -> None:
        """A whole request of this sender was refused."""
        report = self._report_of(sender)
        report.refused.points[refusal.code] += 1
        report.refused.said[refusal.code] = refusal.detail

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            await self.report()

    async def report(self) -> None:
        """Write down what senders send and what was refused of them."""
        now = self._now()
        waiting, self._reports = self._reports, {}
        for sender_id, report in waiting.items():
            if report.used:
                await self._senders.used(sender_id, self._census(report.name).sent_since(now - _NOW_MS))
            if report.refused.total:
                await self._senders.refused(sender_id, report.refused.total, report.refused.sentence())
        self._shelving.forget(now - DAY_MS)

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)

    async def _take_arrival(
        self, sender: Sender, arrival: Arrival, refused: Refused
    ) -> tuple[UUID, list[SourceFrames]] | None:
        columns = self._in_time(_columns(arrival), refused)
        if not len(columns.times):
            return None
        try:
            server_id = await self._server(sender, arrival)
        except PartRefusal as refusal:
            refused.add(refusal, columns.point_count)
            return None
        labels = tuple(sorted((*arrival.target.labels, (SENDER, sender.name))))
        shelves = await self._shelving.of(Owner(server_id, arrival.target.source, labels))
        places = await self._places(sender, shelves, arrival, columns, refused)
        columns = columns.only(np.array([place is not None for place in places])[columns.series])
        return server_id, list(frames_of(columns, places, self._now()))

    def _in_time(self, columns: Columns, refused: Refused) -> Columns:
        """Without what is missing, too old or not yet due; only the latter two are refused."""
        now = self._now()
        oldest = int(self._store.oldest_taken(self._clock.now()).timestamp() * 1000)
        old, young = columns.times < oldest, columns.times > now + MAX_SKEW_MS
        if old.any():
            age = (now - int(columns.times[old].min())) / 86_400_000
            refused.add(SampleTooOld(f"a sample is {age:.1f} days old"), columns.only(old).point_count)
        if young.any():
            ahead = (int(columns.times[young].max()) - now) / 1000
            refused.add(
                SampleInFuture(f"a sample lies {ahead:.0f} s in the future"), columns.only(young).point_count
            )
        return columns.only(~(old | young | np.isnan(columns.values)))

    async def _server(self, sender: Sender, arrival: Arrival) -> UUID:
        """Asked for anew every ten seconds. Raises a PartRefusal."""
        target = arrival.target
        key = (sender.id, target.host, target.name)
        found, until = self._placed.get(key, (None, 0))
        if found is None or self._now() >= until:
            try:
                found = await self._servers.place(
                    list(filter(None, (target.host, target.name or sender.name))), sender
                )
            except PartRefusal as refusal:
                found = _told(refusal, arrival)
            if len(self._placed) >= _MOST_REMEMBERED:
                self._placed.clear()
            self._placed[key] = (found, self._now() + _SERVER_KNOWN_MS)
        if isinstance(found, PartRefusal):
            raise found
        return found

    async def _places(
        self, sender: Sender, shelves: Shelves, arrival: Arrival, columns: Columns, refused: Refused
    ) -> list[Place | None]:
        """Where each of the arrival's series stands; None for one that sent nothing or may not come."""
        if any(arrival.series[number] not in shelves.places for number in np.unique(columns.series)):
            async with self._admitting.setdefault(sender.name, asyncio.Lock()):
                await self._admit(sender, shelves, arrival, columns, refused)
        return [shelves.places.get(series) for series in arrival.series]

    async def _admit(
        self, sender: Sender, shelves: Shelves, arrival: Arrival, columns: Columns, refused: Refused
    ) -> None:
        """Place as many new series as the sender may have. Those of one time stand together: they come together again."""
        first = dict(zip(columns.series[::-1].tolist(), columns.times[::-1].tolist(), strict=True))
        new = sorted(
            (number for number in first if arrival.series[number] not in shelves.places),
            key=lambda number: (first[number], arrival.series[number]),
        )
        census, now = self._census(sender.name), self._now()
        room = census.room(sender, len(new), now)
        await self._shelving.add(shelves, [arrival.series[number] for number in new[:room]], now)
        census.added(room)
        if room < len(new):
            beyond = new[room:]
            blamed = [(shelves.owner.labels, arrival.series[number]) for number in beyond]
            points = columns.only(np.isin(columns.series, beyond)).point_count
            refused.add(census.refusal(sender, blamed, now), points)

    def _census(self, name: str) -> Census:
        return self._censuses.setdefault(name, Census(name, self._shelving))

    async def _deliver(self, servers: frozenset[UUID], frames: list[SourceFrames]) -> None:
        """Raises the writer's refusal."""
        size = sum(len(one.values) for one in frames)
        delivery = Delivery(servers, frames, size, asyncio.get_running_loop().create_future())
        self._writer.add(delivery)
        refusal = await delivery.done
        if refusal is not None:
            raise refusal

    async def _say_seen(self, servers: Iterable[UUID]) -> None:
        now = self._now()
        due = [server for server in servers if now >= self._seen.get(server, 0)]
        if due:
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            self._seen.update(dict.fromkeys(due, now + _SERVER_KNOWN_MS))
            await self._servers.seen(due)

    def _note(self, sender: Sender, refused: Refused) -> None:
        report = self._report_of(sender)
        report.used = True
        for code, points in refused.points.items():
            counters.outside_refused.labels(code).inc(points)
            report.refused.points[code] += points
            report.refused.said[code] = refused.said[code]

    def _report_of(self, sender: Sender) -> _Report:
        return self._reports.setdefault(sender.id, _Report(sender.name))


def _columns(arrival: Arrival) -> Columns:
    return Columns(
        np.frombuffer(arrival.index, np.int32).astype(np.int64),
        np.frombuffer(arrival.times, np.int64),
        np.frombuffer(arrival.values, np.float64),
        np.frombuffer(arrival.points, np.int32).astype(np.int64),
    )


def _told(refusal: PartRefusal, arrival: Arrival) -> PartRefusal:
    """With what makes the server's name, so that one knows which label to look at."""
    if not arrival.target.made_of:
        return refusal
    return type(refusal)(f"{refusal.detail}; named by {arrival.target.made_of} {arrival.target.name!a}")
