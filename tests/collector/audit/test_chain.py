"""Tampering is refused by the database, and what happens all the same is found; retention leaves an anchor behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pudim_collector.app.features import MIGRATIONS
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.audit.service import Verified
from pudim_collector.features.senders.events import SenderCreated
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import assembled
from tests.collector.audit.entries import entries, rows

LONG_AGO = timedelta(days=500)


@pytest.fixture
def clock() -> ManualClock:
    """Begins so long ago that entries go beyond their retention without the database's clock being behind."""
    return ManualClock(datetime.now(UTC) - LONG_AGO)


@pytest.fixture
async def runtime(fresh_database: str, tmp_path: Path, clock: ManualClock) -> Runtime:
    await migrate(database, MIGRATIONS, clock=clock)
    made = assembled(tmp_path, clock)
    await made.accounts.ensure_team()
    return made


async def tell(runtime: Runtime, *names: str) -> None:
    for name in names:
        async with database.transaction():
            runtime.trail.emit(SenderCreated(new_id(), name))


async def verified(runtime: Runtime) -> Verified:
    (one,) = await runtime.audit.verify_all()
    return one


async def tampered(statement: str, *arguments: Any) -> None:
    """As somebody does who owns the database."""
    await rows("ALTER TABLE audit_entries DISABLE TRIGGER USER")
    await rows(statement, *arguments)
    await rows("ALTER TABLE audit_entries ENABLE TRIGGER USER")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor_name = 'Eve'",
        "DELETE FROM audit_entries WHERE sequence = 2",
        "TRUNCATE audit_entries",
        "INSERT INTO audit_anchors SELECT chain, 2, hash, at, now() FROM audit_entries WHERE sequence = 1",
        "INSERT INTO audit_anchors SELECT chain, sequence, hash, at, now() FROM audit_entries WHERE sequence = 3",
        "INSERT INTO audit_anchors SELECT chain, 3, hash, at, now() + interval '900 d' FROM audit_entries WHERE sequence = 3",
    ],
)
async def test_the_database_refuses_changes(runtime: Runtime, clock: ManualClock, statement: str) -> None:
    clock.advance(LONG_AGO)
    await tell(runtime, "a", "b", "c")
    before = await entries()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rows(statement)
    assert await entries() == before


@pytest.mark.parametrize(
    ("statement", "sequence", "why"),
    [
        ("UPDATE audit_entries SET actor_name = 'Eve' WHERE sequence = 2", 2, "changed"),
        ("UPDATE audit_entries SET at = at - interval '1 microsecond' WHERE sequence = 2", 2, "changed"),
        ('UPDATE audit_entries SET after = \'{"name": "x"}\' WHERE sequence = 3', 3, "changed"),
        ("UPDATE audit_entries SET previous = hash WHERE sequence = 2", 2, "follow"),
        ("DELETE FROM audit_entries WHERE sequence = 2", 2, "missing"),
        ("DELETE FROM audit_entries WHERE sequence = 1", 1, "missing"),
        ("DELETE FROM audit_entries WHERE sequence = 4", 4, "missing"),
        ("DELETE FROM audit_chains", 4, "head"),
        ("UPDATE audit_chains SET hash = previous", 4, "head"),
    ],
)
async def test_the_first_break_is_named(runtime: Runtime, statement: str, sequence: int, why: str) -> None:
    await tell(runtime, "a", "b", "c", "d")
    assert (await verified(runtime)).broken is None
    await tampered(statement)
    broken = (await verified(runtime)).broken
    assert broken is not None
    assert broken.sequence == sequence
    assert why in broken.why


async def test_two_entries_cannot_change_places(runtime: Runtime) -> None:
    await tell(runtime, "a", "b", "c", "d")
    await tampered(
        "UPDATE audit_entries SET sequence = CASE sequence WHEN 2 THEN 30 ELSE 20 END WHERE sequence IN (2, 3)"
    )
    await tampered("UPDATE audit_entries SET sequence = sequence / 10 WHERE sequence >= 20")
    broken = (await verified(runtime)).broken
    assert broken is not None
    assert broken.sequence == 2


async def test_retention_removes_what_is_old_and_the_rest_still_holds(
    runtime: Runtime, clock: ManualClock
) -> None:
    await tell(runtime, "old 1", "old 2", "old 3")
    clock.advance(timedelta(days=200))
    await tell(runtime, "young")
    assert await runtime.audit.prune() == 0
    clock.advance(timedelta(days=300))
    assert await runtime.audit.prune() == 3
    await runtime.trail.settle()
    kept = await entries()
    assert [row["action"] for row in kept] == ["sender.created", "audit.pruned"]
    now = await verified(runtime)
    assert (now.anchored, now.entries, now.broken) == (3, 2, None)
    assert await runtime.audit.prune() == 0
    await tampered("DELETE FROM audit_entries WHERE sequence = 4")
    broken = (await verified(runtime)).broken
    assert broken is not None
    assert broken.sequence == 4


async def test_all_of_a_chain_may_be_old(runtime: Runtime, clock: ManualClock) -> None:
    await tell(runtime, "old 1", "old 2")
    clock.advance(LONG_AGO)
    assert await runtime.audit.prune() == 2
    await tell(runtime, "new")
    now = await verified(runtime)
    assert (now.anchored, now.entries, now.broken) == (2, 2, None)
