"""The composition root of a running agent: samplers -> spool -> stream, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pudim_agent import identity as identities
from pudim_agent.actions import Surroundings, Update
from pudim_agent.assembly import Assembly
from pudim_agent.checks import CheckRunner
from pudim_agent.clock import Clock, SystemClock
from pudim_agent.commanding import Commands
from pudim_agent.config import AgentConfig
from pudim_agent.facts import host_facts
from pudim_agent.frugality import give_back_memory
from pudim_agent.identity import Identity
from pudim_agent.orders import AgentOrders
from pudim_agent.pinned import Pinned
from pudim_agent.policy import DEFAULT_POLICY, check_networks
from pudim_agent.samplers import Host, Running, Sampling, samplers
from pudim_agent.schedule import Schedule, Tick
from pudim_agent.spool import Limits, Spool
from pudim_agent.status import Status
from pudim_agent.stream import Stream
from pudim_agent.supervision import supervised

_log = logging.getLogger(__name__)
PID_FILE = "pid"
_SETTLED_SECONDS = 15.0  # by then the first samples are taken and the first connection is open


class Agent:
    def __init__(
        self, config: AgentConfig, identity: Identity, clock: Clock, policy: Path = DEFAULT_POLICY
    ) -> None:
        """Raises SpoolInUse or DamagedPin."""
        self._clock = clock
        self._host = Host()
        self._checks = CheckRunner(
            config.checks,
            config.state_dir,
            clock,
            self._host.notices,
            policy=partial(check_networks, policy),
        )
        self._samplers: dict[str, Sampling] = {
            name: sampler(self._host, config.samplers[name])
            for name, sampler in samplers.items()
            if config.samplers[name].enabled
        }
        self._samplers["checks"] = self._checks
        self._assembly = Assembly(self._samplers, self._host)
        self._spool = Spool(
            config.state_dir / "spool",
            Limits(config.spool.max_mebibytes << 20, int(config.spool.max_hours * 3_600_000)),
            clock=clock,
        )
        self._schedule = Schedule(config.interval_ms, clock)
        pinned = Pinned(config.state_dir, config.collector_key, notices=self._host.notices, clock=clock)
        orders = AgentOrders(self._schedule, checks=self._checks, pinned=pinned)
        self._commands = Commands(
            config.state_dir,
            identity,
            pinned,
            notices=self._host.notices,
            clock=clock,
            around=Surroundings(self._host.notices, orders.hurry, update=_updating(config)),
            policy=policy,
        )
        orders.commands = self._commands
        self._stream = Stream(
            config,
            identity,
            self._spool,
            clock=clock,
            orders=orders,
            notices=self._host.notices,
            facts=host_facts(),
            results=self._commands,
            pinned=pinned,
        )

        self._status = Status(
            config.state_dir, self._stream, self._spool, clock=clock, interval_ms=config.interval_ms
        )

    async def run(self) -> None:
        """Until cancelled. What is not acknowledged then stays in the spool."""
        parts = [
            asyncio.ensure_future(supervised("sampling", self._sample)),
            asyncio.ensure_future(supervised("stream", self._stream.run)),
            asyncio.ensure_future(supervised("status", self._status.run)),
            asyncio.ensure_future(supervised("commands", self._commands.run)),
            *map(asyncio.ensure_future, background(self._samplers)),
        ]
        try:
            await asyncio.gather(*parts)
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
            self._spool.close()

    async def _sample(self) -> None:
        async for tick in self._schedule.ticks():
            self._take(tick)

    def _take(self, tick: Tick) -> None:
        if tick.new_epoch:
            self._spool.new_boot()
        started = self._clock.now().monotonic
        self._update_vitals()
        frames = self._assembly.frames(tick)
        if frames:  # with every sampler off there is nothing to say
            self._spool.append(frames, tick.time_ms)
        self._host.vitals.sample_seconds = self._clock.now().monotonic - started
        self._stream.wake()

    def _update_vitals(self) -> None:
        vitals, grid = self._host.vitals, self._schedule.grid
        vitals.spool_bytes, vitals.spool_batches = self._spool.bytes, self._spool.batches
        vitals.lost_batches, vitals.thinned_batches = self._spool.lost, self._spool.thinned
        vitals.missed_ticks, vitals.clock_jumps = grid.missed, grid.jumps


def _updating(config: AgentConfig) -> Update:
    async def update(version: str, manifest: bytes, signature: bytes) -> str:
        from pudim_agent import updating

        return await updating.update(version, manifest, signature, config)

    return update


def background(found: Mapping[str, Sampling]) -> list[Coroutine[Any, Any, None]]:
    """What samplers do beside being sampled, each under supervision."""
    return [supervised(f"sampler {name}", one.run) for name, one in found.items() if isinstance(one, Running)]


def _end_with_input(task: asyncio.Future[None]) -> None:
    if not os.read(0, 4096):
        asyncio.get_running_loop().remove_reader(0)
        task.cancel()


async def run(config: AgentConfig, *, with_parent: bool = False, policy: Path = DEFAULT_POLICY) -> None:
    """Until SIGTERM or SIGINT, or with `with_parent` until standard input ends, which a killed parent's does.

    Raises a PudimError when the agent cannot start.
    """
    agent = Agent(config, identities.load(config.state_dir), SystemClock(), policy)
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, task.cancel)
    if with_parent:
        loop.add_reader(0, _end_with_input, task)
    with contextlib.suppress(OSError):  # a full or read-only disk; only `pudim agent status` misses it
        identities.write_private(config.state_dir / PID_FILE, f"{os.getpid()}\n".encode())
    loop.call_later(_SETTLED_SECONDS, give_back_memory)
    _log.info("sampling every %g s", config.interval_ms / 1000)
    with contextlib.suppress(asyncio.CancelledError):
        await task
