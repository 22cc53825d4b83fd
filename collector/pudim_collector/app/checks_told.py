"""An agent whose checks were changed anywhere is told at once, by the process that it is connected to."""

from __future__ import annotations

from uuid import UUID

from pudim_collector.features.uptime.service import CHECKS_CHANGED, Uptime
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.kernel.clock import Clock

_PATIENCE = 60.0
_AGAIN = 1.0
_OPENING = 30.0
"""Seconds within which a session that has asked for its checks already is open for more."""


class ChecksTold:
    """`run` is its loop. An agent that is not here is either elsewhere, or asks when it connects."""

    def __init__(
        self, announcements: Announcements, uptime: Uptime, stream: AgentStream, clock: Clock
    ) -> None:
        self._announcements, self._uptime = announcements, uptime
        self._stream, self._clock = stream, clock
        self._missed: dict[UUID, float] = {}

    async def run(self) -> None:
        with self._announcements.subscribe(CHECKS_CHANGED) as changed:
            while True:
                heard = await changed.heard(_AGAIN if self._missed else _PATIENCE)
                await self._tell(heard)

    async def _tell(self, heard: frozenset[str]) -> None:
        until = self._clock.monotonic() + _OPENING
        if EVERYTHING in heard:
            servers = await self._uptime.servers_with_lists()
        else:
            servers = [UUID(one) for one in heard]
        for server_id in [*servers, *(one for one in self._missed if one not in servers)]:
            checks = await self._uptime.listed(server_id)
            if checks is None or self._stream.tell(server_id, checks.encode()):
                self._missed.pop(server_id, None)
            elif server_id in servers and EVERYTHING not in heard:
                self._missed[server_id] = until
        now = self._clock.monotonic()
        self._missed = {one: end for one, end in self._missed.items() if end > now}
