"""Brings simulated servers into the store as time would have: enrolled, committed day by day, rolled up, compacted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import NamedTuple
from uuid import UUID

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire import enrolment
from pudim.wire.keys import generate, public_bytes
from pudim_collector.app.demo.machines import Machine, fleet
from pudim_collector.app.demo.saying import notices_of
from pudim_collector.app.demo.signals import DAY, TICK, Times
from pudim_collector.app.demo.simulation import Simulation, Stream
from pudim_collector.app.demo.story import story_of
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers.service import Servers
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import EPOCH
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.reading import Reader
from pudim_collector.series.retention import Retention
from pudim_collector.series.store import Boot, Step, Store
from pudim_collector.series.upkeep import Upkeep

_BOOT_BYTES = 16
_MILLISECOND = timedelta(milliseconds=1)
Say = Callable[[str], None]


class Wish(NamedTuple):
    """How many servers, how many days of history, and the seed of their chance."""

    servers: int
    days: int
    seed: int


class Loaded(NamedTuple):
    servers: list[UUID]
    samples: int


@dataclass(frozen=True)
class Enrolled:
    server_id: UUID
    simulation: Simulation


class PastStore(Store):
    """A store of whole hours of new sources, whose rollups come right also where older raw frames were given up."""

    def oldest_taken(self, now: datetime) -> datetime:
        self._raw_since = EPOCH
        return super().oldest_taken(now)


class Loader:
    """Leads a clock through a history that ends at `end`, and does by it what the collector would have done then.

    Whoever calls it has the upkeep's turn.
    """

    def __init__(self, database: PsycopgEngine, key: Ed25519PrivateKey, wish: Wish, end: datetime) -> None:
        self._key, self._wish = key, wish
        self._until = (end - EPOCH) // _MILLISECOND // TICK * TICK
        self._since = self._until - wish.days * DAY
        self._clock = ManualClock(_moment(self._since))
        self._store = PastStore(database)
        announcements = Announcements(database, [])
        self._servers = Servers(Reader(database), announcements, self._clock)
        self._notices = HostNotices(announcements, self._clock)
        self._upkeep = Upkeep(database, self._store, self._clock)
        self._retention = Retention(database, self._store, _nobody_else)

    async def load(self, say: Say) -> Loaded:
        await self._store.prepare(self._clock.now())
        enrolled = [await self._enrol(machine) for machine in fleet(self._wish.servers)]
        samples = 0
        days = range(self._since // DAY, (self._until - 1) // DAY + 1)
        for number, day in enumerate(days, 1):
            self._clock.advance(_moment(min((day + 1) * DAY, self._until)) - self._clock.now())
            await self._store.prepare(self._clock.now())
            for one in enrolled:
                samples += await self._commit(one, day)
            await self._tend()
            say(f"{number} of {len(days)} days, {samples / 1e6:.1f} million samples")
        await self._tell(enrolled)
        return Loaded([one.server_id for one in enrolled], samples)

    async def _tend(self) -> None:
        """What the periodic jobs do."""
        await self._upkeep.run_once()
        await self._retention.run_once(self._clock.now())
        await self._upkeep.tidy()

    async def _tell(self, enrolled: Sequence[Enrolled]) -> None:
        """What their agents would have said last."""
        for one in enrolled:
            for notice in notices_of(one.simulation.machine, self._until):
                self._notices.keep(one.server_id, notice)
        while self._notices.waiting:
            await self._notices.write()

    async def _enrol(self, machine: Machine) -> Enrolled:
        """Its private key is thrown away: nothing can ever connect as this server."""
        issued, own = await self._servers.create_token(machine.name), generate()
        enrolled = await self._servers.enrol(
            issued.token,
            public_bytes(own),
            enrolment.sign_request(issued.token, own, self._key.public_key()),
            machine.facts,
            self._key,
        )
        await self._servers.opened(enrolled.agent_id, version("pudim"), machine.facts)
        seed = self._wish.seed
        story = story_of(seed, machine.number, self._since, self._until)
        return Enrolled(enrolled.agent_id, Simulation(machine, story, seed, self._since, self._until))

    async def _commit(self, one: Enrolled, day: int) -> int:
        """A day of one server; how many samples."""
        streams = one.simulation.day(day)
        if not len(streams[0].times):
            return 0
        ids = await self._store.declare(one.server_id, [stream.source for stream in streams])
        frames = [_frames(*pair) for pair in zip(ids, streams, strict=True)]
        await self._store.commit(frames, await self._steps(one, streams[0]), one.server_id.hex)
        return sum(stream.values.size for stream in streams)

    async def _steps(self, one: Enrolled, host: Stream) -> Sequence[Step]:
        """A batch a tick, under the boot that was up then."""
        of_frame = one.simulation.story.booted(host.times)
        steps = []
        for booted in np.unique(of_frame).tolist():
            boot = await self._store.open_boot(one.server_id, _boot_id(one.server_id, booted), TICK)
            steps.append(_step(boot, host.times[of_frame == booted]))
        return steps


async def _nobody_else() -> None:
    """No other process need hear which old frames this one gives up: by their own clocks those are older than any taken."""


def _step(boot: Boot, times: Times) -> Step:
    ends = int(times[0]), int(times[-1])
    return Step(boot.ledger_id, boot.last_seq, boot.last_seq + len(times), 0, *ends)


def _frames(source_id: int, stream: Stream) -> SourceFrames:
    times, values = stream.times.astype("<i8"), stream.values.astype("<f8")
    return SourceFrames(source_id, values.shape[1], times.tobytes(), values.tobytes())


def _boot_id(server_id: UUID, booted: int) -> bytes:
    return hashlib.sha256(server_id.bytes + booted.to_bytes(8)).digest()[:_BOOT_BYTES]


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
