"""Reading: series over a range from the tier that fits, what is latest, and frames as they arrive."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias
from uuid import UUID

from psycopg.rows import TupleRow

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import Labels, Series
from pudim_collector.infra.database import Connection, PsycopgEngine, ReadPool
from pudim_collector.kernel.clock import Clock, SystemClock
from pudim_collector.series.answering import Question, Reading, answered, chosen_step
from pudim_collector.series.catalogue import Catalogue, Key, Named, Place, State
from pudim_collector.series.fetching import Rows, Run, fetched, newest_of, runs_of, unpacked
from pudim_collector.series.limits import TooManySeries, check_ranked, check_touched, estimated_rows
from pudim_collector.series.rollups import HOUR
from pudim_collector.series.selecting import Selector
from pudim_collector.series.shelves import SENDER, is_from_outside
from pudim_collector.series.statements import run
from pudim_collector.series.tiers import Kept, Plan, Stretch, planned

_EPOCH = datetime.fromtimestamp(0, UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FOREVER = 3_650_000
_MANY_ROWS = 50_000
"""From so many on, numpy works in a thread, so that others are served meanwhile."""


_Places: TypeAlias = list[tuple[Key, Place]]


class Latest(NamedTuple):
    """The newest sample of a series; NaN when the agent could not measure it."""

    server_id: UUID
    series: Series
    time: datetime
    value: float


class StoredFrame(NamedTuple):
    source_id: int
    source: str
    series: tuple[Series, ...]
    time: datetime
    values: list[float]


class _Asking(NamedTuple):
    """What is read for a question: the series by their numbers, and where they stand."""

    plan: Plan
    keys: list[Key]
    runs: list[Run]

    @property
    def stretches(self) -> Sequence[Stretch]:
        return self.plan.stretches if self.runs else ()


class Reader:
    """Reads one database's series. What its sources are is kept in memory."""

    def __init__(
        self, database: PsycopgEngine, clock: Clock | None = None, pool: ReadPool | None = None
    ) -> None:
        self._pool = pool or ReadPool(database)
        # What is live is asked for once it was announced, and a replica may not have heard of it yet.
        self._live = ReadPool(database)
        self._clock = clock or SystemClock()
        self._catalogue = Catalogue()

    async def read(self, question: Question) -> Reading:
        """Raises TooManySeries, TooManyPoints, TooMuchTouched or QueryTimeout."""

        async def asked(connection: Connection) -> tuple[_Asking, list[Rows]]:
            return await self._expecting(connection, question) or await self._looking(connection, question)

        asking, rows = await self._pool.run(asked)

        def computed() -> Reading:
            parts = [
                unpacked(stretch, asking.runs, found)
                for stretch, found in zip(asking.stretches, rows, strict=True)
            ]
            return answered(question, asking.plan, asking.keys, parts)

        if estimated_rows(asking.plan, len(asking.keys)) < _MANY_ROWS:
            return computed()
        return await asyncio.to_thread(computed)

    async def _expecting(
        self, connection: Connection, question: Question
    ) -> tuple[_Asking, list[Rows]] | None:
        """Rows without a look at the catalogue before; None if they tell that the look was needed."""
        expected = self._catalogue.expected
        if expected is None:
            return None
        try:
            asking = self._asking(question, expected)
        except PudimError:
            return None  # perhaps it is not so any more
        found = [await fetched(connection, stretch, asking.runs) for stretch in asking.stretches]
        state = self._catalogue.has_all(expected, found[-1].told) if found else None
        if state is None or self._plan(question, state, len(asking.keys)) != asking.plan:
            return None
        return asking, [one.rows for one in found]

    async def _looking(self, connection: Connection, question: Question) -> tuple[_Asking, list[Rows]]:
        asking = self._asking(question, await self._catalogue.refresh(connection))
        found = [await fetched(connection, stretch, asking.runs) for stretch in asking.stretches]
        return asking, [one.rows for one in found]

    def _asking(self, question: Question, state: State) -> _Asking:
        places = self._catalogue.places(question.selector)
        plan = self._plan(question, state, len(places))
        check_touched(plan, len(places))
        return _Asking(plan, list(places), runs_of(list(places.values())))

    def _plan(self, question: Question, state: State, series: int) -> Plan:
        return planned(*_span(question), chosen_step(question, series), self._kept(state))

    async def top(
        self, selector: Selector, most: int, since: datetime, *, lowest: bool = False
    ) -> list[Latest]:
        """The `most` series with the highest latest value, or the lowest; those without one since `since` are left out."""
        until = self._clock.now() + (self._clock.now() - since)

        async def asked(connection: Connection) -> tuple[_Places, list[TupleRow]]:
            expected = self._catalogue.expected
            if expected is not None:
                with suppress(TooManySeries):  # perhaps it is not so any more
                    places = self._places(selector)
                    found = await newest_of(connection, [at for _, at in places], since, until)
                    if self._catalogue.has_all(expected, found.told) is not None:
                        return places, found.rows
            await self._catalogue.refresh(connection)
            places = self._places(selector)
            return places, (await newest_of(connection, [at for _, at in places], since, until)).rows

        places, rows = await self._pool.run(asked)
        latest: dict[Key, Latest] = {}
        for number, time, value, _ in rows:
            key, _ = places[number - 1]
            if key not in latest or latest[key].time < time:
                latest[key] = Latest(key.server_id, key.series, time, value)
        known = [one for one in latest.values() if math.isfinite(one.value)]
        return sorted(known, key=lambda one: one.value, reverse=not lowest)[:most]

    def _places(self, selector: Selector) -> _Places:
        """Raises TooManySeries."""
        places = [(key, place) for key, at in self._catalogue.places(selector).items() for place in at]
        check_ranked(len(places))
        return places

    async def metrics(self, servers: frozenset[UUID] | None = None) -> list[Named]:
        """All metrics by name, with their units and how many series some servers have of each; None means all servers."""
        await self._pool.run(self._catalogue.refresh)
        return self._catalogue.metrics(servers)

    async def metrics_of(self, server_id: UUID) -> frozenset[str]:
        """The metrics that a server's agent ever sent."""
        await self._pool.run(self._catalogue.refresh)
        return self._catalogue.metrics_of(server_id, SENDER)

    async def labels(self, selector: Selector) -> dict[str, set[str]]:
        """The values of each label that the selected series have."""
        await self._pool.run(self._catalogue.refresh)
        return self._catalogue.labels(selector)

    async def last_stored(self, servers: Sequence[UUID]) -> dict[UUID, datetime]:
        async def asked(connection: Connection) -> dict[UUID, datetime]:
            return dict(await run(connection, "last_stored", list(servers)))

        return await self._live.run(asked)

    async def latest(
        self, servers: Sequence[UUID], since: datetime, metrics: Sequence[str] | None = None
    ) -> list[Latest]:
        """The newest sample of every series that has one since `since`, at most one a series."""
        wanted = None if metrics is None else list(metrics)

        async def asked(connection: Connection) -> list[TupleRow]:
            rows = await run(connection, "latest", list(servers), since, wanted)
            await self._catalogue.load_layouts(connection, {row[4] for row in rows})
            return rows

        newest: dict[tuple[UUID, str, Labels], Latest] = {}
        for server_id, _, _, labels, layout_id, time, values in await self._live.run(asked):
            for series, value in zip(self._catalogue.series_of(layout_id, labels), values, strict=True):
                if metrics is not None and series.metric not in metrics:
                    continue
                if math.isnan(value) and is_from_outside(series):
                    continue  # its value stands in another part of the frame
                key = (server_id, series.metric, series.labels)
                if key not in newest or newest[key].time < time:
                    newest[key] = Latest(server_id, series, time, value)
        return list(newest.values())

    async def frames_after(
        self, server_id: UUID, after: datetime, most: int, *, outside: bool = False
    ) -> list[StoredFrame]:
        """Frames of a server's agent with a time after `after`, oldest first; with `outside` those of others."""

        async def asked(connection: Connection) -> list[TupleRow]:
            rows = await run(connection, "frames_after", server_id, after, most, outside)
            await self._catalogue.load_layouts(connection, {row[3] for row in rows})
            return rows

        return [
            StoredFrame(source_id, name, self._catalogue.series_of(layout_id, labels), time, values)
            for source_id, name, labels, layout_id, time, values in await self._live.run(asked)
        ]

    def _kept(self, state: State) -> Kept:
        now = self._clock.now()
        raw, minute, hour = (
            _ms(now - timedelta(days=state.days.get(tier, _FOREVER))) for tier in ("raw", "minute", "hour")
        )
        rolled = _ms(state.rolled_until or _EPOCH)
        hours = rolled if state.unrolled is None else min(rolled, state.unrolled * HOUR)
        return Kept(max(raw, _ms(state.raw_since or _EPOCH)), minute, hour, rolled, hours)


def _span(question: Question) -> tuple[int, int]:
    """In whole milliseconds, as frames' times are."""
    return -((_EPOCH - question.start) // _MILLISECOND), -((_EPOCH - question.end) // _MILLISECOND)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND
