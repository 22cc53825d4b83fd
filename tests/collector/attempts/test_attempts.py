"""Failures are counted once for all processes, make one wait longer and longer, and lock nobody out."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.attempts import FEATURE, queries, rules
from pudim_collector.features.attempts.queries import Counted
from pudim_collector.features.attempts.service import (
    PER_ACCOUNT,
    PER_ACCOUNT_AND_NETWORK,
    PER_NETWORK,
    Attempts,
    SlowDownError,
)
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.throttling import Patience

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.4"


@pytest.fixture
async def clock(fresh_database: str) -> ManualClock:
    clock = ManualClock(START)
    assert FEATURE.migrations
    await migrate(database, [FEATURE.migrations], clock=clock)
    return clock


async def outcome(
    attempts: Attempts, account: str = "ada", address: str = HERE, device: str | None = None
) -> int:
    """Seconds to wait, 0 where it was let happen."""
    try:
        await attempts.begin("password", account, address, device=device)
    except SlowDownError as refusal:
        return refusal.seconds
    return 0


async def stored() -> int:
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM attempts")).fetchone()
    assert row
    return int(row[0])


@pytest.mark.parametrize("patience", [PER_ACCOUNT, PER_NETWORK, PER_ACCOUNT_AND_NETWORK])
async def test_the_statement_is_as_patient_as_the_rule_says(clock: ManualClock, patience: Patience) -> None:
    counted = [Counted(rules.key("x"), patience)]
    now = START
    for failures in range(patience.free + 14):
        assert await queries.begin(counted, now) == 0, failures
        wait = patience.wait_after(failures + 1)
        assert await queries.begin(counted, now) == pytest.approx(wait.total_seconds()) or not wait
        if not wait:
            await queries.succeeded([Counted(rules.key("x"), patience, own=False)])
        now += wait


async def test_a_second_process_and_a_restart_know_of_it(clock: ManualClock) -> None:
    first, second = Attempts(clock), Attempts(clock)
    assert [await outcome(first) for _ in range(5)] == [0] * 5
    assert await outcome(second) == 1


async def test_waiting_is_over_in_time_and_forgotten_after_an_hour(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for _ in range(5):
        await outcome(attempts)
    clock.advance(1)
    assert await outcome(attempts) == 0
    assert await outcome(attempts) == 2
    clock.advance(timedelta(hours=1, seconds=1))
    assert [await outcome(attempts) for _ in range(5)] == [0] * 5


async def test_to_wait_costs_nothing_more(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for _ in range(50):
        await outcome(attempts)
    assert await outcome(attempts) == 1


async def test_many_at_once_get_no_more_than_one_after_another(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for _ in range(5):
        await outcome(attempts)
    clock.advance(1)
    waits = await asyncio.gather(*(outcome(attempts) for _ in range(4)))
    assert sorted(waits) == [0, 2, 2, 2]


async def test_a_success_forgets_its_own_count_and_leaves_the_others(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for number in range(25):
        await outcome(attempts, f"guessed {number}")
    for _ in range(4):
        await outcome(attempts)
    attempt = await attempts.begin("password", "ada", HERE)
    await attempt.succeeded()
    assert await outcome(attempts, "next guessed") == 0, "29 failures of this network"
    assert await outcome(attempts, "and next") == 1


async def test_an_account_under_attack_from_everywhere_waits_ten_seconds_at_most(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for number in range(100):
        assert await outcome(attempts, address=f"2001:db8:{number:x}::1") == 0
    waits = []
    for number in range(8):
        wait = await outcome(attempts, address=f"2001:db8:ffff:{number:x}::1")
        waits.append(wait)
        clock.advance(wait)
        assert await outcome(attempts, address=f"2001:db8:ffff:{number:x}::1") == 0
    assert max(waits) == 10


async def test_a_device_that_got_in_before_is_not_slowed_down_by_others(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    for number in range(101):
        await outcome(attempts, address=f"2001:db8:{number:x}::1")
    for _ in range(6):
        await outcome(attempts)
    assert await outcome(attempts, device="hers") == 0
    assert [await outcome(attempts, device="hers") for _ in range(5)] == [0] * 4 + [1]


async def test_rows_are_bounded_and_the_forgotten_go(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = Attempts(clock)
    for number in range(20):
        await outcome(attempts, f"guessed {number}", f"2001:db8:{number:x}::1")
        clock.advance(1)
    assert await stored() == 60
    monkeypatch.setattr(rules, "MOST_ROWS", 30)
    await attempts.tidy()
    assert 0 < await stored() <= 33
    clock.advance(timedelta(hours=2))
    await attempts.tidy()
    assert await stored() == 0


@given(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3))
def test_no_two_lists_of_parts_have_one_key(one: list[str], other: list[str]) -> None:
    assert (rules.key(*one) == rules.key(*other)) == (one == other)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_an_attackers_network(address: str, network: str) -> None:
    assert rules.network_of(address) == network
