"""Writing: sources are declared, then frames and the ledger of what is stored are committed together."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from psycopg import errors

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import Layout, Source
from pudim_collector.infra.database import Connection, PsycopgEngine, SessionSettings
from pudim_collector.infra.database.lane import Lane
from pudim_collector.series.backends import EPOCH, TABLES, Backend
from pudim_collector.series.backends.choice import chosen_backend
from pudim_collector.series.frames import (
    COPY_FRAMES,
    COPY_HEADER,
    COPY_TRAILER,
    SourceFrames,
    copy_rows,
    hours_from,
    hours_of,
)
from pudim_collector.series.statements import run

AHEAD = timedelta(days=2)
_LANE = SessionSettings("pudim writer")
_SPACE = "CREATE TEMP TABLE space ON COMMIT DROP AS SELECT gen_random_uuid() FROM generate_series(1, 50000)"
"""Some two megabytes, by the way that frames take."""


class LedgerConflict(PudimError):
    """Another collector stored batches of the same boots meanwhile; nothing of this commit was stored."""

    code = "ledger_conflict"
    status = 409
    retry = True

    def __init__(self, ledger_ids: frozenset[int]) -> None:
        super().__init__(f"{len(ledger_ids)} boots were moved by another writer")
        self.ledger_ids = ledger_ids


class Boot(NamedTuple):
    """One boot of an agent in the ledger: every batch up to `last_seq` is stored, and no frame newer than `last_ms`."""

    ledger_id: int
    last_seq: int
    last_ms: int | None = None


class Step(NamedTuple):
    """Move a boot from one sequence number to another, of which `lost` batches never came.

    `first_ms` and `last_ms` are the oldest and the newest time of the frames that this brings.
    """

    ledger_id: int
    from_seq: int
    to_seq: int
    lost: int
    first_ms: int | None = None
    last_ms: int | None = None


class Arrival(NamedTuple):
    """A run of a boot's batches that came late or after lost ones, from batch `seq` on.

    Times in milliseconds: `after_ms` of the newest frame before it, `first_ms` and `last_ms` of its own frames, and
    `came_ms` when its last batch arrived by the collector's clock. Told again with the same `seq`, it has grown.
    """

    ledger_id: int
    seq: int
    after_ms: int | None
    first_ms: int
    last_ms: int
    lost: int
    came_ms: int


class Store:
    """The store of one database. `backend` is known once `prepare` has run."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database
        self._raw_kept, self._raw_since = timedelta(), EPOCH
        self.backend: Backend | None = None

    async def prepare(self, now: datetime) -> None:
        """Choose the backend and make room for frames around `now`; safe to call again, and by several processes."""
        async with self._database.transaction(), self._database.connection() as connection:
            self.backend = await chosen_backend(connection)
            days, since = (await run(connection, "raw_kept"))[0]
            self._raw_kept, self._raw_since = timedelta(days=days), since or EPOCH
            await self._make_room(connection, self.oldest_taken(now), now + AHEAD)

    def oldest_taken(self, now: datetime) -> datetime:
        """Frames before this are refused: their raw tier is gone, and their rollups are final."""
        return max(now - self._raw_kept, self._raw_since)

    async def open_boot(self, server_id: UUID, boot_id: bytes, interval_ms: int | None = None) -> Boot:
        """`interval_ms` is how often its agent samples by itself."""
        async with self._database.connection() as connection:
            rows = await run(connection, "open_boot", server_id, boot_id, interval_ms)
        return Boot(*rows[0])

    async def declare(self, server_id: UUID, sources: Iterable[Source]) -> list[int]:
        """The ids of `sources` in order; new ones and their layouts are stored."""
        wanted = list(sources)
        layouts = {source.layout.hash: source.layout for source in wanted}
        async with self._database.transaction(), self._database.connection() as connection:
            # Servers share layouts: all declare them in one order, so that no two wait for each other.
            ids = {key: await _declare_layout(connection, layouts[key]) for key in sorted(layouts)}
            return [
                await _declare_source(connection, server_id, source, ids[source.layout.hash])
                for source in wanted
            ]

    async def commit(
        self,
        frames: Sequence[SourceFrames],
        steps: Sequence[Step],
        announcement: str,
        arrivals: Sequence[Arrival] = (),
        *,
        lane: Lane | None = None,
    ) -> None:
        """Store frames and move the ledger in one transaction, then notify `pudim_committed`; `lane` is of `lane()`.

        Raises LedgerConflict, after which nothing is stored, and psycopg's errors, after which nothing is stored
        unless the connection was lost in the COMMIT itself; the ledger tells.
        """
        try:
            await self._commit(frames, steps, announcement, arrivals, lane)
        except errors.CheckViolation as no_room:
            # No partition holds them: nobody has made room for long, or a person dropped one.
            try:
                async with self._transaction(lane) as connection:
                    for moment in hours_from(frames):
                        await self._make_room(connection, moment, moment)
            except errors.ProgrammingError as error:  # something else is in the way, or this role may not
                raise no_room from error
            await self._commit(frames, steps, announcement, arrivals, lane)

    def lane(self) -> Lane:
        """For commits that wait for nobody else's connection; to be closed."""
        return Lane(self._database, _LANE)

    async def probe(self, lane: Lane) -> None:
        """Whether a commit would find the frames unlocked and space on the disk; if not, raises as it would."""
        async with lane.transaction() as connection:
            await connection.execute("LOCK TABLE frames, ledger, dirt IN ROW EXCLUSIVE MODE NOWAIT")
            await connection.execute(_SPACE)

    async def _commit(
        self,
        frames: Sequence[SourceFrames],
        steps: Sequence[Step],
        announcement: str,
        arrivals: Sequence[Arrival],
        lane: Lane | None,
    ) -> None:
        async with self._transaction(lane) as connection:
            async with connection.cursor() as cursor, cursor.copy(COPY_FRAMES) as copy:
                await copy.write(COPY_HEADER)
                for rows in copy_rows(frames):
                    await copy.write(rows)
                await copy.write(COPY_TRAILER)
            told = (*_columns(Step, steps), announcement, *hours_of(frames), *_columns(Arrival, arrivals))
            moved = (await run(connection, "advance_ledger", *told))[0][0]
            if len(moved or ()) != len(steps):
                raise LedgerConflict(frozenset(step.ledger_id for step in steps) - frozenset(moved or ()))

    @asynccontextmanager
    async def _transaction(self, lane: Lane | None) -> AsyncIterator[Connection]:
        if lane is None:
            async with self._database.transaction(), self._database.connection() as connection:
                yield connection
        else:
            async with lane.transaction() as connection:
                yield connection

    async def _make_room(self, connection: Connection, oldest: datetime, newest: datetime) -> None:
        if self.backend is not None:
            for table in TABLES:
                await self.backend.make_room(connection, table, oldest, newest)


def _columns(kind: type[Step | Arrival], rows: Sequence[Step | Arrival]) -> list[list[object]]:
    return [[row[n] for row in rows] for n in range(len(kind._fields))]


async def _declare_layout(connection: Connection, layout: Layout) -> int:
    metrics = sorted({series.metric for series in layout.series})
    rows = await run(connection, "declare_layout", layout.hash, metrics, json.dumps(layout.encoded()))
    return int(rows[0][0])


async def _declare_source(connection: Connection, server_id: UUID, source: Source, layout_id: int) -> int:
    labels = json.dumps(dict(source.labels))
    rows = await run(connection, "declare_source", server_id, source.hash, source.name, labels, layout_id)
    return int(rows[0][0])
