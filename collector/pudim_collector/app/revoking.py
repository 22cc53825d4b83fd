"""A revoked agent's session ends at once, in whichever process holds it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from pudim.wire.refusals import RevokedAgent
from pudim_collector.app.agents import EnrolledAgents
from pudim_collector.features.servers.service import REVOKED, Servers
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.ingest.endpoint import AgentStream

_PATIENCE = 60.0


class Revoking:
    """`run` is its loop."""

    def __init__(
        self, announcements: Announcements, servers: Servers, agents: EnrolledAgents, stream: AgentStream
    ) -> None:
        self._announcements, self._servers = announcements, servers
        self._agents, self._stream = agents, stream

    async def run(self) -> None:
        with self._announcements.subscribe(REVOKED) as announced:
            self._end(await self._servers.revoked())
            while True:
                heard = await announced.heard(_PATIENCE)
                missed_some = EVERYTHING in heard
                self._end(await self._servers.revoked() if missed_some else map(UUID, heard))

    def _end(self, servers: Iterable[UUID]) -> None:
        for server_id in servers:
            self._agents.revoke(server_id)
            self._stream.revoke(server_id, RevokedAgent())
