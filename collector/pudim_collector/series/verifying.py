"""Recomputes rollups from raw frames and compares, so that what a chart says of last year can be trusted.

Each page of units is read in one snapshot of its own, beside a running upkeep: what that has still to do is not judged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

import numpy as np
from psycopg.sql import SQL, Identifier

from pudim_collector.infra.database import (
    Connection,
    IsolationLevel,
    PsycopgEngine,
    SessionSettings,
    connect,
)
from pudim_collector.series.backends import FRAME_BLOCKS, HOUR_BLOCKS, MINUTE_BLOCKS, SNAPSHOT_LOCK, TABLES
from pudim_collector.series.block_rows import Place, stored_blocks
from pudim_collector.series.blocks import (
    UNREADABLE,
    Block,
    Floats,
    Rollup,
    Times,
    unpack_frame_block,
    unpack_rollup_block,
    unpack_times,
)
from pudim_collector.series.raw import Raw, Unit, rows_of
from pudim_collector.series.rollups import HOUR, HOUR_SPAN, MINUTE, Frames, Rolled, coarser, minutes_of
from pudim_collector.series.statements import run
from pudim_collector.series.upkeep import hour_place

T = TypeVar("T")
_PAGE = 16
"""Units read at once; each has some megabytes of values at most."""
_SESSION = SessionSettings("pudim verify", timedelta(0))


class Finding(NamedTuple):
    """What is wrong with one source's hour; `repairable` where rolling it up again puts it right."""

    server_id: UUID
    unit: Unit
    what: str
    repairable: bool


class Checked(NamedTuple):
    """What was looked at in one hour; `waiting` units were not compared, upkeep has still to roll them up."""

    hour: int
    units: int
    frames: int
    waiting: int
    findings: list[Finding]


class _State(NamedTuple):
    """A unit as the database knows it: the width of its frames, whether it waits, whether its hour is done for good."""

    unit: Unit
    server_id: UUID
    width: int
    waiting: bool
    open: bool


class _Stored(NamedTuple):
    """All that is stored of some units."""

    rows: Mapping[Unit, tuple[Times, Floats]]
    frames: Mapping[Place, Block]
    minutes: Mapping[Place, Block]
    hours: Mapping[Place, Block]


class _Damaged(Exception):
    """A block does not hold what a block holds."""


class Verifying:
    """Looks at hours one by one; nothing is changed but by `repair`."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database

    async def hours(self, first: int, last: int) -> AsyncIterator[Checked]:
        """Every hour from `first` until before `last`, counted from the epoch."""
        async with self._late_rows_in_sight():
            for hour in range(first, last):
                yield await self._hour(hour)

    async def _hour(self, hour: int) -> Checked:
        units = frames = waiting = after = 0
        findings: list[Finding] = []
        while page := await self._page(hour, after):
            states, stored = page
            found, counted = await asyncio.to_thread(_judged, states, stored)
            findings += found
            units, frames = units + len(states), frames + counted
            waiting += sum(state.waiting for state in states)
            after = states[-1].unit.source_id
        return Checked(hour, units, frames, waiting, findings)

    async def repair(self, findings: Sequence[Finding]) -> int:
        """Have the units that can be repaired rolled up again; how many."""
        units = sorted({one.unit for one in findings if one.repairable})
        if units:
            columns = [unit.source_id for unit in units], [unit.hour for unit in units]
            async with self._database.connection() as connection:
                await run(connection, "mark_dirty", *columns)
        return len(units)

    async def _page(self, hour: int, after: int) -> tuple[list[_State], _Stored] | None:
        start, end = Unit(0, hour).start, Unit(0, hour + 1).start
        async with self._snapshot() as connection:
            rows = await run(connection, "stored_units", start, end, hour, after, _PAGE)
            states = [_State(Unit(row[0], hour), *row[1:]) for row in rows]
            if not states:
                return None
            units = [state.unit for state in states]
            places = [unit.place for unit in units]
            return states, _Stored(
                await rows_of(connection, units),
                await stored_blocks(connection, FRAME_BLOCKS, places),
                await stored_blocks(connection, MINUTE_BLOCKS, places),
                await stored_blocks(connection, HOUR_BLOCKS, [hour_place(unit) for unit in units]),
            )

    @asynccontextmanager
    async def _late_rows_in_sight(self) -> AsyncIterator[None]:
        """The extension's compression, too, looks to no snapshot."""
        connection = await connect(self._database.conninfo, _SESSION)
        try:
            await run(connection, "share_snapshot_lock", SNAPSHOT_LOCK)
            yield
        finally:
            await connection.close()

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        """Tables are held before it is taken: to empty the space of moved rows looks to no snapshot."""
        tables = SQL(", ").join(Identifier(table.name) for table in TABLES)
        transaction = self._database.transaction(
            isolation_level=IsolationLevel.REPEATABLE_READ, read_only=True
        )
        async with transaction, self._database.connection() as connection:
            await connection.execute(SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(tables))
            yield connection


def _judged(states: Sequence[_State], stored: _Stored) -> tuple[list[Finding], int]:
    """What is wrong, and how many frames were looked at."""
    findings, frames = [], 0
    for state in states:
        found, counted = _unit(state, stored)
        findings += [Finding(state.server_id, state.unit, what, repairable) for what, repairable in found]
        frames += counted
    return findings, frames


def _unit(state: _State, stored: _Stored) -> tuple[list[tuple[str, bool]], int]:
    """Words for each difference, with whether rolling up again puts it right; and the number of frames."""
    place = state.unit.place
    start = int(place.start.timestamp()) * 1000
    try:
        block = _opened(
            stored.frames.get(place), state.width, range(start, start + HOUR), unpack_frame_block, "frames"
        )
    except _Damaged as damage:
        return [(str(damage), False)], 0
    raw = Raw(stored.rows.get(state.unit), block)
    if raw.rows is None and raw.block is None:
        return [("minutes without raw frames", False)], 0
    frames = raw.frames()
    if state.waiting:
        return [], len(frames.times)
    return [*_doubled(state, raw), *_compared(state, stored, frames, start)], len(frames.times)


def _doubled(state: _State, raw: Raw) -> Iterator[tuple[str, bool]]:
    if raw.rows is None or raw.block is None or state.open:
        return
    both = np.intersect1d(raw.rows[0], raw.block[0])
    if len(both):
        yield f"{len(both)} frames are both in a row and in a block", True


def _compared(state: _State, stored: _Stored, frames: Frames, start: int) -> Iterator[tuple[str, bool]]:
    minutes, place = minutes_of(frames), hour_place(state.unit)
    span = int(place.start.timestamp()) * 1000
    yield from _against(
        minutes,
        stored.minutes.get(state.unit.place),
        state.width,
        range(start, start + HOUR, MINUTE),
        "minutes",
    )
    if not state.open:
        hours = range(span, span + HOUR_SPAN, HOUR)
        yield from _against(coarser(minutes, HOUR), stored.hours.get(place), state.width, hours, "hours")


def _against(
    wanted: Rolled, block: Block | None, width: int, within: range, what: str
) -> Iterator[tuple[str, bool]]:
    """How a block of rollups differs from what raw frames give, bit for bit, where it holds their times."""
    if block is None:
        yield f"{what} are missing", True
        return
    try:
        opened = _opened(block, width, within, unpack_rollup_block, what)
    except _Damaged as damage:
        # A block of minutes is written anew; one of hours is patched, and holds what raw frames no longer tell.
        yield str(damage), what == "minutes"
        return
    found = Rolled(*opened) if opened else wanted
    if what == "hours":
        same_hour = np.isin(found.times, wanted.times)
        found = Rolled(found.times[same_hour], found.rollup[same_hour])
    if found.times.tobytes() != wanted.times.tobytes():
        yield f"{what} of other times than raw frames have", True
    elif differing := [
        name for name, one, other in _parts(found.rollup, wanted.rollup) if not _same(one, other)
    ]:
        yield f"{what} differ in {', '.join(differing)}", True


def _parts(one: Rollup, other: Rollup) -> Iterator[tuple[str, Floats, Floats]]:
    for name in ("count", "low", "high", "total"):
        yield name, getattr(one, name), getattr(other, name)


def _same(one: Floats, other: Floats) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def _opened(
    block: Block | None, width: int, within: range, unpack: Callable[[Block], tuple[Times, T]], what: str
) -> tuple[Times, T] | None:
    """A block's times and values. Raises _Damaged."""
    if block is None:
        return None
    offsets = np.asarray(block.offsets)
    if (
        len(offsets) != width + 1
        or offsets[0] != 0
        or offsets[-1] != len(block.body)
        or (np.diff(offsets) < 0).any()
    ):
        raise _Damaged(f"the block of {what} has offsets that do not fit")
    try:
        times = unpack_times(block.times)
        if len(times) != block.rows or (np.diff(times) <= 0).any() or not _inside(times, within):
            raise _Damaged(f"the block of {what} has times that do not fit")
        opened = unpack(block)
        if _rows_in(opened[1]) != len(times):
            raise _Damaged(f"the block of {what} has columns that do not fit")
    except UNREADABLE as error:
        raise _Damaged(f"the block of {what} cannot be read: {error}") from error
    return opened


def _rows_in(values: object) -> int:
    held = values.count if isinstance(values, Rollup) else values
    return len(held) if isinstance(held, np.ndarray) else -1


def _inside(times: Times, within: range) -> bool:
    if not len(times):
        return False
    aligned = not ((times - within.start) % within.step).any()
    return within.start <= times[0] and times[-1] < within.stop and aligned


def hour_of(moment: datetime) -> int:
    """Hours since the epoch."""
    return int(moment.timestamp()) // 3600
