"""A Pudim that minds seconds where the real one minds minutes, so that a test need not be away for minutes."""

import asyncio
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from pudim_collector.app.asgi import Entrance
from pudim_collector.app.factory import web_application
from pudim_collector.app.keys import collector_key
from pudim_collector.app.process import migrate_database, open_database, serve
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.serving import http_server
from pudim_collector.app.settings import Settings
from pudim_collector.app.up import ACCESS_FILE, Access, write_access
from pudim_collector.infra.database import database
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.collectors import CollectorRun

LATE = timedelta(seconds=1.5)


def impatient(runtime: Runtime) -> Runtime:
    stream = AgentStream(
        runtime.key,
        runtime.agents,
        store=runtime.store,
        writer=runtime.writer,
        clock=runtime.clock,
        late_after=LATE // timedelta(milliseconds=1),
    )
    return replace(
        runtime,
        stream=stream,
        ledger=replace(runtime.ledger, grace=timedelta(seconds=2), late_after=LATE),
        collector_run=CollectorRun(database, runtime.clock, beat=timedelta(seconds=0.5)),
    )


async def run(settings: Settings) -> None:
    access = settings.data_dir / ACCESS_FILE
    access.unlink(missing_ok=True)
    async with open_database(settings):
        await migrate_database()
        runtime = impatient(
            Runtime.assemble(settings, collector_key(settings.data_dir), database, SystemClock())
        )
        server = http_server(Entrance(runtime.stream, web_application(runtime)), settings)
        async with runtime.running():
            token = await runtime.tokens.local_access_token()
            write_access(access, Access(settings.url, None, token))
            await serve(server)


if __name__ == "__main__":
    arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    asyncio.run(run(Settings(Path(arguments["--data-dir"]), port=int(arguments["--port"]))))
