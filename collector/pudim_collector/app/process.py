"""One collector process from database to HTTP server and back, for `pudim serve` and `pudim up`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import uvicorn

from pudim_collector.app.asgi import Entrance
from pudim_collector.app.factory import web_application
from pudim_collector.app.features import MIGRATIONS, SEALED
from pudim_collector.app.keys import collector_key, key_ring
from pudim_collector.app.memory import settle_memory
from pudim_collector.app.operating import ResetLinkMade, SetupLinkMade, tell
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.sealed import tell_of_lost_keys
from pudim_collector.app.serving import PortTaken, http_server
from pudim_collector.app.settings import Role, Settings
from pudim_collector.infra.database import database
from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.migrations import Applied, migrate
from pudim_collector.infra.database.watchdog import Watchdog
from pudim_collector.kernel.clock import SystemClock

POOL_SIZE = 16


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[EmbeddedPostgres | None]:
    """The process' database: the one of PUDIM_DATABASE_URL, else the embedded one, started and ended here."""
    embedded = None if settings.database_url else EmbeddedPostgres(settings.data_dir / "postgres")
    try:
        conninfo = await _started(embedded) if embedded else settings.database_url or ""
        await database.open(conninfo, max_size=POOL_SIZE)
        yield embedded
    finally:
        await database.close()
        if embedded:
            await asyncio.to_thread(embedded.stop)


@asynccontextmanager
async def shared_database(settings: Settings) -> AsyncIterator[None]:
    """As `open_database`, but where Pudim runs on this data folder, its database is used and left running."""
    if settings.database_url is None:
        running = EmbeddedPostgres(settings.data_dir / "postgres").running_conninfo()
        settings = replace(settings, database_url=running)
    async with open_database(settings):
        yield


async def _started(embedded: EmbeddedPostgres) -> str:
    """A start that is cancelled is waited for: else its server would be launched after it was stopped."""
    starting = asyncio.get_running_loop().run_in_executor(None, embedded.start)
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.gather(starting, return_exceptions=True)
        raise


async def migrate_database() -> list[Applied]:
    return await migrate(database, MIGRATIONS, clock=SystemClock())


@asynccontextmanager
async def collector(settings: Settings) -> AsyncIterator[tuple[Runtime, uvicorn.Server]]:
    """A migrated database, all loops of the role, and an HTTP server that is ready to `serve`."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with open_database(settings) as embedded:
        await migrate_database()
        runtime = Runtime.assemble(settings, collector_key(settings.data_dir), database, SystemClock())
        await tell_of_lost_keys(SEALED, key_ring(settings, runtime.clock.now()))
        stream = runtime.stream if settings.role.includes(Role.INGEST) else None
        server = http_server(Entrance(stream, web_application(runtime)), settings)
        async with runtime.running():
            if embedded is not None:
                _watch(embedded, runtime)
            yield runtime, server


def _watch(embedded: EmbeddedPostgres, runtime: Runtime) -> None:
    watchdog = Watchdog(embedded)
    runtime.checks.add("database_server", watchdog.wrong)
    runtime.supervisor.start("database server", watchdog.run)


async def serve(server: uvicorn.Server) -> None:
    """Serve until a signal comes. Raises PortTaken."""
    settle_memory()
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's way to say that it cannot listen
        raise PortTaken(f"cannot listen on {server.config.host}:{server.config.port}") from error


async def serve_forever(settings: Settings) -> None:
    async with collector(settings) as (_, server):
        await serve(server)


async def migrate_once(settings: Settings) -> list[Applied]:
    async with open_database(settings):
        return await migrate_database()


async def new_reset_link(settings: Settings, email: str) -> str:
    """Raises NoSuchAccountError."""
    async with shared_database(settings):
        await migrate_database()
        runtime = Runtime.assemble(settings, collector_key(settings.data_dir), database, SystemClock())
        link = await runtime.credentials.reset_link(email)
        person = await runtime.accounts.user_by_email(email)
        await tell(ResetLinkMade(person.id if person else None))
        return link


async def new_setup_link(settings: Settings) -> str | None:
    """The address of a fresh setup link; None when there is an owner."""
    async with open_database(settings):
        await migrate_database()
        runtime = Runtime.assemble(settings, collector_key(settings.data_dir), database, SystemClock())
        path = await runtime.accounts.ensure_setup_link()
        if path is None:
            return None
        await tell(SetupLinkMade())
        return f"{settings.url}{path}"
