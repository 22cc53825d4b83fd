"""The enrolled agents as ingest asks for them, answered by the servers feature."""

from __future__ import annotations

from uuid import UUID

from pudim.wire.keys import public_from_bytes
from pudim.wire.messages import Notice, Opening, Result, Taken
from pudim.wire.refusals import RevokedAgent
from pudim_collector.app.commanding import Commanding
from pudim_collector.app.successor_told import SuccessorTold
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers import queries
from pudim_collector.features.servers.service import Servers
from pudim_collector.features.uptime.service import Uptime
from pudim_collector.ingest.agents import Agent

POLICY = "policy"
"""The kind of notice by which an agent says which run of it is there."""


class EnrolledAgents:
    """Implements pudim_collector.ingest.agents.Agents."""

    def __init__(
        self,
        servers: Servers,
        notices: HostNotices,
        uptime: Uptime,
        commanding: Commanding,
        successor: SuccessorTold,
    ) -> None:
        self._servers, self._notices, self._uptime = servers, notices, uptime
        self._commanding, self._successor = commanding, successor
        self._revoked: set[UUID] = set()

    def revoke(self, server_id: UUID) -> None:
        """Admit this server's agent no more, even if it was found a moment ago."""
        self._revoked.add(server_id)

    async def find(self, agent_id: UUID) -> Agent | None:
        record = await queries.find_agents_server(agent_id)
        if record is None or record.public_key is None:
            return None
        return Agent(agent_id, record.id, public_from_bytes(record.public_key), record.revoked_at is not None)

    async def opened(self, agent: Agent, opening: Opening) -> None:
        """Raises RevokedAgent if that happened during the greeting: nothing else would end the session then."""
        await self._servers.opened(agent.server_id, opening.agent_version, opening.facts)
        if agent.server_id in self._revoked:
            raise RevokedAgent

    async def orders(self, agent: Agent) -> list[bytes]:
        checks = await self._uptime.listed(agent.server_id)
        return [
            *self._successor.messages,
            *self._commanding.mandates(),
            *([] if checks is None else [checks.encode()]),
        ]

    def noticed(self, agent: Agent, notice: Notice) -> None:
        self._notices.keep(agent.server_id, notice)
        if notice.kind == POLICY:
            self._commanding.noticed(agent, notice)

    async def answered(self, agent: Agent, result: Result) -> Taken:
        return await self._commanding.answered(agent, result)
