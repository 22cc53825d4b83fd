"""What the agent costs and whether it keeps up, so that its own footprint is on a chart like any other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from pudim_agent.deltas import rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = tuple(
    series(f"pudim.agent.{name}")
    for name in (
        "cpu.utilization",
        "memory.usage",
        "sample.duration",
        "spool.usage",
        "spool.count",
        "batches.lost",
        "batches.thinned",
        "samplers.errors",
        "ticks.missed",
        "clock.jumps",
    )
)
_PAGE = os.sysconf("SC_PAGESIZE")


@samplers.register("self")
class Itself:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._before: tuple[float, Sequence[float]] | None = None

    def sample(self, tick: Tick) -> Iterable[Reading]:
        used = (time.process_time(),)
        since, before = self._before or (tick.monotonic, None)
        self._before = tick.monotonic, used
        vitals = self._host.vitals
        yield Reading(
            _SERIES,
            [
                *rates(before, used, tick.monotonic - since),
                float(int(self._host.read("self/statm").split()[1]) * _PAGE),
                vitals.sample_seconds,
                float(vitals.spool_bytes),
                float(vitals.spool_batches),
                float(vitals.lost_batches),
                float(vitals.thinned_batches),
                float(vitals.sampler_errors),
                float(vitals.missed_ticks),
                float(vitals.clock_jumps),
            ],
        )
