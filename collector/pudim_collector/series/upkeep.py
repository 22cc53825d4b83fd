"""Rolling up and compacting: the elected process turns what commits have noted into minutes, hours and small blocks.

Each chunk of units is one transaction on one snapshot: it reads their raw frames, replaces their rollups and forgets
their notes, so it can be interrupted anywhere. What is committed meanwhile has a note of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from pudim_collector.infra.database import Connection, IsolationLevel, PsycopgEngine
from pudim_collector.infra.telemetry import counter, gauge
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.backends import EPOCH, FRAME_BLOCKS, HOUR_BLOCKS, MINUTE_BLOCKS
from pudim_collector.series.block_rows import Place, replace_blocks, stored_blocks
from pudim_collector.series.blocks import (
    UNREADABLE,
    Block,
    Rollup,
    pack_frames,
    pack_rollup,
    unpack_rollup_block,
)
from pudim_collector.series.raw import Raw, Unit, raw_of, remove_rows
from pudim_collector.series.rollups import HOUR, HOUR_SPAN, Rolled, coarser, minutes_of, patched
from pudim_collector.series.statements import fetch, run
from pudim_collector.series.store import Store

log = logging.getLogger(__name__)

CLOSING = timedelta(minutes=5)
"""How long after its end an hour's last frames may come without it being done twice."""
SPOOLED = timedelta(hours=80)
"""Where the extension compresses chunks by itself: later than the longest spool of an agent, 72 hours."""
_MOST_UNITS = 24
_MOST_ROWS = 9_000
"""Frames of one transaction, about: 24 hours of sources at 10 s, two of those that somebody watches at 1 s."""
_NOTES = 20_000
_MOST_REST = 1.0
_RECENT_SHARE = 10.0
"""The open hour of a large fleet is rolled up less often, so that it takes a tenth of the time at most."""

rolled_units = counter("pudim_upkeep_units_total", "Hours of sources rolled up, again or for the first time.")
rolled_until = gauge(
    "pudim_upkeep_rolled_until_seconds", "When everything recent was last rolled up, in Unix time."
)
backlog = gauge("pudim_upkeep_backlog_units", "Hours of sources that wait to be rolled up.")


class Rolling(NamedTuple):
    """What became of one unit's frames; `compacted` only where its rows are to be replaced by it."""

    minutes: Rolled
    packed: Block
    compacted: Block | None


class Upkeep:
    """`run_once` is called again and again, by one process at a time."""

    def __init__(self, database: PsycopgEngine, store: Store, clock: Clock) -> None:
        self._database, self._store, self._clock = database, store, clock
        # Who began to read before late rows are compressed does not see them any more, and would settle without them.
        self._undisturbed = asyncio.Lock()
        self._recent_again = float("-inf")
        self.units_at_once = _MOST_UNITS

    async def run_once(self, *, patience: float | None = None) -> None:
        """Roll up what is recent, then what is older until `patience` seconds have passed; None is until all is done."""
        now, started = self._clock.now(), self._clock.monotonic()
        await self._digest()
        if patience is None or started >= self._recent_again:
            await self._roll_up_recent(now)
            took = self._clock.monotonic() - started
            self._recent_again = started + took * _RECENT_SHARE
        while patience is None or self._clock.monotonic() - started < patience:
            chunk_started = self._clock.monotonic()
            if not await self._chunk(0, done_hours=True):
                break
            if patience is not None:
                # Who catches up must not take the processor from who takes frames in.
                await asyncio.sleep(min(self._clock.monotonic() - chunk_started, _MOST_REST))
        await self._count_backlog()

    async def tidy(self) -> None:
        """Give the space of what was moved back, and compress where the extension does that."""
        backend = self._store.backend
        if backend is None:
            return
        now = self._clock.now()
        async with self._undisturbed, self._database.connection() as connection:
            if await backend.compacts(connection):
                await backend.compress(connection, now - SPOOLED)
            else:
                await backend.vacate(connection, now)

    async def _digest(self) -> None:
        taken = _NOTES
        while taken == _NOTES:
            async with self._transaction() as connection:
                taken = (await run(connection, "digest_dirt", _NOTES))[0][0]

    async def _roll_up_recent(self, now: datetime) -> None:
        while await self._chunk(_hour(now) - 1, done_hours=False):
            pass
        async with self._database.connection() as connection:
            await connection.execute("UPDATE store SET rolled_until = $1", [now])
        rolled_until.set(now.timestamp())

    async def _chunk(self, not_before: int, *, done_hours: bool) -> bool:
        """Roll up some dirty units, or clean ones whose hour is done; False if there are none."""
        now = self._clock.now()
        over = _hour(now - CLOSING)
        async with self._undisturbed, self._transaction() as connection:
            rows = await run(
                connection, "due_units", over if done_hours else 0, not_before, self.units_at_once
            )
            units = [Unit(*row) for row in rows]
            # What is older has lost raw frames to retention: its rollups are final.
            oldest = _hour(self._store.oldest_taken(now))
            await self._roll_up(connection, [unit for unit in units if unit.hour >= oldest], over)
            await run(connection, "settle_units", *_columns(units), over)
        rolled_units.inc(len(units))
        return bool(units)

    async def _roll_up(self, connection: Connection, units: Sequence[Unit], over: int) -> None:
        if not units:
            return
        compacting = self._store.backend is not None and not await self._store.backend.compacts(connection)
        found = await raw_of(connection, units)
        self.units_at_once = _units_at_once(found)
        rolled = await asyncio.to_thread(_rolled, found, over if compacting else 0)
        await replace_blocks(
            connection, MINUTE_BLOCKS, {unit.place: one.packed for unit, one in rolled.items()}
        )
        await self._update_hours(
            connection, {unit: one.minutes for unit, one in rolled.items() if unit.hour < over}
        )
        compacted = {unit: one.compacted for unit, one in rolled.items() if one.compacted is not None}
        await replace_blocks(connection, FRAME_BLOCKS, {unit.place: one for unit, one in compacted.items()})
        if compacted:
            await remove_rows(connection, list(compacted))

    @staticmethod
    async def _update_hours(connection: Connection, minutes: Mapping[Unit, Rolled]) -> None:
        by_place: dict[Place, list[Unit]] = {}
        for unit in minutes:
            by_place.setdefault(hour_place(unit), []).append(unit)
        old = await stored_blocks(connection, HOUR_BLOCKS, list(by_place))
        new = await asyncio.to_thread(
            lambda: {
                place: _patched_hours(place, old.get(place), [minutes[unit] for unit in units])
                for place, units in by_place.items()
            }
        )
        await replace_blocks(connection, HOUR_BLOCKS, new)

    async def _count_backlog(self) -> None:
        async with self._database.connection() as connection:
            backlog.set((await fetch(connection, "SELECT count(*) FROM unrolled WHERE dirty"))[0][0])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """One snapshot. What a crash undoes is done again from its notes, so nobody waits for the disk."""
        transaction = self._database.transaction(isolation_level=IsolationLevel.REPEATABLE_READ)
        async with transaction, self._database.connection() as connection:
            await connection.execute("SET LOCAL synchronous_commit = off")
            yield connection


def hour_place(unit: Unit) -> Place:
    """The block of hours that a unit's hour is in."""
    span = timedelta(milliseconds=HOUR_SPAN)
    return Place(unit.source_id, EPOCH + (unit.start - EPOCH) // span * span)


def _units_at_once(found: Mapping[Unit, Raw]) -> int:
    """How many to take next, if they are like these: memory is the limit, whatever the sources' intervals."""
    rows = sum(one.size for one in found.values())
    return max(1, min(_MOST_UNITS, _MOST_ROWS * len(found) // max(rows, 1))) if found else _MOST_UNITS


def _rolled(found: Mapping[Unit, Raw], over: int) -> dict[Unit, Rolling]:
    """`over`: rows of hours before this become blocks."""
    rolled = {}
    for unit, raw in found.items():
        frames = raw.frames()
        minutes = minutes_of(frames)
        compact = unit.hour < over and raw.rows is not None
        rolled[unit] = Rolling(minutes, pack_rollup(*minutes), pack_frames(*frames) if compact else None)
    return rolled


def _patched_hours(place: Place, old: Block | None, new: Sequence[Rolled]) -> Block:
    hours = [coarser(one, HOUR) for one in new]
    fresh = Rolled(
        np.concatenate([one.times for one in hours]), Rollup.stacked([one.rollup for one in hours])
    )
    if old is None:
        order = np.argsort(fresh.times)
        return pack_rollup(fresh.times[order], fresh.rollup[order])
    try:
        before = Rolled(*unpack_rollup_block(old))
    except UNREADABLE as damage:
        log.error("the block of hours of source %d at %s is damaged: %s", *place, damage)  # noqa: TRY400
        return old
    return pack_rollup(*patched(before, fresh, fresh.times))


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600


def _columns(units: Sequence[Unit]) -> tuple[list[int], list[int]]:
    return [unit.source_id for unit in units], [unit.hour for unit in units]
