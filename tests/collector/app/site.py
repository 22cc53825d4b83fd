"""A whole collector process but for its command line: every loop, the real HTTP server, time that tests move."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from pudim.wire import enrolment, keys
from pudim.wire.batches import Block, block
from pudim.wire.layouts import Layout, Series, Source
from pudim.wire.messages import Ack
from pudim_collector.app.asgi import Entrance
from pudim_collector.app.factory import web_application
from pudim_collector.app.features import MIGRATIONS
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.serving import http_server
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.kernel.clock import ManualClock, SystemClock
from tests.collector.conventions.described import as_described
from tests.collector.ingest.agent import LedAgent, now_ms

COLLECTOR_KEY = keys.private_from_bytes(b"c" * 32)
PAGE = {"accept": "text/html"}
HOST = Source(
    "host",
    (),
    Layout(
        (
            Series("system.cpu.utilization", "1"),
            Series("system.cpu.utilization", "1", (("cpu.mode", "user"),)),
            Series("system.memory.utilization", "1"),
            Series("system.filesystem.utilization", "1", (("system.filesystem.mountpoint", "/"),)),
            Series("system.filesystem.utilization", "1", (("system.filesystem.mountpoint", "/srv"),)),
        )
    ),
)


async def whole(runtime: Runtime) -> Scope:
    """All that the first team has."""
    return Scope(await runtime.accounts.ensure_team())


def process(name: str) -> Source:
    labels = (("process.executable.name", name),)
    return Source("process", labels, Layout((Series("process.cpu.utilization", "1"),)))


def figures(  # noqa: PLR0917 - in the layout's order
    at: int | None = None,
    cpu: float = 0.25,
    user: float = 0.2,
    memory: float = 0.5,
    root: float = 0.75,
    srv: float = 0.125,
) -> Block:
    """A frame of HOST at `at` ms, now by default."""
    return block(HOST.hash, [now_ms() if at is None else at], [(cpu, user, memory, root, srv)])


@dataclass
class Event:
    name: str | None = None
    id: str | None = None
    text: str = ""

    @property
    def said(self) -> Any:
        return json.loads(self.text)


@dataclass
class Site:
    runtime: Runtime
    clock: ManualClock
    port: int
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A program with the owner's token, or with another; "" for none."""
        shown = self.token if token is None else token
        bearer = {"authorization": f"Bearer {shown}"} if shown else {}
        hooks = {"response": [as_described]}
        return httpx.AsyncClient(base_url=self.url, headers=bearer | headers, timeout=20, event_hooks=hooks)

    async def get(self, path: str, status: int = 200, /, **parameters: Any) -> Any:
        async with self.client() as client:
            answer = await client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def enrol(self, name: str | None = "web-1", facts: dict[str, str] | None = None) -> LedAgent:
        invited = await self.runtime.servers.create_token(name)
        async with self.client(token="") as client:
            answer, key = await enrol(client, invited.token, facts=facts)
        assert answer.status_code == 201, answer.text
        return LedAgent(self.port, UUID(answer.json()["agent_id"]), key, COLLECTOR_KEY.public_key())

    @asynccontextmanager
    async def events(self, path: str, **headers: str) -> AsyncIterator["Events"]:
        async with self.client(**headers) as client, client.stream("GET", path) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield Events(answer.aiter_lines())


@dataclass
class Events:
    lines: AsyncIterator[str]
    comments: list[str] = field(default_factory=list)

    async def next(self, patience: float = 10) -> Event:
        """The next event; comments are only noted."""
        event = Event()
        async with asyncio.timeout(patience):
            async for line in self.lines:
                if line.startswith(":"):
                    self.comments.append(line)
                elif not line:
                    if event.name:
                        return event
                else:
                    name, _, value = line.partition(": ")
                    _add(event, name, value)
        raise AssertionError("the stream ended")

    async def take(self, number: int) -> list[Event]:
        return [await self.next() for _ in range(number)]


def _add(event: Event, name: str, value: str) -> None:
    match name:
        case "event":
            event.name = value
        case "id":
            event.id = value
        case "data":
            event.text += value


async def enrol(
    client: httpx.AsyncClient, shown: str, /, *, facts: dict[str, str] | None = None, **changed: Any
) -> tuple[httpx.Response, Any]:
    """The request that an agent sends with a new key, some fields `changed`."""
    key = keys.generate()
    said = {
        "token": shown,
        "public_key": keys.to_text(keys.public_bytes(key)),
        "proof": keys.to_text(enrolment.sign_request(shown, key, COLLECTOR_KEY.public_key())),
        "facts": facts or {},
    }
    return await client.post(enrolment.ENROL_PATH, json=said | changed), key


async def store(agent: LedAgent, seq: int, blocks: Sequence[Block], *sources: Source) -> None:
    """In an open session: declare what is new, send one batch, and wait until it is stored."""
    if sources:
        await agent.declare(*sources)
    await agent.batch(seq, blocks)
    async with asyncio.timeout(10):
        while await agent.heard() != Ack(agent.boot_id, seq):
            pass


async def report(agent: LedAgent, *blocks: Block) -> None:
    """One session that stores frames of HOST and ends."""
    async with agent:
        await store(agent, 1, blocks or [figures()], HOST)
    agent.boot_id = os.urandom(16)


@asynccontextmanager
async def serving(runtime: Runtime) -> AsyncIterator[int]:
    """The port on which a runtime is served while all its loops run."""
    server = http_server(Entrance(runtime.stream, web_application(runtime)), runtime.settings)
    async with runtime.running(), Supervisor(SystemClock()) as supervisor:
        supervisor.start("http", server.serve)
        while not server.started:
            await asyncio.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        while supervisor.reports["http"].state == "running":
            await asyncio.sleep(0.01)


def assembled(folder: Path, clock: ManualClock) -> Runtime:
    return Runtime.assemble(Settings(folder, port=0, rate_limit_scale=1000), COLLECTOR_KEY, database, clock)


@pytest.fixture
def clock() -> ManualClock:
    """Starts now, for the database has a clock of its own."""
    return ManualClock(datetime.now(UTC))


@pytest.fixture
async def runtime(fresh_database: str, tmp_path: Path, clock: ManualClock) -> Runtime:
    """Assembled on a migrated database; nothing runs."""
    await migrate(database, MIGRATIONS, clock=clock)
    return assembled(tmp_path, clock)


@pytest.fixture
async def site(runtime: Runtime, clock: ManualClock) -> AsyncIterator[Site]:
    async with serving(runtime) as port:
        yield Site(runtime, clock, port, await runtime.tokens.local_access_token())
