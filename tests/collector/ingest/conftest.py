"""A real websocket endpoint over a real database, and agents that a test leads by the hand."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
import uvicorn

from pudim.wire import keys
from pudim.wire.messages import Notice, Opening, Result, Taken
from pudim_collector.app.serving import MAX_WEBSOCKET_MESSAGE
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import MigrationApp, migrate
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.ingest.agents import Agent
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.ingest.writer import Writer
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.statements import MIGRATIONS, fetch
from pudim_collector.series.store import Store
from tests.collector.ingest.agent import LedAgent

COLLECTOR_KEY = keys.private_from_bytes(b"c" * 32)


@dataclass
class KnownAgents:
    """Agents in memory: the port that the composition root otherwise fills from a table."""

    agents: dict[UUID, Agent] = field(default_factory=dict)
    openings: list[Opening] = field(default_factory=list)
    waiting: list[bytes] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    async def find(self, agent_id: UUID) -> Agent | None:
        return self.agents.get(agent_id)

    async def opened(self, agent: Agent, opening: Opening) -> None:
        self.openings.append(opening)

    async def orders(self, agent: Agent) -> list[bytes]:
        return self.waiting

    def noticed(self, agent: Agent, notice: Notice) -> None:
        self.notices.append(notice)

    async def answered(self, agent: Agent, result: Result) -> Taken:
        self.results.append(result)
        return Taken(len(self.results))


@dataclass
class Link:
    """The collector's end: where it listens, and what it stored."""

    port: int
    agents: KnownAgents
    stream: AgentStream
    writer: Writer
    store: Store

    def enrol(self, *, revoked: bool = False) -> LedAgent:
        key, agent_id = keys.generate(), uuid4()
        self.agents.agents[agent_id] = Agent(agent_id, agent_id, key.public_key(), revoked)
        return LedAgent(self.port, agent_id, key, COLLECTOR_KEY.public_key())

    async def frames(self) -> list[tuple[int, list[float]]]:
        """(milliseconds, values) of all that is stored."""
        async with database.connection() as connection:
            return [
                (int(row[0]), row[1])
                for row in await fetch(
                    connection,
                    "SELECT extract(epoch FROM time)::float8 * 1000, values FROM frames ORDER BY time",
                )
            ]


@pytest.fixture
async def link(fresh_database: str) -> AsyncIterator[Link]:
    clock = SystemClock()
    await migrate(database, [MigrationApp("series", MIGRATIONS)], clock=clock)
    store = Store(database)
    await store.prepare(clock.now())
    writer, agents = Writer(store, gather_seconds=0.005), KnownAgents()
    stream = AgentStream(COLLECTOR_KEY, agents, store=store, writer=writer, clock=clock)
    server = uvicorn.Server(
        uvicorn.Config(
            stream,
            port=0,
            ws="websockets-sansio",
            ws_max_size=MAX_WEBSOCKET_MESSAGE,
            lifespan="off",
            log_config=None,
        )
    )
    async with Supervisor(clock) as supervisor:
        supervisor.start("writer", writer.run)
        supervisor.start("server", server.serve)
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Link(port, agents, stream, writer, store)
        server.should_exit = True
        while supervisor.reports["server"].state == "running":
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def quiet_server() -> None:
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
