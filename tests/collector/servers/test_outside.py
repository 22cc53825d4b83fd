"""Servers without an agent: which one metrics are about, how many may be made, and that nobody can speak for them."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.app.features import MIGRATIONS
from pudim_collector.features.accounts.queries import the_team
from pudim_collector.features.servers import queries
from pudim_collector.features.servers.rules import (
    OUTSIDE_SILENT_AFTER,
    Named,
    ServerKind,
    ServerRevoked,
    ServerState,
    place_among,
    state,
)
from pudim_collector.features.servers.service import OutsideServers, TooManyServers
from pudim_collector.infra.auth import Sender
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import ManualClock

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SENDER = UUID(int=9)


@dataclass(frozen=True)
class Placing:
    """Senders of the installation's first team."""

    servers: OutsideServers
    team_id: UUID

    async def place(self, names: list[str], sender_id: UUID, most: int) -> UUID:
        return await self.servers.place(names, Sender(sender_id, self.team_id, "lab", 10, most))


def named(number: int, name: str, *, outside: bool = False, revoked: bool = False, age: int = 0) -> Named:
    kind = ServerKind.OUTSIDE if outside else ServerKind.AGENT
    return Named(UUID(int=number), name, kind, revoked, NOW - timedelta(days=age))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([], None),
        ([named(1, "other")], None),
        ([named(1, "node/web-1")], 1),
        ([named(1, "node/web-1"), named(2, "web-1", outside=True)], 2),
        ([named(1, "web-1", outside=True, age=9), named(2, "web-1")], 2),
        ([named(1, "web-1", age=1), named(2, "web-1", age=2)], 2),
        ([named(1, "web-1", revoked=True, age=9), named(2, "web-1", outside=True)], 2),
    ],
)
def test_the_first_name_counts_then_the_agent_then_the_older_one(
    found: list[Named], expected: int | None
) -> None:
    assert place_among(found, ["web-1", "node/web-1"]) == (None if expected is None else UUID(int=expected))


def test_a_revoked_server_gets_nothing_and_no_namesake() -> None:
    with pytest.raises(ServerRevoked, match="'web-1'"):
        place_among([named(1, "web-1", revoked=True), named(2, "node/web-1")], ["web-1", "node/web-1"])


@given(
    st.lists(st.builds(named, st.integers(1, 50), st.sampled_from(["a", "b", "c"]), revoked=st.booleans()))
)
def test_whatever_is_chosen_bears_a_name_that_was_asked_for_and_is_open(found: list[Named]) -> None:
    try:
        chosen = place_among(found, ["a", "b"])
    except ServerRevoked:
        return
    assert chosen is None or any(
        one.id == chosen and one.name in {"a", "b"} and not one.revoked for one in found
    )


def test_it_turns_silent_after_two_missed_minutes() -> None:
    for age, expected in ((OUTSIDE_SILENT_AFTER, "live"), (OUTSIDE_SILENT_AFTER * 1.01, "silent")):
        assert state(NOW - age, revoked=False, now=NOW, kind=ServerKind.OUTSIDE) is ServerState(expected)


@pytest.fixture
async def outside(fresh_database: str) -> Placing:
    clock = ManualClock(NOW)
    await migrate(database, MIGRATIONS, clock=clock)
    return Placing(OutsideServers(clock), await the_team())


async def test_a_server_is_made_once_and_found_again(outside: Placing) -> None:
    made = await asyncio.gather(*(outside.place(["web-1", "node/web-1"], SENDER, 5) for _ in range(6)))
    assert len(set(made)) == 1
    record = await queries.find_server(Scope(outside.team_id), made[0])
    assert record is not None
    assert (record.name, record.kind, record.public_key, record.seen_at) == (
        "node/web-1",
        ServerKind.OUTSIDE,
        None,
        None,
    )
    await outside.servers.seen(made)
    record = await queries.find_server(Scope(outside.team_id), made[0])
    assert record is not None
    assert record.seen_at == NOW


async def test_a_sender_makes_as_many_as_it_may_and_still_finds_what_is_there(
    outside: Placing,
) -> None:
    first = await outside.place(["a"], SENDER, 2)
    await outside.place(["b"], SENDER, 2)
    with pytest.raises(TooManyServers, match="made 2"):
        await outside.place(["c"], SENDER, 2)
    assert await outside.place(["a"], SENDER, 2) == first
    await outside.place(["c"], uuid4(), 2)
    await queries.set_revoked(Scope(outside.team_id), first, NOW)
    await outside.place(["d"], SENDER, 2)
    with pytest.raises(ServerRevoked):
        await outside.place(["a"], SENDER, 9)


async def test_many_at_once_make_no_more_than_allowed(outside: Placing) -> None:
    found = await asyncio.gather(
        *(outside.place([f"s{number}"], SENDER, 3) for number in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, UUID) for one in found) == 3
    assert sum(isinstance(one, TooManyServers) for one in found) == 5


async def test_metrics_of_an_enrolled_host_go_to_its_server(outside: Placing) -> None:
    enrolled = uuid4()
    await queries.insert_server(enrolled, "web-1", b"k" * 32, {}, NOW)
    assert await outside.place(["web-1", "node/web-1"], SENDER, 0) == enrolled


@pytest.mark.parametrize("key", [b"k" * 32, None])
async def test_the_database_keeps_keys_and_outside_apart(outside: Placing, key: bytes | None) -> None:
    kind = "outside" if key else "agent"
    with pytest.raises(psycopg.errors.CheckViolation):
        async with database.connection() as connection:
            await connection.execute(
                "INSERT INTO servers (id, team_id, name, kind, public_key, enrolled_at, facts)"
                " VALUES (gen_random_uuid(), $3, 'x', $1, $2, now(), '{}')",
                [kind, key, outside.team_id],
            )


async def test_another_teams_server_of_that_name_is_another_one(outside: Placing) -> None:
    mine = await outside.place(["web-1"], SENDER, 1)
    other = uuid4()
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO teams (id, name, created_at) VALUES ($1, 'Other', now())", [other]
        )
    theirs = await Placing(outside.servers, other).place(["web-1"], UUID(int=8), 1)
    assert theirs != mine
    assert await outside.place(["web-1"], SENDER, 1) == mine
