"""Which sources and layouts there are, kept in memory and never stale: each look reads what may be new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec

from pudim.wire.layouts import Series, labels_of
from pudim_collector.infra.database import Connection
from pudim_collector.series.selecting import Selector
from pudim_collector.series.statements import run

MANY_SERVERS = 16
"""From more on, a metric's own sources are looked through instead of all that the servers have."""


class Known(NamedTuple):
    """A source, by what it is declared as; all but its id never changes."""

    source_id: int
    server_id: UUID
    labels: str
    layout_id: int


class Place(NamedTuple):
    """Where a series' values stand: SQL's position counts from 1."""

    source_id: int
    position: int


class Key(NamedTuple):
    server_id: UUID
    series: Series


class Named(NamedTuple):
    """A metric, its unit, and how many series of how many servers there are of it."""

    metric: str
    unit: str
    series: int
    servers: int


class State(msgspec.Struct, frozen=True):
    """What the store says of itself: until when it is rolled up, since when each tier is kept.

    From the hour `unrolled` on, counted from the epoch, some source's hour is not done. `newest` is the highest id of a
    source, `forgotten` counts how often some were removed.
    """

    rolled_until: datetime | None
    raw_since: datetime | None
    unrolled: int | None
    days: Mapping[str, int]
    newest: int
    forgotten: int


_state_of = msgspec.json.Decoder(State).decode


class _Layout(NamedTuple):
    series: tuple[Series, ...]
    positions: Mapping[str, tuple[int, ...]]


class Catalogue:
    def __init__(self) -> None:
        self._layouts: dict[int, _Layout] = {}
        self._series: dict[tuple[int, str], tuple[Series, ...]] = {}
        self._by_metric: dict[str, list[int]] = {}
        self._forget_sources()
        self._forgotten = 0
        self._state: State | None = None
        self._named: tuple[tuple[int, int], list[Named]] = ((0, 0), [])

    def _forget_sources(self) -> None:
        self.complete_until = 0
        """The id up to which no other source can appear any more."""
        self._sources: dict[int, Known] = {}
        self._by_layout: dict[int, list[Known]] = {}
        self._by_server: dict[UUID, list[Known]] = {}

    async def refresh(self, connection: Connection) -> State:
        """Read what was declared since the last time, and what the store says of itself."""
        while True:
            until, forgotten = self.complete_until, self._forgotten
            rows = await run(connection, "catalogue", until)
            state = _state_of(rows[0][0])
            fresh = [Known(*row[1:5]) for row in rows if row[1] is not None]
            await self.load_layouts(connection, {one.layout_id for one in fresh})
            if forgotten == self._forgotten == state.forgotten and until <= self.complete_until:
                break
            # Some are gone, or another task has just found that: all are read again.
            if self._forgotten != state.forgotten:
                self._forgotten = state.forgotten
                self._forget_sources()
        for one in fresh:
            if one.source_id not in self._sources:
                self._add(one)
        self.complete_until = max((row[1] for row in rows if row[5]), default=self.complete_until)
        self._state = state
        return state

    @property
    def expected(self) -> State | None:
        """The state as far as it is known, None while sources are so young that others may appear beside them."""
        state = self._state
        return state if state is not None and state.newest <= self.complete_until else None

    def has_all(self, expected: State, told: bytes) -> State | None:
        """The state that a statement has `told`, None if it knew of other sources than there were in `expected`."""
        state = _state_of(told)
        if (state.newest, state.forgotten) != (expected.newest, expected.forgotten):
            return None
        self._state = state
        return state

    async def load_layouts(self, connection: Connection, layout_ids: Iterable[int]) -> None:
        missing = [layout_id for layout_id in layout_ids if layout_id not in self._layouts]
        if not missing:
            return
        for layout_id, encoded in await run(connection, "layouts", missing):
            series = tuple(
                Series(metric, unit, labels_of(labels))
                for metric, unit, labels in msgspec.json.decode(encoded)
            )
            if layout_id not in self._layouts:
                self._layouts[layout_id] = _Layout(series, _positions(series))
                for metric in self._layouts[layout_id].positions:
                    self._by_metric.setdefault(metric, []).append(layout_id)

    def series_of(self, layout_id: int, source_labels: str) -> tuple[Series, ...]:
        """A layout's series with their source's labels added."""
        found = self._series.get((layout_id, source_labels))
        if found is None:
            added = msgspec.json.decode(source_labels, type=dict[str, str])
            layout = self._layouts[layout_id].series
            found = tuple(_with(series, added) for series in layout) if added else layout
            self._series[layout_id, source_labels] = found
        return found

    def places(self, selector: Selector) -> dict[Key, list[Place]]:
        """Where each series stands that `selector` means. A series moves to a new source when its layout changes."""
        found: dict[Key, list[Place]] = {}
        for metric in selector.metrics:
            for source in self._with_metric(metric, selector.servers):
                series = self.series_of(source.layout_id, source.labels)
                for position in self._layouts[source.layout_id].positions[metric]:
                    one = series[position - 1]
                    if selector.accepts(one.labels):
                        key = Key(source.server_id, one)
                        found.setdefault(key, []).append(Place(source.source_id, position))
        return found

    def metrics(self, servers: frozenset[UUID] | None = None) -> list[Named]:
        """All metrics by name that some servers have; None means all servers."""
        if servers is not None and not servers.issuperset(self._by_server):
            layouts = {one.layout_id for server in servers for one in self._by_server.get(server, ())}
            names = sorted({metric for layout_id in layouts for metric in self._layouts[layout_id].positions})
            return [self._of_metric(metric, servers) for metric in names]
        version = (len(self._sources), self._forgotten)
        if self._named[0] != version:
            self._named = (version, [self._of_metric(metric) for metric in sorted(self._by_metric)])
        return [one for one in self._named[1] if one.series]

    def metrics_of(self, server_id: UUID, without: str) -> frozenset[str]:
        """The metrics that a server ever had, but for those of sources that have the label `without`."""
        layouts = {
            one.layout_id
            for one in self._by_server.get(server_id, ())
            if without not in msgspec.json.decode(one.labels, type=dict[str, str])
        }
        return frozenset(metric for layout_id in layouts for metric in self._layouts[layout_id].positions)

    def _of_metric(self, metric: str, servers: frozenset[UUID] | None = None) -> Named:
        keys = self.places(Selector((metric,), servers))
        unit = next((key.series.unit for key in keys), "")
        return Named(metric, unit, len(keys), len({key.server_id for key in keys}))

    def labels(self, selector: Selector) -> dict[str, set[str]]:
        """The values of each label that the selected series have."""
        found: dict[str, set[str]] = {}
        for key in self.places(selector):
            for name, value in key.series.labels:
                found.setdefault(name, set()).add(value)
        return found

    def _with_metric(self, metric: str, servers: frozenset[UUID] | None) -> Iterator[Known]:
        layouts = self._by_metric.get(metric, ())
        if servers is None:
            for layout_id in layouts:
                yield from self._by_layout.get(layout_id, ())
            return
        if len(servers) > MANY_SERVERS:
            for layout_id in layouts:
                yield from (one for one in self._by_layout.get(layout_id, ()) if one.server_id in servers)
            return
        wanted = set(layouts)
        for server in servers:
            yield from (one for one in self._by_server.get(server, ()) if one.layout_id in wanted)

    def _add(self, one: Known) -> None:
        self._sources[one.source_id] = one
        self._by_layout.setdefault(one.layout_id, []).append(one)
        self._by_server.setdefault(one.server_id, []).append(one)


def _positions(layout: tuple[Series, ...]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for position, series in enumerate(layout, 1):
        found.setdefault(series.metric, []).append(position)
    return {metric: tuple(positions) for metric, positions in found.items()}


def _with(series: Series, labels: Mapping[str, str]) -> Series:
    return Series(series.metric, series.unit, labels_of({**dict(series.labels), **labels}))
