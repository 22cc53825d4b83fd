"""How fast the audit log is written, searched, exported and verified when it is large: `just bench-audit --rows 1000000`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from pudim_collector.features.audit import FEATURE, queries, rules
from pudim_collector.features.audit.rules import Entry, Search
from pudim_collector.features.audit.service import AuditLog
from pudim_collector.infra.database import database
from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.kernel.clock import SystemClock

TEAM, WRITTEN = UUID(int=1), UUID(int=2)
"""The chain that is filled by one statement, whose hashes are none; and one that is written as ever."""
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
_NOW = datetime.now(UTC)
_YEAR = timedelta(days=365)
QUESTIONS = {
    "the newest": Search(),
    "a person": Search(actor=str(UUID(int=0x42))),
    "a person by name": Search(actor="Person 42"),
    "an action": Search(action="check.changed"),
    "a server by its id": Search(target=str(UUID(int=0x77))),
    "a server by its name": Search(target="web-77"),
    "nobody": Search(actor="Nobody"),
    "refused": Search(result="refused"),
    "an address": Search(address="10.1.1.1"),
    "a rare word": Search(words=("4999",)),
    "the beginning of a word": Search(words=("49",)),
    "a word that is in every entry": Search(words=("web",)),
    "a word that is in none": Search(words=("nothing",)),
    "words of person and server": Search(words=("person", "4999")),
    "one day a year ago": Search(since=_NOW - _YEAR, until=_NOW - _YEAR + timedelta(days=1)),
    "a person in that day": Search(
        actor="Person 42", since=_NOW - _YEAR, until=_NOW - _YEAR + timedelta(days=1)
    ),
    "a word in that day": Search(words=("4999",), since=_NOW - _YEAR, until=_NOW - _YEAR + timedelta(days=1)),
    "a word in the whole year": Search(words=("web",), since=_NOW - _YEAR),
    "a rare word in the whole year": Search(words=("4999",), since=_NOW - _YEAR),
    "an action in the whole year": Search(action="check.changed", since=_NOW - _YEAR),
}


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="pudim-bench-") as folder:
        server = EmbeddedPostgres(Path(folder), fsync=False)
        await database.open(server.start(), statement_timeout=timedelta(hours=1))
        try:
            assert FEATURE.migrations
            await migrate(database, [FEATURE.migrations], clock=SystemClock())
            await _fill(count)
            await measured(count)
        finally:
            await database.close()
            server.stop()


async def measured(count: int) -> None:
    """What is asked of a log that is filled."""
    size = await queries.size()
    print(f"{count:,} entries, {size / count:.0f} bytes each with indexes")
    await _ask()
    await _write()
    await _read(count)


async def _fill(count: int) -> None:
    """The indexes for searching are made afterwards, which takes a tenth of the time."""
    began = perf_counter()
    async with database.connection() as connection:
        found = await connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'audit_entries' AND indexname <> 'audit_entries_pkey'"
        )
        indexes = await found.fetchall()
        for name, _ in indexes:
            await connection.execute(f"DROP INDEX {name}".encode())
        for first in range(1, count + 1, _STEP):
            await connection.execute(_FILL, [TEAM, count, first, min(count, first + _STEP - 1)])
        await connection.execute("SET maintenance_work_mem = '1GB'")
        for _, made in indexes:
            await connection.execute(made.encode())
        await connection.execute("VACUUM ANALYZE audit_entries")
        await connection.execute("INSERT INTO audit_chains VALUES ($1, $2, '\\x00', '\\x00')", [TEAM, count])
    print(f"filled in {perf_counter() - began:.0f} s")


async def _ask() -> None:
    """Each question five times: its page of 51, and its chart as the page has it."""
    log = AuditLog(SystemClock(), print)
    for name, search in QUESTIONS.items():
        pages, charts, found = [], [], 0
        for _ in range(5):
            began = perf_counter()
            found = len(await queries.page(TEAM, search, None, 51))
            pages.append(perf_counter() - began)
            began = perf_counter()
            await log.bars(TEAM, search)
            charts.append(perf_counter() - began)
        print(f"{name:32} {found:3} found, page {_times(pages)}, chart {_times(charts)}")


def _times(taken: list[float]) -> str:
    return f"first {taken[0] * 1000:7.1f} ms, then {min(taken) * 1000:7.1f} ms"


async def _write(count: int = 5_000) -> None:
    began = perf_counter()
    for number in range(count):
        entry = Entry(
            WRITTEN, datetime.now(UTC), "user", "1", "Ada", "token.created", target_name=str(number)
        )
        async with database.transaction() as transaction:
            await queries.append(transaction.connection, entry, rules.digest(entry), rules.GENESIS)
    taken = perf_counter() - began
    print(
        f"{count / taken:,.0f} entries a second, {taken / count * 1000:.2f} ms each in a transaction of its own"
    )


async def _read(count: int) -> None:
    log = AuditLog(SystemClock(), lambda _: None)
    began = perf_counter()
    verified = await log.verify(WRITTEN)
    assert verified.broken is None
    print(f"verified at {verified.entries / (perf_counter() - began):,.0f} entries a second")
    for form in ("jsonl", "csv"):
        pieces, began = await log.export(TEAM, Search(), form), perf_counter()
        lines = await _lines(pieces, min(count, 200_000))
        print(f"exported as {form} at {lines / (perf_counter() - began):,.0f} entries a second")
    began = perf_counter()
    lines = await _lines(await log.export(TEAM, Search(words=("4999",)), "jsonl"), count)
    print(f"exported {lines:,} of {count:,} by a word in {perf_counter() - began:.1f} s")


async def _lines(pieces: AsyncIterator[Any], most: int) -> int:
    found = 0
    async for piece in pieces:
        found += piece.count(b"\n")
        if found >= most:
            break
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))
