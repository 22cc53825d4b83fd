"""From frames that agents send to judged days: through the real stream, store, jobs and API."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pudim.wire.batches import Block, block
from pudim.wire.layouts import Layout, Series, Source
from pudim.wire.messages import Ack
from pudim_collector.features.completeness.rules import MINUTE
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.statements import fetch, run
from tests.collector.app.site import PAGE, Site
from tests.collector.app.site import whole as reach
from tests.collector.ingest.agent import LedAgent, now_ms

TICK = 10_000
HOUR = 3_600_000
HOST = Source(
    "host",
    (),
    Layout(
        (
            Series("system.cpu.utilization", "1"),
            Series("pudim.agent.ticks.missed", "{tick}"),
            Series("pudim.agent.clock.jumps", "{jump}"),
            Series("system.uptime", "s"),
        )
    ),
)


@pytest.fixture
def clock() -> ManualClock:
    """An hour before noon, so that today has hours behind it; days are judged by this clock alone."""
    return ManualClock(datetime.now(UTC).replace(hour=11, minute=0, second=0, microsecond=0))


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Life:
    """What an agent sampled, ten seconds apart, on a host that started `uptime` seconds before the first frame."""

    def __init__(self, start: int, *, uptime: int = 500_000) -> None:
        self.booted = start - uptime * 1000
        self.missed = self.jumps = 0

    def block(self, times: Iterable[int]) -> Block:
        wanted = list(times)
        rows = [(0.5, self.missed, self.jumps, (time - self.booted) / 1000) for time in wanted]
        return block(HOST.hash, wanted, rows)


async def day_of(site: Site, agent: LedAgent, day: datetime | None = None) -> Any:
    asked = (day or site.clock.now()).date().isoformat()
    found = await site.get(f"/api/v2/servers/{agent.agent_id}/completeness", **{"from": asked, "to": asked})
    (only,) = found["days"]
    return only


def told(day: Any) -> list[tuple[str, int, int]]:
    return [(gap["reason"], gap["missing"], gap["late"]) for gap in day["gaps"]]


async def test_a_server_that_was_never_heard_of(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    day = await day_of(site, agent)
    assert (day["state"], day["percent"], day["gaps"]) == ("not_expected", None, [])
    clock.advance(timedelta(hours=1))
    day = await day_of(site, agent)
    assert (day["state"], day["percent"], told(day)) == ("no_contact", 0.0, [("no_contact", 6 * 56, 0)])


async def live(
    site: Site, agent: LedAgent, blocks: Sequence[Block], *, skipped: int = 0, first: int = 1
) -> None:
    """One session in which these are sent and stored, a batch each from sequence number `first` on."""
    agent.clock_offset = milliseconds(site.clock.now()) - now_ms()
    async with agent:
        await agent.declare(HOST)
        for seq, one in enumerate(blocks, first):
            await agent.batch(seq, [one], skipped=skipped if seq == first else 0)
        async with asyncio.timeout(10):
            while await agent.heard() != Ack(agent.boot_id, first + len(blocks) - 1):
                pass


async def test_what_arrives_as_it_is_sampled_is_complete(site: Site, clock: ManualClock) -> None:
    """Nobody has rolled it up yet."""
    agent, start = await site.enrol(), milliseconds(clock.now())
    life = Life(start)
    clock.advance(timedelta(minutes=2))
    await live(site, agent, [life.block(range(start, start + 120_000, TICK))])
    day = await day_of(site, agent)
    assert (day["state"], day["expected"], day["stored"], day["gaps"]) == ("not_expected", 0, 0, [])
    clock.advance(timedelta(minutes=2))
    day = await day_of(site, agent)
    assert (day["state"], day["expected"], day["stored"], day["gaps"]) == ("complete", 12, 12, [])
    clock.advance(timedelta(minutes=2))
    assert told(await day_of(site, agent)) == [("no_contact", 12, 0)]


@pytest.mark.parametrize("rolled", [False, True], ids=["from frames", "from minutes"])
@pytest.mark.parametrize(
    "reason", ["agent_down", "host_down", "clock_jump", "paused", "unknown", "spool_overflow"]
)
async def test_half_an_hour_is_missing(site: Site, clock: ManualClock, reason: str, rolled: bool) -> None:
    agent, start = await site.enrol(), milliseconds(clock.now())
    life = Life(start)
    clock.advance(timedelta(hours=1))
    await live(site, agent, [life.block(range(start, start + HOUR, TICK))])
    back = start + HOUR * 3 // 2
    first, skipped = 2, 0
    match reason:
        case "agent_down":
            agent.boot_id, first = os.urandom(16), 1
        case "host_down":
            agent.boot_id, first = os.urandom(16), 1
            life.booted = back - 20_000
        case "clock_jump":
            life.jumps = 1
        case "paused":
            life.missed = 180
        case "spool_overflow":
            first, skipped = 182, 180
    clock.advance(timedelta(hours=1))
    await live(site, agent, [life.block(range(back, start + 2 * HOUR, TICK))], first=first, skipped=skipped)
    clock.advance(timedelta(minutes=2))
    if rolled:
        await site.runtime.upkeep.run_once()
    day = await day_of(site, agent)
    gaps = [gap for gap in day["gaps"] if gap["missing"]]
    assert [(gap["reason"], gap["missing"]) for gap in gaps] == [(reason, 180)]
    assert (day["state"], day["expected"], day["stored"]) == ("partial", 720, 540)


async def collector_ran(start: datetime, end: datetime) -> None:
    async with database.connection() as connection:
        await connection.execute("DELETE FROM collector_runs")
        for since, until in ((start - timedelta(days=1), start), (end, end + timedelta(days=1))):
            await connection.execute(
                "INSERT INTO collector_runs (started_at, seen_at) VALUES ($1, $2)", [since, until]
            )


@pytest.mark.parametrize("reason", ["network", "collector_down"])
async def test_what_waited_in_the_spool_is_late_and_what_overflowed_is_missing(
    site: Site, clock: ManualClock, reason: str
) -> None:
    agent, began = await site.enrol(), clock.now()
    start = milliseconds(began)
    life = Life(start)
    minutes = [life.block(range(start + n * MINUTE, start + (n + 1) * MINUTE, TICK)) for n in range(120)]
    for number, one in enumerate(minutes[:30], 1):
        clock.advance(timedelta(minutes=1))
        await live(site, agent, [one], first=number)
    clock.advance(timedelta(minutes=90))
    if reason == "collector_down":
        await collector_ran(began + timedelta(minutes=30), began + timedelta(minutes=120))
    await live(site, agent, minutes[60:], first=61, skipped=30)
    clock.advance(timedelta(minutes=2))
    day = await day_of(site, agent)
    assert told(day) == [(reason, 180, 0), (reason, 0, 58 * 6)]
    assert (day["state"], day["expected"], day["stored"], day["late"]) == ("partial", 720, 540, 58 * 6)
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT count(*) FROM arrivals")
    assert rows == [(2,)], "what came after the lost batches, and the rest of an hour of late ones"


async def test_what_was_thinned_out_is_missing_but_for_one_frame_a_minute(
    site: Site, clock: ManualClock
) -> None:
    agent, start = await site.enrol(), milliseconds(clock.now())
    life = Life(start)
    clock.advance(timedelta(minutes=30))
    await live(site, agent, [life.block(range(start, start + 30 * MINUTE, TICK))])
    clock.advance(timedelta(minutes=60))
    means = life.block(range(start + 30 * MINUTE + 2 * TICK, start + 60 * MINUTE, MINUTE))
    rest = [life.block(range(start + n * MINUTE, start + (n + 1) * MINUTE, TICK)) for n in range(60, 90)]
    await live(site, agent, [means, *rest], first=181, skipped=179)
    clock.advance(timedelta(minutes=2))
    day = await day_of(site, agent)
    assert told(day) == [("network", 30 * 5, 0), ("network", 0, 30 + 28 * 6)]
    assert (day["expected"], day["stored"]) == (540, 540 - 30 * 5)


async def test_days_are_judged_again_when_their_frames_come(site: Site, clock: ManualClock) -> None:
    """A server that is silent for two days, and then brings all that it sampled."""
    agent, start = await site.enrol(), milliseconds(clock.now())
    life = Life(start)
    ledger = site.runtime.ledger
    clock.advance(timedelta(minutes=1))
    await live(site, agent, [life.block(range(start, start + MINUTE, TICK))])
    states = []
    for _ in range(2):
        clock.advance(timedelta(days=1))
        await ledger.refresh()
    first = datetime.fromtimestamp(start / 1000, UTC)
    states = [(await day_of(site, agent, first + timedelta(days=n)))["state"] for n in range(3)]
    assert states == ["no_contact"] * 3
    until = milliseconds(clock.now())
    rest = [life.block(range(at, min(at + HOUR, until), TICK)) for at in range(start + MINUTE, until, HOUR)]
    await live(site, agent, rest, first=2)
    clock.advance(timedelta(minutes=2))
    async with database.connection() as connection:
        await run(connection, "digest_dirt", 1000)
    await ledger.refresh()
    yesterday = await day_of(site, agent, first + timedelta(days=1))
    assert yesterday["state"] == "no_contact", "what is not rolled up yet is not judged"
    clock.advance(timedelta(minutes=30))
    await site.runtime.upkeep.run_once()
    await ledger.refresh()
    days = [await day_of(site, agent, first + timedelta(days=n)) for n in range(3)]
    assert [day["state"] for day in days] == ["late", "late", "no_contact"], "it is silent again"
    assert [day["percent"] for day in days[:2]] == [100.0] * 2
    assert {gap["reason"] for day in days[:2] for gap in day["gaps"]} == {"network"}
    assert days[1]["late"] == days[1]["expected"] == 8640


async def judged_at(site: Site) -> dict[str, datetime]:
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT day, computed_at FROM completeness ORDER BY day")
    return {day.isoformat(): computed_at for day, computed_at in rows}


async def test_a_day_that_is_long_over_is_left_alone(site: Site, clock: ManualClock) -> None:
    agent, start = await site.enrol(), milliseconds(clock.now())
    clock.advance(timedelta(minutes=1))
    await live(site, agent, [Life(start).block(range(start, start + MINUTE, TICK))])
    for step in (timedelta(days=1), timedelta(minutes=5), timedelta(minutes=5)):
        clock.advance(step)
        await site.runtime.ledger.refresh()
    judged = list((await judged_at(site)).values())
    assert judged[1] == clock.now()
    assert judged[0] == clock.now() - timedelta(minutes=10)


async def test_the_worst_of_the_fleet_comes_first(site: Site, clock: ManualClock) -> None:
    start = milliseconds(clock.now())
    life = Life(start)
    agents = [await site.enrol(name) for name in ("whole", "half", "silent", "never")]
    everything = await reach(site.runtime)
    clock.advance(timedelta(minutes=20))
    whole, half, silent, _ = agents
    await live(site, whole, [life.block(range(start, start + 20 * MINUTE, TICK))])
    await live(site, half, [life.block(range(start, start + 10 * MINUTE, TICK))])
    half.boot_id = os.urandom(16)
    await live(site, half, [life.block(range(start + 15 * MINUTE, start + 20 * MINUTE, TICK))])
    await live(site, silent, [life.block(range(start, start + MINUTE, TICK))])
    clock.advance(timedelta(minutes=2))
    await site.runtime.servers.revoke(everything, agents[3].agent_id)
    fleet = await site.get("/api/v2/completeness")
    assert {one["state"] for one in fleet["items"]} == {"unknown"}, "nobody has looked yet"
    await site.runtime.ledger.refresh()
    fleet = await site.get("/api/v2/completeness")
    assert [(one["name"], one["state"]) for one in fleet["items"]] == [
        ("never", "no_contact"),
        ("silent", "no_contact"),
        ("half", "partial"),
        ("whole", "complete"),
    ]
    yesterday = (clock.now() - timedelta(days=1)).date().isoformat()
    fleet = await site.get("/api/v2/completeness", day=yesterday)
    assert [one["state"] for one in fleet["items"]] == ["not_expected"] * 4


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"to": "2026-05-04"}, 200),
        ({"from": "2026-05-01", "to": "2027-05-01"}, 200),
        ({"from": "2026-05-01", "to": "2027-05-03"}, 422),
        ({"from": "2026-05-02", "to": "2026-05-01"}, 422),
        ({"to": "0001-01-01"}, 200),
        ({"from": "9999-12-31", "to": "9999-12-31"}, 200),
        ({"from": "yesterday"}, 400),
    ],
)
async def test_which_days_may_be_asked_for(site: Site, asked: dict[str, str], status: int) -> None:
    agent = await site.enrol()
    found = await site.get(f"/api/v2/servers/{agent.agent_id}/completeness", status, **asked)
    if status == 200:
        days = found["days"]
        assert (days[0]["day"], days[-1]["day"]) == (found["from"], found["to"])
        assert len({day["day"] for day in days}) == len(days)
    await site.get(f"/api/v2/servers/{UUID(int=1)}/completeness", 404)


async def test_the_page_tells_it_in_words(site: Site, clock: ManualClock) -> None:
    agent, start = await site.enrol(), milliseconds(clock.now())
    life = Life(start)
    clock.advance(timedelta(hours=1))
    await live(site, agent, [life.block(range(start, start + HOUR // 2, TICK))])
    agent.boot_id, life.booted = os.urandom(16), start + HOUR // 2 + 100_000
    await live(site, agent, [life.block(range(start + HOUR // 2 + 600_000, start + HOUR, TICK))])
    clock.advance(timedelta(minutes=2))
    async with site.client(**PAGE) as client:
        page = await client.get(f"/servers/{agent.agent_id}")
    assert page.status_code == 200
    assert page.text.count('name="strip-day"') == 90
    assert "partly missing, 83.33 %" in page.text
    times = "<time>11:30</time>\N{EN DASH}<time>11:40</time>"
    assert f"{times} the host was down" in page.text
