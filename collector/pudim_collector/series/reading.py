"""Reading: latest values, one metric over a range, and frames as they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import Labels, Series, labels_of
from pudim_collector.infra.database import Connection, PsycopgEngine
from pudim_collector.series.buckets import Columns, columns, step_of
from pudim_collector.series.statements import run

MAX_SERIES = 2_000
MAX_POINTS = 5_000


class TooManySeries(PudimError):
    """This selects more series than one answer may hold."""

    code = "too_many_series"
    status = 422
    hint = f"Ask for fewer servers or a narrower metric; at most {MAX_SERIES} series are returned."


class Latest(NamedTuple):
    """The newest sample of a series; NaN when the agent could not measure it."""

    server_id: UUID
    series: Series
    time: datetime
    value: float


@dataclass(frozen=True)
class SeriesColumns:
    """One series over a range."""

    server_id: UUID
    series: Series
    columns: Columns


@dataclass(frozen=True)
class Reading:
    """One metric over a range; `step` is the buckets' width in seconds."""

    step: int
    series: list[SeriesColumns]


class StoredFrame(NamedTuple):
    source_id: int
    source: str
    series: tuple[Series, ...]
    time: datetime
    values: list[float]


class _Place(NamedTuple):
    """Where a series' values stand: SQL's position counts from 1."""

    source_id: int
    position: int


class Reader:
    """Reads one database's series. Layouts never change, so they are kept in memory once read."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database
        self._layouts: dict[int, tuple[Series, ...]] = {}

    async def last_stored(self, servers: Sequence[UUID]) -> dict[UUID, datetime]:
        async with self._database.connection() as connection:
            return dict(await run(connection, "last_stored", list(servers)))

    async def latest(
        self, servers: Sequence[UUID], since: datetime, metrics: Sequence[str] | None = None
    ) -> list[Latest]:
        """The newest sample of every series that has one since `since`, at most one a series."""
        async with self._database.connection() as connection:
            wanted = None if metrics is None else list(metrics)
            rows = await run(connection, "latest", list(servers), since, wanted)
            await self._load_layouts(connection, {row[4] for row in rows})
        newest: dict[tuple[UUID, str, Labels], Latest] = {}
        for server_id, _, _, labels, layout_id, time, values in rows:
            for series, value in zip(self._series(layout_id, labels), values, strict=True):
                if metrics is not None and series.metric not in metrics:
                    continue
                key = (server_id, series.metric, series.labels)
                if key not in newest or newest[key].time < time:
                    newest[key] = Latest(server_id, series, time, value)
        return list(newest.values())

    async def read(
        self, metric: str, servers: Sequence[UUID], start: datetime, end: datetime, points: int
    ) -> Reading:
        """All series of `metric` from `start` until before `end` in at most `points` buckets each."""
        step = step_of((end - start).total_seconds(), points)
        async with self._database.connection() as connection:
            places = await self._places(connection, metric, servers)
            if len(places) > MAX_SERIES:
                raise TooManySeries(f"{len(places)} series of {metric}")
            if not places:
                return Reading(step, [])
            numbers = [number for number, found in enumerate(places.values()) for _ in found]
            flat = [place for found in places.values() for place in found]
            sources, positions = map(list, zip(*flat, strict=True))
            rows = await run(
                connection, "read", numbers, sources, positions, start, end, timedelta(seconds=step)
            )
        keys = list(places)
        found = [
            SeriesColumns(*keys[row[0]], columns(row[1], row[2], row[3], row[4], row[5], step=step))
            for row in rows
        ]
        return Reading(step, found)

    async def frames_after(self, server_id: UUID, after: datetime, most: int) -> list[StoredFrame]:
        """Frames of a server with a time after `after`, oldest first."""
        async with self._database.connection() as connection:
            rows = await run(connection, "frames_after", server_id, after, most)
            await self._load_layouts(connection, {row[3] for row in rows})
        return [
            StoredFrame(source_id, name, self._series(layout_id, labels), time, values)
            for source_id, name, labels, layout_id, time, values in rows
        ]

    async def _places(
        self, connection: Connection, metric: str, servers: Sequence[UUID]
    ) -> Mapping[tuple[UUID, Series], list[_Place]]:
        """Where each series of `metric` stands. A series moves to a new source when its layout changes."""
        rows = await run(connection, "sources", list(servers), metric)
        await self._load_layouts(connection, {row[3] for row in rows})
        places: dict[tuple[UUID, Series], list[_Place]] = {}
        for server_id, source_id, labels, layout_id in rows:
            for position, series in enumerate(self._series(layout_id, labels), 1):
                if series.metric == metric:
                    places.setdefault((server_id, series), []).append(_Place(source_id, position))
        return places

    async def _load_layouts(self, connection: Connection, layout_ids: Iterable[int]) -> None:
        missing = [layout_id for layout_id in layout_ids if layout_id not in self._layouts]
        if missing:
            for layout_id, series in await run(connection, "layouts", missing):
                self._layouts[layout_id] = tuple(
                    Series(metric, unit, labels_of(labels))
                    for metric, unit, labels in msgspec.json.decode(series)
                )

    def _series(self, layout_id: int, source_labels: str) -> tuple[Series, ...]:
        """A layout's series with their source's labels added."""
        added = msgspec.json.decode(source_labels, type=dict[str, str])
        layout = self._layouts[layout_id]
        if not added:
            return layout
        return tuple(_with(series, added) for series in layout)


def _with(series: Series, labels: Mapping[str, str]) -> Series:
    return Series(series.metric, series.unit, labels_of({**dict(series.labels), **labels}))
