"""A Pudim with something of everything in it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pudim_collector.app.keys import collector_key, key_ring
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings
from pudim_collector.features.servers import queries
from pudim_collector.infra.api.idempotency import SEALED_ANSWERS
from pudim_collector.infra.database import database
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.ids import new_id
from pudim_collector.series.store import Step
from tests.collector.app.site import clock, runtime
from tests.collector.backup.frames import SOURCE, made

__all__ = ["clock", "runtime"]
CALL, SECRET = b"call", b"a secret in the database"


@pytest.fixture
async def filled(runtime: Runtime, fresh_database: str, clock: ManualClock, tmp_path: Path) -> Settings:
    """Its settings: rows and blocks of two days, an owner, a server, a token, the collector's key. Nothing runs."""
    key = collector_key(tmp_path)
    await runtime.store.prepare(clock.now())
    server = new_id()
    await queries.insert_server(server, "web <1>", os.urandom(32), {"os": "Linux"}, clock.now())
    await runtime.tokens.local_access_token()
    await runtime.servers.create_token("web-2")
    (one,) = await runtime.store.declare(server, [SOURCE])
    now = int(datetime.now(UTC).timestamp())
    boot = await runtime.store.open_boot(server, b"b" * 16)
    old, new = list(range(now - 2 * 86_400, now - 86_400, 600)), list(range(now - 600, now, 10))
    await runtime.store.commit([made(one, old)], [Step(boot.ledger_id, 0, 1, 0)], "")
    await runtime.upkeep.run_once()
    await runtime.store.commit([made(one, new)], [Step(boot.ledger_id, 1, 2, 0)], "")
    await runtime.storage.measure()
    settings = Settings(tmp_path, database_url=fresh_database)
    sealer = Sealers(key_ring(settings, clock.now()), key).of(SEALED_ANSWERS)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO api_answers (call, asker, body_hash, made_at, answer) VALUES ($1, $2, '', now(), $3)",
            [CALL, new_id(), sealer.seal(SECRET, CALL)],
        )
    await database.close()
    return settings
