"""Where the series of others stand: each keeps the place that it got when it was first seen, on a shelf of at most 64.

An agent declares which series make a frame; others just send series, sooner or later, in any company. A shelf is a
source whose layout was made of the series that came new in one request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from pudim.wire.layouts import Labels, Layout, Series, Source, labels_of
from pudim_collector.infra.database import Connection, PsycopgEngine
from pudim_collector.series.statements import run
from pudim_collector.series.store import Store

SENDER = "pudim.sender"
"""The label that every series from outside carries: its sender's name. The agents' series never have it."""
WIDTH = 64


def is_from_outside(series: Series) -> bool:
    """Of a series as it is read, with the labels of its source."""
    return any(key == SENDER for key, _ in series.labels)


Times = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(eq=False)
class Shelf:
    """One source; `used` is when each of its series was last sent, in milliseconds."""

    source_id: int
    used: Times

    @property
    def width(self) -> int:
        return len(self.used)


class Place(NamedTuple):
    """Where a series stands; positions count from 0."""

    shelf: Shelf
    position: int


class Owner(NamedTuple):
    """Whose series they are: of a target, as its server, its kind of source and its labels."""

    server_id: UUID
    source: str
    labels: Labels


@dataclass(eq=False)
class Shelves:
    """All shelves of one owner."""

    owner: Owner
    places: dict[Series, Place] = field(default_factory=dict)
    all: list[Shelf] = field(default_factory=list)
    filling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def used_since(self, time: int) -> int:
        """How many series were sent at `time` or later."""
        return sum(int(np.count_nonzero(shelf.used >= time)) for shelf in self.all)

    def put(self, source_id: int, series: Sequence[Series], used: int) -> None:
        shelf = Shelf(source_id, np.full(len(series), used, np.int64))
        self.all.append(shelf)
        for position, one in enumerate(series):
            self.places.setdefault(one, Place(shelf, position))


class Shelving:
    """The shelves of one database, read when they are first asked for."""

    def __init__(self, database: PsycopgEngine, store: Store) -> None:
        self._database, self._store = database, store
        self._known: dict[Owner, Shelves] = {}

    async def of(self, owner: Owner) -> Shelves:
        found = self._known.get(owner)
        if found is None:
            found = Shelves(owner)
            async with self._database.connection() as connection:
                loaded = await _newer(connection, found)
            # Another request may have been faster, and put more on them since.
            found = self._known.setdefault(owner, found)
            _put_all(found, loaded)
        return found

    async def add(self, shelves: Shelves, series: Iterable[Series], now: int) -> None:
        """Give a place to each of `series` that has none; neighbours stay neighbours."""
        async with shelves.filling:
            async with self._database.transaction(), self._database.connection() as connection:
                await run(connection, "lock_shelves", repr(shelves.owner))
                loaded = await _newer(connection, shelves)
                placed = {one for _, row in loaded for one in row} | shelves.places.keys()
                rows = list(_rows([one for one in dict.fromkeys(series) if one not in placed]))
                sources = [Source(shelves.owner.source, shelves.owner.labels, Layout(row)) for row in rows]
                ids = await self._store.declare(shelves.owner.server_id, sources)
            _put_all(shelves, loaded)
            for source_id, row in zip(ids, rows, strict=True):
                shelves.put(source_id, row, now)

    def forget(self, before: int) -> None:
        """Drop from memory what nobody sent since `before`."""
        for owner in [one for one, shelves in self._known.items() if not shelves.used_since(before)]:
            if not self._known[owner].filling.locked():
                del self._known[owner]

    def owned(self, sender: str) -> list[Shelves]:
        """Those in memory whose series carry this sender's name."""
        return [one for owner, one in self._known.items() if (SENDER, sender) in owner.labels]


async def _newer(connection: Connection, shelves: Shelves) -> list[tuple[int, tuple[Series, ...]]]:
    newest = max((shelf.source_id for shelf in shelves.all), default=0)
    owner = shelves.owner
    labels = json.dumps(dict(owner.labels))
    rows = await run(connection, "shelves", owner.server_id, owner.source, labels, newest)
    return [(source_id, _series(layout)) for source_id, layout in rows]


def _series(layout: str) -> tuple[Series, ...]:
    return tuple(
        Series(metric, unit, labels_of(labels)) for metric, unit, labels in msgspec.json.decode(layout)
    )


def _put_all(shelves: Shelves, loaded: Iterable[tuple[int, Sequence[Series]]]) -> None:
    known = {shelf.source_id for shelf in shelves.all}
    for source_id, series in loaded:
        if source_id not in known:
            shelves.put(source_id, series, 0)


def _rows(series: Sequence[Series]) -> Iterator[tuple[Series, ...]]:
    for start in range(0, len(series), WIDTH):
        yield tuple(series[start : start + WIDTH])
