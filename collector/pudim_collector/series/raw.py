"""The raw tier of whole hours: rows of frames and compacted ones are one and the same frames."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from psycopg import AsyncRawCursor

from pudim_collector.infra.database import Connection
from pudim_collector.series.backends import FRAME_BLOCKS
from pudim_collector.series.binary import array_of, times_of
from pudim_collector.series.block_rows import Place, stored_blocks
from pudim_collector.series.blocks import UNREADABLE, Floats, Times, unpack_frame_block
from pudim_collector.series.rollups import Frames, merged
from pudim_collector.series.statements import run, statement, timed

log = logging.getLogger(__name__)


class Unit(NamedTuple):
    """One source's hour, counted from the epoch: what is rolled up at once."""

    source_id: int
    hour: int

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self.hour * 3600, UTC)

    @property
    def place(self) -> Place:
        return Place(self.source_id, self.start)


class Raw(NamedTuple):
    """What is stored of one unit, in no order: `rows` came as rows, `block` was compacted before."""

    rows: tuple[Times, Floats] | None
    block: tuple[Times, Floats] | None

    @property
    def size(self) -> int:
        """How many frames, those of one time counted each."""
        return sum(len(times) for times, _ in (part for part in self if part is not None))

    def frames(self) -> Frames:
        parts = [part for part in self if part is not None]
        return merged(
            np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts])
        )


async def raw_of(connection: Connection, units: Sequence[Unit]) -> dict[Unit, Raw]:
    """The raw frames of those units that have any. Needs one snapshot for all: REPEATABLE READ.

    Units whose block is damaged are left out: what was made of it while it was whole is better than a part.
    """
    rows = await rows_of(connection, units)
    packed = await stored_blocks(connection, FRAME_BLOCKS, [unit.place for unit in units])
    found = {}
    for unit in units:
        block = packed.get(unit.place)
        try:
            unpacked = None if block is None else unpack_frame_block(block)
        except UNREADABLE as damage:
            log.error("the raw block of source %d at %s is damaged: %s", *unit.place, damage)  # noqa: TRY400
            continue
        if unit in rows or unpacked is not None:
            found[unit] = Raw(rows.get(unit), unpacked)
    return found


async def remove_rows(connection: Connection, units: Sequence[Unit]) -> None:
    """Take the rows of units away that the transaction's snapshot sees."""
    await run(connection, "remove_rows", *_bounds(units))


async def rows_of(connection: Connection, units: Sequence[Unit]) -> Mapping[Unit, tuple[Times, Floats]]:
    """The frames that are still rows, of those units that have any."""
    cursor = AsyncRawCursor(connection)
    with timed("unit_rows") as one:
        await cursor.execute(statement("unit_rows"), _bounds(units), binary=True)
        one.rows = cursor.rowcount
    result = cursor.pgresult
    if result is None:
        return {}
    found = {}
    for row in range(result.ntuples):
        number, times, values = (result.get_value(row, column) or b"" for column in range(3))
        found[units[int.from_bytes(number, "big") - 1]] = times_of(times), array_of(values, ">f8")
    return found


def _bounds(units: Sequence[Unit]) -> tuple[list[int], list[datetime], datetime, datetime]:
    starts = [unit.start for unit in units]
    return [unit.source_id for unit in units], starts, min(starts), max(starts) + timedelta(hours=1)
