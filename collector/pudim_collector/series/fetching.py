"""Rows of a tier out of the database, for any number of series in one statement, as flat arrays of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pudim_collector.infra.database import Connection
from pudim_collector.infra.database.prepared import Parameter
from pudim_collector.series.binary import array_of, moment, times_of
from pudim_collector.series.blocks import Floats, Times, unpack_times, unpack_values
from pudim_collector.series.catalogue import Place
from pudim_collector.series.rollups import ABSURD, HOUR, HOUR_SPAN
from pudim_collector.series.statements import prepared, timed
from pudim_collector.series.tiers import Stretch, Tier

_SPANS = {Tier.MINUTE: HOUR, Tier.HOUR: HOUR_SPAN}
"""Milliseconds of one block."""
_LATEST_MS = 253_402_214_400_000
_BRIDGED = 3
"""So many columns that nobody asked for are read along rather than to look into a block twice."""
Rows: TypeAlias = Sequence[tuple[Any, ...]]
_OF_THE_STATE = (-1).to_bytes(4, "big", signed=True)
"""In place of a run's number."""
AFTER_TIMES = 1 << 44
"""More than any time in milliseconds, so that a number and a time make one number to sort by."""


@dataclass(frozen=True)
class Flat:
    """Rows of many series in columns of one length. Where count is 0 the others mean nothing.

    `series` are numbers, `time` is in milliseconds, the mean is `total` over `weight`.
    """

    series: npt.NDArray[np.int64]
    time: Times
    count: Floats
    weight: Floats
    low: Floats
    high: Floats
    total: Floats

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> Flat:
        return Flat(*(column[rows] for column in self.columns))

    def __len__(self) -> int:
        return len(self.series)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        return (self.series, self.time, self.count, self.weight, self.low, self.high, self.total)

    @classmethod
    def joined(cls, parts: Sequence[Flat]) -> Flat:
        if len(parts) == 1:
            return parts[0]
        nothing: npt.NDArray[Any] = np.empty(0)
        if not parts:
            return cls(nothing.astype(np.int64), nothing.astype(np.int64), *[nothing] * 5)
        return cls(
            *(np.concatenate(columns) for columns in zip(*(one.columns for one in parts), strict=True))
        )


class Fetched(NamedTuple):
    """Rows as they were sent, and the store's state in their snapshot."""

    rows: list[tuple[Any, ...]]
    told: bytes


class Run(NamedTuple):
    """Neighbouring columns of one source, and which of them are wanted, as (column from 0, number of its series)."""

    source_id: int
    first: int
    last: int
    wanted: Sequence[tuple[int, int]]


def runs_of(places: Sequence[Sequence[Place]]) -> list[Run]:
    """`places` of each series in order of their numbers."""
    by_source: dict[int, list[tuple[int, int]]] = {}
    for number, found in enumerate(places):
        for place in found:
            by_source.setdefault(place.source_id, []).append((place.position, number))
    return [run for source_id, wanted in by_source.items() for run in _runs(source_id, sorted(wanted))]


def _runs(source_id: int, wanted: Sequence[tuple[int, int]]) -> Iterator[Run]:
    begin = 0
    for index in range(1, len(wanted) + 1):
        if index == len(wanted) or wanted[index][0] - wanted[index - 1][0] > _BRIDGED + 1:
            part = wanted[begin:index]
            first = part[0][0]
            yield Run(
                source_id, first, part[-1][0], [(position - first, number) for position, number in part]
            )
            begin = index


async def fetched(connection: Connection, stretch: Stretch, runs: Sequence[Run]) -> Fetched:
    """What the tier holds of `runs` within `stretch`, as it was sent."""
    start, end = _bounds(stretch)
    columns = [
        _numbers(range(len(runs))),
        *(_numbers(column) for column in zip(*(run[:3] for run in runs), strict=True)),
    ]
    if stretch.tier is Tier.RAW:
        times = [start, end, start // HOUR * HOUR]
        return await _rows(connection, "read_raw", [*columns, *map(moment, times)])
    span = _SPANS[stretch.tier]
    times = [start // span * span, end]
    return await _rows(connection, f"read_{stretch.tier}", [*columns, *map(moment, times)])


async def newest_of(
    connection: Connection, places: Sequence[Place], since: datetime, until: datetime
) -> Fetched:
    """The newest value of each place that has one between: number of the place from 1, time, value, nothing."""
    with timed("newest") as one:
        rows = await prepared("newest").rows(
            connection,
            _numbers(place.source_id for place in places),
            _numbers(place.position for place in places),
            since.isoformat(),
            until.isoformat(),
        )
        one.rows = len(rows)
    (told,) = (row[-1] for row in rows if row[0] is None)
    return Fetched([row for row in rows if row[0] is not None], told)


def unpacked(stretch: Stretch, runs: Sequence[Run], rows: Rows) -> Flat:
    """The rows of `runs`' series within `stretch`, in any order; those of one frame are one row."""
    start, end = _bounds(stretch)
    return (_samples if stretch.tier is Tier.RAW else _rollups)(rows, runs, start, end)


def _bounds(stretch: Stretch) -> tuple[int, int]:
    """As far as PostgreSQL's and Python's calendars reach."""
    return min(max(stretch.start, 0), _LATEST_MS), min(max(stretch.end, 0), _LATEST_MS)


def _numbers(wanted: Iterable[int]) -> str:
    """As PostgreSQL reads an array: one text, whatever the numbers' size, so that the statement stays the same."""
    return f"{{{','.join(map(str, wanted))}}}"


async def _rows(connection: Connection, name: str, parameters: Sequence[Parameter]) -> Fetched:
    """Fields as PostgreSQL sends them: numpy reads them without a Python number for each."""
    with timed(name) as one:
        result = await prepared(name).result(connection, *parameters)
        one.rows = result.ntuples
    fields = range(result.nfields)
    found = [tuple(result.get_value(row, field) for field in fields) for row in range(result.ntuples)]
    told = b"".join(row[1] or b"" for row in found if row[0] == _OF_THE_STATE)
    return Fetched([row for row in found if row[0] != _OF_THE_STATE], told)


class _Block(NamedTuple):
    """Some columns of a block; without offsets it is one."""

    run: Run
    times: bytes
    offsets: list[int]
    body: bytes

    @classmethod
    def sent(
        cls, runs: Sequence[Run], number: bytes, times: bytes, offsets: bytes | None, body: bytes
    ) -> _Block:
        run = runs[int.from_bytes(number, "big")]
        return cls(run, times, [] if offsets is None else array_of(offsets, ">i4").tolist(), body)

    def column(self, number: int) -> Floats:
        if not self.offsets:
            return unpack_values(self.body)
        begin = self.offsets[0]
        return unpack_values(self.body[self.offsets[number] - begin : self.offsets[number + 1] - begin])


class _Clock:
    """The times of blocks and which of them are wanted; many sources share theirs."""

    def __init__(self, start: int, end: int) -> None:
        self._bounds = (start, end)
        self._known: dict[bytes, tuple[Times, slice]] = {}

    def read(self, packed: bytes) -> tuple[Times, slice]:
        found = self._known.get(packed)
        if found is None:
            times = unpack_times(packed)
            inside = slice(*np.searchsorted(times, self._bounds))
            found = self._known[packed] = times[inside], inside
        return found


def _rollups(rows: Rows, runs: Sequence[Run], start: int, end: int) -> Flat:
    clock = _Clock(start, end)
    pieces = list[tuple[int, int, Times, Floats]]()
    for row in rows:
        block = _Block.sent(runs, *row)
        moments, inside = clock.read(block.times)
        if len(moments):
            begin = int(moments[0])
            pieces.extend(
                (series, begin, moments, block.column(column).reshape(4, -1)[:, inside])
                for column, series in block.run.wanted
            )
    if not pieces:
        return Flat.joined([])
    # Put together in order, the rows need not be moved again.
    pieces.sort(key=itemgetter(0, 1))
    count, low, high, total = np.concatenate([piece[3] for piece in pieces], axis=1)
    series = np.repeat([piece[0] for piece in pieces], [len(piece[2]) for piece in pieces])
    return Flat(series, np.concatenate([piece[2] for piece in pieces]), count, count, low, high, total)


class _Part(NamedTuple):
    """Samples of places: a place is one column of one run."""

    places: npt.NDArray[np.int64]
    times: Times
    values: Floats


def _samples(rows: Rows, runs: Sequence[Run], start: int, end: int) -> Flat:
    first_places = np.asarray(list(accumulate((len(run.wanted) for run in runs), initial=0)))
    clock = _Clock(start, end)
    parts = list[_Part]()
    for number, packed, offsets, body, *arrays in rows:
        if number is None:
            parts.extend(_of_rows(runs, first_places, *arrays))
        else:
            block = _Block.sent(runs, number, packed, offsets, body)
            first = int(first_places[int.from_bytes(number, "big")])
            moments, inside = clock.read(packed)
            parts.extend(
                _Part(np.full(len(moments), first + n), moments, block.column(column)[inside])
                for n, (column, _) in enumerate(block.run.wanted)
            )
    parts = [part for part in parts if len(part.times)]
    if not parts:
        return Flat.joined([])
    # Blocks come after rows, which are younger: put together in order, they mostly need no sorting.
    parts.sort(key=lambda part: (part.places[0], part.times[0]))
    places, times, value = _one_frame_a_time(
        _Part(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    )
    series = np.asarray([one for run in runs for _, one in run.wanted])[places]
    count = (np.abs(value) < ABSURD).astype(np.float64)
    return Flat(series, times, count, count, value, value, value)


def _of_rows(
    runs: Sequence[Run], first_places: npt.NDArray[np.int64], numbers: bytes, times: bytes, values: bytes
) -> Iterator[_Part]:
    """Rows of runs of one width."""
    owners = array_of(numbers, ">i4").astype(np.int64)
    moments = times_of(times)
    columns = array_of(values, ">f8").T
    if len(columns) == 1:
        yield _Part(first_places[owners], moments, columns[0])
        return
    for owner in np.unique(owners).tolist():
        mine = owners == owner
        for n, (column, _) in enumerate(runs[owner].wanted):
            yield _Part(np.full(mine.sum(), first_places[owner] + n), moments[mine], columns[column][mine])


def _one_frame_a_time(part: _Part) -> _Part:
    """In order of place and time; several rows of one frame complete each other, and what is missing never wins."""
    keys = part.places * AFTER_TIMES + part.times
    if bool((keys[1:] > keys[:-1]).all()):
        return part
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return _Part(
        part.places[order][first], part.times[order][first], np.fmax.reduceat(part.values[order], first)
    )
