"""Tells what this host is whenever that changes: its name, its addresses, its system. Gives no values."""

from __future__ import annotations

from collections.abc import Iterable

from pudim_agent.facts import host_facts
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers

_LOOK_SECONDS = 300.0


@samplers.register("facts")
class Facts:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._notices = host.notices
        self._due = float("-inf")

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if tick.monotonic >= self._due:
            self._due = tick.monotonic + _LOOK_SECONDS
            self._notices.tell("facts", tick.time_ms, host_facts())
        return ()
