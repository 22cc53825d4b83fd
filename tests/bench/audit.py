"""How fast the audit log is written, searched and verified when it is large: `python -m tests.bench.audit --rows 1000000`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from uuid import UUID

from pudim_collector.features.audit import FEATURE, queries, rules
from pudim_collector.features.audit.rules import Entry, Search
from pudim_collector.infra.database import database
from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.kernel.clock import SystemClock

TEAM = UUID(int=1)
_FILL = """
INSERT INTO audit_entries (
    chain, sequence, team_id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,
    address, user_agent, credential, request_id, result, before, after, previous, hash
)
SELECT $1, n, $1, now() - (34560000.0 * ($2::bigint - n) / $2::bigint) * interval '1 second',
    'user', lpad((n % 200)::text, 32, '0')::uuid::text, 'Person ' || n % 200,
    (ARRAY['server.changed', 'token.created', 'session.begun', 'command.asked', 'check.changed'])[1 + n % 5],
    'server', lpad((n % 5000)::text, 32, '0')::uuid::text, 'web-' || n % 5000,
    '10.' || n % 7 || '.' || n % 199 || '.' || n % 251, 'Mozilla/5.0', NULL, 'r' || n,
    CASE WHEN n % 997 = 0 THEN 'refused' ELSE 'done' END,
    jsonb_build_object('name', 'web-' || n % 5000), jsonb_build_object('name', 'web-' || (n + 1) % 5000),
    '\\x00', '\\x00'
FROM generate_series($3::bigint, $4::bigint) AS n
"""
_STEP = 100_000
QUESTIONS = {
    "the newest": Search(),
    "a person": Search(actor=str(UUID(int=0x42))),
    "an action": Search(action="check.changed"),
    "a server by its id": Search(target=str(UUID(int=0x77))),
    "a server by its name": Search(target="web-77"),
    "refused": Search(result="refused"),
    "an address": Search(address="10.1.1.1"),
    "a rare word": Search(words=("4999",)),
    "the beginning of a word": Search(words=("49",)),
    "a word that is in every entry": Search(words=("web",)),
    "words of person and server": Search(words=("person", "4999")),
    "one day a year ago": Search(
        since=datetime.now(UTC) - timedelta(days=365), until=datetime.now(UTC) - timedelta(days=364)
    ),
}


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pudim-bench-") as folder:
        server = EmbeddedPostgres(Path(folder), fsync=False)
        await database.open(server.start(), statement_timeout=timedelta(minutes=10))
        try:
            assert FEATURE.migrations
            await migrate(database, [FEATURE.migrations], clock=SystemClock())
            await _fill(count)
            await _ask()
            await _write()
        finally:
            await database.close()
            server.stop()


async def _fill(count: int) -> None:
    began = perf_counter()
    for first in range(1, count + 1, _STEP):
        async with database.connection() as connection:
            await connection.execute(_FILL, [TEAM, count, first, min(count, first + _STEP - 1)])
    async with database.connection() as connection:
        await connection.execute("VACUUM ANALYZE audit_entries")
        await connection.execute("INSERT INTO audit_chains VALUES ($1, $2, '\\x00', '\\x00')", [TEAM, count])
    size = await queries.size()
    print(f"{count:,} entries in {perf_counter() - began:.0f} s, {size / count:.0f} bytes each with indexes")


async def _ask() -> None:
    for name, search in QUESTIONS.items():
        times = []
        for _ in range(5):
            began = perf_counter()
            found = await queries.page(TEAM, search, None, 51)
            times.append(perf_counter() - began)
        print(
            f"{name:32} {len(found):3} found, first {times[0] * 1000:8.1f} ms, then {min(times) * 1000:7.1f} ms"
        )
    for days in (1, 30):
        began = perf_counter()
        since = datetime.now(UTC) - timedelta(days=days)
        await queries.counts(TEAM, Search(since=since), timedelta(hours=days))
        print(f"{f'histogram of {days} days':32} {(perf_counter() - began) * 1000:8.1f} ms")


async def _write(count: int = 2_000) -> None:
    began = perf_counter()
    for number in range(count):
        entry = Entry(TEAM, datetime.now(UTC), "user", "1", "Ada", "token.created", target_name=str(number))
        async with queries.appending() as connection:
            await queries.append(connection, entry, rules.digest(entry), rules.GENESIS)
    print(f"{count / (perf_counter() - began):,.0f} entries a second, each in a transaction of its own")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))
