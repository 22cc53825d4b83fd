"""Group commit: what all sessions brought in is written in one transaction, and only then acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

import psycopg

from pudim.deadlines import happens_within
from pudim.wire.refusals import Refusal, StoreUnavailable, Superseded
from pudim_collector.infra.database.errors import DatabaseError
from pudim_collector.infra.database.lane import Lane
from pudim_collector.ingest import counters
from pudim_collector.ingest.boots import BootProgress
from pudim_collector.ingest.storing import Cause, Storing, cause_of, refused, unavailable
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.store import Arrival, LedgerConflict, Step, Store

GATHER_SECONDS = 0.05
"""How long a first batch waits for company; a commit's fixed cost is shared by all that come meanwhile."""
FULL_BYTES = 256 << 10
"""A commit this large is not made to wait for more: its fixed cost is shared by a few hundred frames already."""
MAX_PENDING_BYTES = 64 << 20
"""Sessions are read no further while this much waits for the disk."""
PROBE_SECONDS = 5.0
"""While commits fail and nothing comes: who looks at the readiness may send nobody here before it is well again."""
_FORESEEN = (psycopg.Error, DatabaseError, OSError)
_REFUSED = (psycopg.DataError, psycopg.IntegrityError)
_DEADLOCKS = 5
"""In a row; PostgreSQL ends only one of those who wait for each other, so the next attempt finds the way free."""
_MOST_NAMED = 200
"""More servers than this are announced as `*`: a notification carries at most 8000 bytes."""


class Receiver(Protocol):
    """The session that brought a batch in, and wants to know."""

    @property
    def server_id(self) -> UUID: ...

    def stored(self, boot: BootProgress) -> None: ...

    def fail(self, refusal: Refusal) -> None: ...


class Accepted(NamedTuple):
    """An admitted batch that waits for the next commit. It is stored right behind batch `after` or not at all."""

    receiver: Receiver
    boot: BootProgress
    after: int
    seq: int
    lost: int
    frames: Sequence[SourceFrames]
    size: int
    first_ms: int
    last_ms: int
    arrival: Arrival | None = None

    @property
    def owner(self) -> int:
        """What comes from one owner is stored or refused together."""
        return id(self.receiver)

    @property
    def servers(self) -> frozenset[UUID]:
        return frozenset([self.receiver.server_id])

    def fail(self, refusal: Refusal) -> None:
        self.receiver.fail(refusal)


class Delivery(NamedTuple):
    """Frames that no ledger counts, as a repeated one does no harm. `done` hears None once they are stored."""

    servers: frozenset[UUID]
    frames: Sequence[SourceFrames]
    size: int
    done: asyncio.Future[Refusal | None]

    @property
    def owner(self) -> int:
        return id(self.done)

    def stored(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, refusal: Refusal) -> None:
        if not self.done.done():
            self.done.set_result(refusal)


Waiting: TypeAlias = Accepted | Delivery


class Writer:
    """Commits accepted batches; `run` is its loop. It has a connection to itself, so no page can hold it up."""

    def __init__(
        self, store: Store, *, gather_seconds: float = GATHER_SECONDS, probe_seconds: float = PROBE_SECONDS
    ) -> None:
        self._store = store
        self._gather_seconds, self._probe_seconds = gather_seconds, probe_seconds
        self._lane: Lane = store.lane()
        self.storing = Storing()
        self._waiting: list[Waiting] = []
        self._waiting_bytes = 0
        self._committing_bytes = 0
        self._added = self._done = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._settled = asyncio.Condition()
        counters.pending_bytes.set_function(lambda: self.pending_bytes)

    @property
    def pending_bytes(self) -> int:
        return self._waiting_bytes + self._committing_bytes

    def add(self, batch: Waiting) -> None:
        self._waiting.append(batch)
        self._added += 1
        self._waiting_bytes += batch.size
        self._arrived.set()
        if self._waiting_bytes >= FULL_BYTES:
            self._full.set()

    def doubt(self, error: BaseException) -> Refusal:
        """What to tell an agent that met `error` at the database; whether commits work will be seen soon."""
        if cause_of(error) is not Cause.REFUSED:
            self.storing.failed(error)
            self._arrived.set()
        return unavailable(error)

    async def room(self) -> None:
        """Wait until more may be added."""
        if self.pending_bytes >= MAX_PENDING_BYTES:
            async with self._settled:
                await self._settled.wait_for(lambda: self.pending_bytes < MAX_PENDING_BYTES)

    async def settle(self) -> None:
        """Wait until everything added so far is stored or failed."""
        added = self._added
        async with self._settled:
            await self._settled.wait_for(lambda: self._done >= added)

    async def run(self) -> None:
        try:
            while True:
                if await self._batches_came():
                    await self._gather()
                    await self._commit_waiting()
                else:
                    await self._probe()
        finally:
            left = self._take()
            self._fail(left, _stopped())
            await self._finish(left)
            await self._lane.close()

    async def _batches_came(self) -> bool:
        """False when, after a commit that failed, it is time to see whether the next one would work."""
        patience = self._probe_seconds if self.storing.failing else None
        return await happens_within(patience, self._arrived)

    async def _probe(self) -> None:
        try:
            await self._store.probe(self._lane)
        except _FORESEEN as error:
            self.storing.failed(error)
        else:
            self.storing.worked()

    async def _gather(self) -> None:
        await happens_within(self._gather_seconds, self._full)

    def _take(self) -> list[Waiting]:
        taken, self._waiting = self._waiting, []
        self._committing_bytes, self._waiting_bytes = self._waiting_bytes, 0
        self._arrived.clear()
        self._full.clear()
        return taken

    async def _commit_waiting(self) -> None:
        batches = self._take()
        try:
            with counters.commit_seconds.time():
                await self._commit(batches)
        except asyncio.CancelledError:
            self._fail(batches, _stopped())
            raise
        except BaseException as error:
            # Whatever it was, the sessions must not wait for these batches, nor bring more behind them.
            counters.commits.labels("failed").inc()
            self.storing.failed(error)
            self._fail(batches, unavailable(error))
            if not isinstance(error, _FORESEEN):
                raise
        finally:
            await self._finish(batches)

    async def _finish(self, batches: Sequence[Waiting]) -> None:
        self._committing_bytes = 0
        self._done += len(batches)
        async with self._settled:
            self._settled.notify_all()

    async def _commit(self, batches: list[Waiting]) -> None:
        deadlocks = 0
        while batches:
            try:
                await self._store_all(batches)
            except _REFUSED as error:
                await self._commit_apart(batches, error)
                return
            except psycopg.errors.DeadlockDetected:
                counters.commits.labels("deadlock").inc()
                deadlocks += 1
                if deadlocks == _DEADLOCKS:
                    raise
            except LedgerConflict as conflict:
                counters.commits.labels("conflict").inc()
                beaten = [one for one in _counted(batches) if one.boot.ledger_id in conflict.ledger_ids]
                self._fail(beaten, Superseded("these batches do not follow what is stored"))
                gone = {id(one) for one in beaten}
                batches = [one for one in batches if id(one) not in gone]
            else:
                _count(batches)
                self.storing.worked()
                self._acknowledge(batches)
                return

    async def _store_all(self, batches: Sequence[Waiting]) -> None:
        await self._store.commit(
            [frames for batch in batches for frames in batch.frames],
            _steps(batches),
            _announcement(batches),
            _arrivals(batches),
            lane=self._lane,
        )

    async def _commit_apart(self, batches: Iterable[Waiting], error: psycopg.Error) -> None:
        """Each owner's batches on their own: what the database refuses of one must not hold up the others."""
        by_owner: dict[int, list[Waiting]] = {}
        for batch in batches:
            by_owner.setdefault(batch.owner, []).append(batch)
        if len(by_owner) == 1:
            (own,) = by_owner.values()
            counters.commits.labels("refused").inc()
            refused(error, ", ".join(map(str, own[0].servers)))
            self._fail(own, unavailable(error))
            return
        for own in by_owner.values():
            await self._commit(own)

    @staticmethod
    def _acknowledge(batches: Iterable[Waiting]) -> None:
        moved: dict[int, Accepted] = {}
        for batch in batches:
            if isinstance(batch, Delivery):
                batch.stored()
                continue
            batch.boot.stored = batch.seq
            moved[batch.boot.ledger_id] = batch
        for batch in moved.values():
            batch.receiver.stored(batch.boot)

    @staticmethod
    def _fail(batches: Iterable[Waiting], refusal: Refusal) -> None:
        for one in {batch.owner: batch for batch in batches}.values():
            one.fail(refusal)


def _stopped() -> StoreUnavailable:
    return StoreUnavailable("the writer was stopped")


def _counted(batches: Iterable[Waiting]) -> list[Accepted]:
    """Those that move the ledger."""
    return [batch for batch in batches if isinstance(batch, Accepted)]


def _steps(batches: Iterable[Waiting]) -> list[Step]:
    """One step a boot. Raises LedgerConflict where a boot's batches do not follow each other."""
    by_boot: dict[int, list[Accepted]] = {}
    for batch in _counted(batches):
        before = by_boot.setdefault(batch.boot.ledger_id, [])
        if before and before[-1].seq != batch.after:
            raise LedgerConflict(frozenset([batch.boot.ledger_id]))
        before.append(batch)
    # In one order, so that two collectors hardly ever lock each other out; PostgreSQL chooses the last word on that.
    return [_step(ledger_id, by_boot[ledger_id]) for ledger_id in sorted(by_boot)]


def _step(ledger_id: int, batches: Sequence[Accepted]) -> Step:
    return Step(
        ledger_id,
        batches[0].after,
        batches[-1].seq,
        sum([one.lost for one in batches]),
        min([one.first_ms for one in batches]),
        max([one.last_ms for one in batches]),
    )


def _arrivals(batches: Iterable[Waiting]) -> list[Arrival]:
    """Each run once, as its newest batch left it."""
    runs = [batch.arrival for batch in _counted(batches) if batch.arrival is not None]
    return list({(one.ledger_id, one.seq): one for one in runs}.values())


def _announcement(batches: Iterable[Waiting]) -> str:
    servers = {server for batch in batches for server in batch.servers}
    return "*" if len(servers) > _MOST_NAMED else ",".join(server.hex for server in servers)


def _count(batches: Sequence[Waiting]) -> None:
    blocks = [frames for batch in batches for frames in batch.frames]
    counters.commits.labels("stored").inc()
    counters.batches.inc(len(_counted(batches)))
    counters.frames.inc(sum(len(block.times) for block in blocks) // 8)
    counters.samples.inc(sum(len(block.values) for block in blocks) // 8)
    counters.lost.inc(sum(batch.lost for batch in _counted(batches)))
