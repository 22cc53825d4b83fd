"""What ingest must know of enrolled agents; the composition root brings it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pudim.wire.messages import Notice, Opening, Result, Taken


@dataclass(frozen=True)
class Agent:
    """An enrolled agent and the server that it reports for."""

    agent_id: UUID
    server_id: UUID
    public_key: Ed25519PublicKey
    revoked: bool


class Agents(Protocol):
    """The enrolled agents."""

    async def find(self, agent_id: UUID) -> Agent | None: ...

    async def opened(self, agent: Agent, opening: Opening) -> None:
        """An agent has proved its key and said what host it runs on."""
        ...

    async def orders(self, agent: Agent) -> list[bytes]:
        """What this agent is told on each connection, as messages: its checks, and commands that wait for it."""
        ...

    def noticed(self, agent: Agent, notice: Notice) -> None:
        """The newest word on a subject of the agent's host; kept soon, and only the newest of each kind."""
        ...

    async def answered(self, agent: Agent, result: Result) -> Taken:
        """Keep what became of a command. Raises a Refusal for one that this agent did not sign."""
        ...
