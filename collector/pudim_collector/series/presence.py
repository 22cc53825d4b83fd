"""Which minutes of a server have frames, how many, and what they say of its host and agent: what gaps are judged by."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from pudim_collector.infra.database import Connection, PsycopgEngine
from pudim_collector.series.backends import EPOCH
from pudim_collector.series.blocks import Rollup, unpack_rollup, unpack_times
from pudim_collector.series.rollups import HOUR, MINUTE
from pudim_collector.series.statements import fetch, run

HOST = "host"
"""The source that an agent's samplers fill at each tick."""
UPTIME, JUMPS, MISSED = VITALS = ("system.uptime", "pudim.agent.clock.jumps", "pudim.agent.ticks.missed")
_SETTLING = timedelta(minutes=3)
"""Minutes this much before the last rolled up one are read from frames too: an agent's clock may be behind."""

Said = tuple[float, float, float, float, float]
"""Of a minute: the least uptime, the lowest and highest count of clock jumps, and of missed ticks; NaN: not said."""


class Wanted(NamedTuple):
    """From `start` until before `end`, in milliseconds."""

    server_id: UUID
    start: int
    end: int


@dataclass
class Minutes:
    """By the minutes' beginnings in milliseconds: how many frames there are, and what they say."""

    counts: dict[int, int] = field(default_factory=dict)
    said: dict[int, Said] = field(default_factory=dict)

    def add(self, minutes: Sequence[int], counts: Sequence[int], said: Sequence[Said]) -> None:
        """A server has several sources where its layout changed, even within a minute."""
        if self.counts.keys().isdisjoint(minutes):
            self.counts.update(zip(minutes, counts, strict=True))
            self.said.update(zip(minutes, said, strict=True))
            return
        for minute, count, one in zip(minutes, counts, said, strict=True):
            self.counts[minute] = self.counts.get(minute, 0) + count
            self.said[minute] = _joined(self.said[minute], one) if minute in self.said else one


class _Stream(NamedTuple):
    """A source to read, and where in its layout the vitals stand; None where it has none."""

    server_id: UUID
    source_id: int
    positions: tuple[int | None, ...]


class _Part(NamedTuple):
    stream: _Stream
    start: int
    end: int


class Presence:
    """Reads one database. Layouts never change, so where the vitals stand in them is kept."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database
        self._positions: dict[int, tuple[int | None, ...]] = {}

    async def minutes(self, wanted: Sequence[Wanted]) -> dict[UUID, Minutes]:
        """The minutes of whole hours around what is wanted; none for servers without frames there."""
        async with self._database.connection() as connection:
            streams = await self._streams(connection, {one.server_id for one in wanted})
            parts = [
                _Part(stream, start, end)
                for server_id, start, end in _merged(wanted)
                for stream in streams.get(server_id, [])
            ]
            if not parts:
                return {}
            (rolled_until,) = (await fetch(connection, "SELECT rolled_until FROM store"))[0]
            fresh = _milliseconds(rolled_until - _SETTLING) // MINUTE * MINUTE if rolled_until else 0
            blocks = await _blocks(connection, parts)
            raw = await _raw(connection, parts, fresh)
        return await asyncio.to_thread(_together, parts, blocks, raw, fresh)

    async def _streams(self, connection: Connection, servers: Iterable[UUID]) -> Mapping[UUID, list[_Stream]]:
        rows = await run(connection, "host_sources", list(servers), HOST)
        missing = list({layout_id for _, _, layout_id in rows} - self._positions.keys())
        for layout_id, series in await run(connection, "layouts", missing) if missing else ():
            metrics = [metric for metric, _, _ in msgspec.json.decode(series)]
            self._positions[layout_id] = tuple(
                metrics.index(vital) + 1 if vital in metrics else None for vital in VITALS
            )
        streams: dict[UUID, list[_Stream]] = {}
        for server_id, source_id, layout_id in rows:
            stream = _Stream(server_id, source_id, self._positions[layout_id])
            streams.setdefault(server_id, []).append(stream)
        return streams


def _merged(wanted: Iterable[Wanted]) -> list[Wanted]:
    """Whole hours, none twice."""
    merged: list[Wanted] = []
    for one in sorted(wanted):
        start, end = one.start - one.start % HOUR, -(-one.end // HOUR) * HOUR
        last = merged[-1] if merged else None
        if last is not None and last.server_id == one.server_id and start <= last.end:
            merged[-1] = last._replace(end=max(last.end, end))
        elif start < end:
            merged.append(Wanted(one.server_id, start, end))
    return merged


async def _blocks(connection: Connection, parts: Sequence[_Part]) -> list[tuple[Any, ...]]:
    since, until = [_moment(part.start) for part in parts], [_moment(part.end) for part in parts]
    positions = [[part.stream.positions[n] for part in parts] for n in range(len(VITALS))]
    sources = [part.stream.source_id for part in parts]
    firsts = [1] * len(parts)
    return await run(
        connection, "minute_vitals", sources, since, until, *positions, firsts, min(since), max(until)
    )


async def _raw(connection: Connection, parts: Sequence[_Part], fresh: int) -> list[tuple[Any, ...]]:
    """What is not rolled up yet: minutes from `fresh` on."""
    due = [(number, part) for number, part in enumerate(parts, 1) if part.end > fresh]
    if not due:
        return []
    since = [_moment(max(part.start, fresh)) for _, part in due]
    until = [_moment(part.end) for _, part in due]
    positions = [[part.stream.positions[n] for _, part in due] for n in range(len(VITALS))]
    sources = [part.stream.source_id for _, part in due]
    rows = await run(connection, "raw_vitals", sources, since, until, *positions)
    return [(due[row[0] - 1][0], *row[1:]) for row in rows]


def _together(
    parts: Sequence[_Part], blocks: Iterable[tuple[Any, ...]], raw: Iterable[tuple[Any, ...]], fresh: int
) -> dict[UUID, Minutes]:
    found: dict[UUID, Minutes] = {}
    for number, times, *columns in blocks:
        minutes = found.setdefault(parts[number - 1].stream.server_id, Minutes())
        beginnings, counts, said = _unpacked(times, columns)
        known = bisect_left(beginnings, fresh)
        minutes.add(beginnings[:known], counts[:known], said[:known])
    for number, minute, count, *values in raw:
        minutes = found.setdefault(parts[number - 1].stream.server_id, Minutes())
        uptime, *counters = (float("nan") if value is None else value for value in values)
        minutes.add([minute], [count], [(uptime, counters[0], counters[1], counters[2], counters[3])])
    return found


def _unpacked(times: bytes, columns: Sequence[bytes | None]) -> tuple[list[int], list[int], list[Said]]:
    """A block's minutes. A frame in which a sampler failed is counted by another one's value; a minute has one at least."""
    uptime, jumps, missed, first = (unpack_rollup(one) if one is not None else None for one in columns)
    known = [one.count for one in (uptime, jumps, missed, first) if one is not None]
    counts = np.maximum(np.maximum.reduce(known), 1)
    said = zip(
        _low(uptime, counts),
        _low(jumps, counts),
        _high(jumps, counts),
        _low(missed, counts),
        _high(missed, counts),
        strict=True,
    )
    return unpack_times(times).tolist(), counts.astype(int).tolist(), list(said)


def _low(column: Rollup | None, like: np.ndarray[Any, Any]) -> list[float]:
    found: list[float] = (np.full_like(like, np.nan) if column is None else column.low).tolist()
    return found


def _high(column: Rollup | None, like: np.ndarray[Any, Any]) -> list[float]:
    found: list[float] = (np.full_like(like, np.nan) if column is None else column.high).tolist()
    return found


def _joined(one: Said, other: Said) -> Said:
    low, high = np.fmin(one, other), np.fmax(one, other)
    return (float(low[0]), float(low[1]), float(high[2]), float(low[3]), float(high[4]))


def _moment(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def _milliseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)
