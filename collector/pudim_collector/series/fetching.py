"""Rows of a tier out of the database, for any number of series in one statement, as flat arrays of numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from psycopg import AsyncRawCursor

from pudim_collector.infra.database import Connection
from pudim_collector.series.blocks import Floats, Times, unpack_times, unpack_values
from pudim_collector.series.catalogue import Place
from pudim_collector.series.rollups import HOUR, merged
from pudim_collector.series.statements import statement
from pudim_collector.series.tiers import Stretch, Tier

_SPANS = {Tier.MINUTE: HOUR, Tier.HOUR: 240 * HOUR}
"""Milliseconds of one block."""
_POSTGRES_EPOCH_MS = 946_684_800_000
_LATEST_MS = 253_402_214_400_000
_EPOCH = datetime.fromtimestamp(0, UTC)
_ABSURD = 1e100
_BRIDGED = 3
"""So many columns that nobody asked for are read along rather than to look into a block twice."""
Rows: TypeAlias = Sequence[tuple[Any, ...]]
_LENGTHS = struct.Struct("!ii")


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


async def fetched(connection: Connection, stretch: Stretch, runs: Sequence[Run]) -> Rows:
    """What the tier holds of `runs` within `stretch`, as it was sent."""
    start, end = _bounds(stretch)
    columns = [
        _numbers(range(len(runs))),
        *(_numbers(column) for column in zip(*(run[:3] for run in runs), strict=True)),
    ]
    if stretch.tier is Tier.RAW:
        times = [start, end, start // HOUR * HOUR]
        return await _rows(connection, "read_raw", [*columns, *map(_moment, times)])
    span = _SPANS[stretch.tier]
    times = [start // span * span, end]
    return await _rows(connection, f"read_{stretch.tier}", [*columns, *map(_moment, times)])


def unpacked(stretch: Stretch, runs: Sequence[Run], rows: Rows) -> Flat:
    """The rows of `runs`' series within `stretch`, in any order; those of one frame are one row."""
    start, end = _bounds(stretch)
    return (_samples if stretch.tier is Tier.RAW else _rollups)(rows, runs, start, end)


def _bounds(stretch: Stretch) -> tuple[int, int]:
    """As far as PostgreSQL's and Python's calendars reach."""
    return min(max(stretch.start, 0), _LATEST_MS), min(max(stretch.end, 0), _LATEST_MS)


def _numbers(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads an array: one text, whatever the numbers' size, so that the statement stays the same."""
    return f"{{{','.join(map(str, numbers))}}}"


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


async def _rows(connection: Connection, name: str, parameters: Sequence[object]) -> Rows:
    """Fields as PostgreSQL sends them: numpy reads them without a Python number for each."""
    cursor = AsyncRawCursor(connection)
    await cursor.execute(statement(name), parameters, binary=True, prepare=True)
    result = cursor.pgresult
    if result is None:
        return []
    fields = range(result.nfields)
    return [tuple(result.get_value(row, field) for field in fields) for row in range(result.ntuples)]


def _array(sent: bytes, kind: str) -> npt.NDArray[Any]:
    """An array without nulls in PostgreSQL's binary form: head, then each element with its length before it."""
    dimensions, _ = _LENGTHS.unpack_from(sent)
    shape = [_LENGTHS.unpack_from(sent, 12 + 8 * n)[0] for n in range(dimensions)]
    element = np.dtype([("length", ">i4"), ("value", kind)])
    found = np.frombuffer(sent, element, offset=12 + 8 * dimensions)["value"]
    return found.astype(found.dtype.newbyteorder("=")).reshape(shape)


class _Block(NamedTuple):
    run: Run
    times: bytes
    offsets: list[int]
    body: bytes

    def column(self, number: int) -> Floats:
        begin = self.offsets[0]
        return unpack_values(self.body[self.offsets[number] - begin : self.offsets[number + 1] - begin])


def _block(run: Run, times: bytes, offsets: bytes, body: bytes) -> _Block:
    return _Block(run, times, _array(offsets, ">i4").tolist(), body)


def _rollups(rows: Rows, runs: Sequence[Run], start: int, end: int) -> Flat:
    series: list[int] = []
    times: list[Times] = []
    runs_of_statistics: list[Floats] = []
    unpacked: dict[bytes, Times] = {}
    for number, packed, offsets, body in rows:
        block = _block(runs[int.from_bytes(number, "big")], packed, offsets, body)
        if packed not in unpacked:
            unpacked[packed] = unpack_times(packed)
        whole = unpacked[packed]
        inside = slice(*np.searchsorted(whole, (start, end)))
        for column, one in block.run.wanted:
            series.append(one)
            times.append(whole[inside])
            runs_of_statistics.append(block.column(column).reshape(4, -1)[:, inside])
    if not series:
        return Flat.joined([])
    numbers = np.repeat(series, [len(one) for one in times])
    count, low, high, total = np.concatenate(runs_of_statistics, axis=1)
    return Flat(numbers, np.concatenate(times), count, count, low, high, total)


def _samples(rows: Rows, runs: Sequence[Run], start: int, end: int) -> Flat:
    pieces: dict[int, list[tuple[Times, Floats]]] = {}
    for number, packed, offsets, body, times, values in rows:
        run = runs[index := int.from_bytes(number, "big")]
        found = (
            _of_rows(run, times, values)
            if packed is None
            else _of_block(_block(run, packed, offsets, body), start, end)
        )
        pieces.setdefault(index, []).append(found)
    series: list[int] = []
    times_of: list[Times] = []
    values_of: list[Floats] = []
    for index, parts in pieces.items():
        moments, columns = _one_frame_a_time(parts)
        for (_, one), column in zip(runs[index].wanted, columns, strict=True):
            series.append(one)
            times_of.append(moments)
            values_of.append(column)
    if not series:
        return Flat.joined([])
    value = np.concatenate(values_of)
    count = (np.abs(value) < _ABSURD).astype(np.float64)
    numbers = np.repeat(series, [len(one) for one in times_of])
    return Flat(numbers, np.concatenate(times_of), count, count, value, value, value)


def _of_rows(run: Run, times: bytes, values: bytes) -> tuple[Times, Floats]:
    """Times, and the wanted columns one after the other."""
    moments = _array(times, ">i8") // 1000 + _POSTGRES_EPOCH_MS
    return moments, _array(values, ">f8").T[[column for column, _ in run.wanted]]


def _of_block(block: _Block, start: int, end: int) -> tuple[Times, Floats]:
    moments = unpack_times(block.times)
    inside = slice(*np.searchsorted(moments, (start, end)))
    return moments[inside], np.stack([block.column(column)[inside] for column, _ in block.run.wanted])


def _one_frame_a_time(parts: Sequence[tuple[Times, Floats]]) -> tuple[Times, Floats]:
    """Several rows of one source and time complete each other."""
    times, columns = parts[0] if len(parts) == 1 else _concatenated(parts)
    if len(times) < 2 or bool((np.diff(times) > 0).all()):  # noqa: PLR2004 - one is always in order
        return times, columns
    frames = merged(times, columns.T)
    return frames.times, frames.values.T


def _concatenated(parts: Sequence[tuple[Times, Floats]]) -> tuple[Times, Floats]:
    ordered = sorted((part for part in parts if len(part[0])), key=lambda part: int(part[0][0]))
    if not ordered:
        return parts[0]
    return np.concatenate([part[0] for part in ordered]), np.concatenate(
        [part[1] for part in ordered], axis=1
    )
