"""The live stream of one server: every frame once, layouts before values, resumed where it broke off."""

import asyncio
from datetime import timedelta
from uuid import UUID

from pudim.wire.batches import block
from pudim.wire.messages import Configure
from pudim_collector.features.metrics.service import WATCH, WATCH_RENEWED_EVERY
from pudim_collector.features.servers.service import COMMITTED
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import HOST, Event, Site, figures, process, store, whole
from tests.collector.ingest.agent import LedAgent, now_ms

NGINX, REDIS = process("nginx"), process("redis")


def path(agent: LedAgent) -> str:
    return f"/live/servers/{agent.agent_id}"


def summary(event: Event) -> object:
    return (event.said["name"], len(event.said["series"])) if event.name == "layout" else event.said["values"]


async def tick(agent: LedAgent, seq: int, at: int, *values: float) -> None:
    """Host and both processes at one time."""
    blocks = [figures(at, values[0])] + [
        block(source.hash, [at], [(value,)]) for source, value in zip((NGINX, REDIS), values[1:], strict=True)
    ]
    await store(agent, seq, blocks, *((HOST, NGINX, REDIS) if seq == 1 else ()))


def host(cpu: float) -> list[float]:
    return [cpu, 0.2, 0.5, 0.75, 0.125]


async def test_a_layout_comes_before_its_frames_and_once(site: Site) -> None:
    agent, base = await site.enrol(), now_ms()
    async with agent, site.events(path(agent)) as events:
        await tick(agent, 1, base, 0.1, 1, 2)
        first = await events.take(6)
        assert [summary(event) for event in first] == [
            *(("host", 5), host(0.1), ("process", 1), [1.0], ("process", 1), [2.0])
        ]
        assert first[0].said["series"][1] == {
            "metric": "system.cpu.utilization",
            "labels": {"cpu.mode": "user"},
            "unit": "1",
        }
        assert first[2].said["series"][0]["labels"] == {"process.executable.name": "nginx"}
        assert {event.said["source"] for event in first[:2]} == {first[0].said["source"]}
        assert first[1].said["time"] == base / 1000
        await tick(agent, 2, base + 1000, 0.2, 3, 4)
        assert [summary(event) for event in await events.take(3)] == [host(0.2), [3.0], [4.0]]


async def test_a_new_source_gets_its_layout_and_a_missing_value_is_null(site: Site) -> None:
    agent, base = await site.enrol(), now_ms()
    async with agent, site.events(path(agent)) as events:
        await store(agent, 1, [figures(base, float("nan"), srv=float("inf"))], HOST)
        assert [summary(event) for event in await events.take(2)] == [
            ("host", 5),
            [None, 0.2, 0.5, 0.75, None],
        ]
        await store(agent, 2, [block(NGINX.hash, [base + 1000], [(7.0,)])], NGINX)
        assert [summary(event) for event in await events.take(2)] == [("process", 1), [7.0]]


async def test_every_break_is_resumed_without_loss_or_repetition(site: Site) -> None:
    """Milliseconds that are no exact float, and several frames of one time, at each possible break."""
    agent, base = await site.enrol(), now_ms() // 1000 * 1000 - 60_000
    async with agent:
        for seq in range(1, 5):
            await tick(agent, seq, base + 1001 * seq, seq, seq + 0.25, seq + 0.5)
        await tick(agent, 5, base + 5 * 1001, 5, 5.25, 5.5)
    everything = [value for n in range(1, 6) for value in (float(n), n + 0.25, n + 0.5)]
    before = f"{base}-0"
    async with site.events(path(agent), **{"last-event-id": before}) as events:
        frames = [event for event in await events.take(15 + 3) if event.name == "frame"]
    assert [event.said["values"][0] for event in frames] == everything
    for position, last in enumerate(frames[:-1], 1):
        assert last.id
        async with site.events(path(agent), **{"last-event-id": last.id}) as events:
            missing = len(everything) - position
            again = await events.take(missing + min(missing, 3))
        found = [event.said["values"][0] for event in again if event.name == "frame"]
        assert found == everything[position:]


async def test_a_new_watch_begins_after_what_the_page_shows_whatever_the_agents_clock(site: Site) -> None:
    agent, behind = await site.enrol(), now_ms() - 45_000
    async with agent:
        await store(agent, 1, [figures(behind, 0.1)], HOST)
        async with site.events(path(agent)) as events:
            await store(agent, 2, [figures(behind + 1000, 0.2)])
            assert [summary(event) for event in await events.take(2)] == [("host", 5), host(0.2)]


async def test_only_some_minutes_are_made_up_for(site: Site) -> None:
    agent, now = await site.enrol(), now_ms()
    async with agent:
        await store(agent, 1, [figures(now - 330_000, 0.1)], HOST)
        await store(agent, 2, [figures(now - 270_000, 0.2)])
        async with site.events(path(agent), **{"last-event-id": f"{now - 900_000}-1"}) as events:
            assert [summary(event) for event in await events.take(2)] == [("host", 5), host(0.2)]


async def test_a_hostile_event_id_harms_nobody(site: Site) -> None:
    for event_id in [
        "",
        "x",
        "-1-1",
        "1",
        "9" * 4000,
        "999999999999999-9999999999",
        "0-0",
        "NaN",
        "1e400-1",
        "1-1-1",
        "%00",
    ]:
        agent, now = await site.enrol(), now_ms()
        async with agent, site.events(path(agent), **{"last-event-id": event_id}) as events:
            await store(agent, 1, [figures(now, 0.1)], HOST)
            assert [summary(event) for event in await events.take(2)] == [("host", 5), host(0.1)]


async def test_frames_of_other_servers_stay_there(site: Site) -> None:
    watched, other = await site.enrol("watched"), await site.enrol("other")
    async with watched, other, site.events(path(watched)) as events:
        await store(other, 1, [figures(cpu=0.9)], HOST)
        await store(watched, 1, [figures(cpu=0.1)], HOST)
        assert [summary(event) for event in await events.take(2)] == [("host", 5), host(0.1)]


async def test_an_unknown_server_is_not_watched(site: Site) -> None:
    async with site.client() as client:
        answer = await client.get(f"/live/servers/{UUID(int=1)}")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_server")


async def test_a_silent_server_is_still_watched_while_others_are_busy(site: Site, clock: ManualClock) -> None:
    """Proxies cut a stream that says nothing, and a lease that nobody renews ends."""
    silent, other = await site.enrol("silent"), UUID(int=1)
    announcements = site.runtime.announcements
    with announcements.subscribe(WATCH) as watched:
        watch = site.runtime.metrics.watch(await whole(site.runtime), silent.agent_id, None)
        assert await anext(watch) == []
        assert silent.agent_id.hex in await watched.heard(5)
        later = asyncio.ensure_future(anext(watch))
        for _ in range(3):
            await announcements.announce(COMMITTED, other.hex)
            await asyncio.sleep(0.05)
        assert not later.done()
        clock.advance(WATCH_RENEWED_EVERY)
        await announcements.announce(COMMITTED, other.hex)
        assert await asyncio.wait_for(later, 2) == []
        assert silent.agent_id.hex in await watched.heard(5)
        await watch.aclose()  # type: ignore[attr-defined]


async def configured(agent: LedAgent) -> int:
    while True:
        said = await agent.heard()
        if isinstance(said, Configure):
            return said.interval


async def test_a_watched_agent_samples_each_second_until_nobody_watches(
    site: Site, clock: ManualClock
) -> None:
    agent = await site.enrol()
    async with agent:
        async with site.events(path(agent)):
            assert await configured(agent) == 1000
            assert intervals(site.runtime.stream) == {agent.agent_id: 1000}
        clock.advance(timedelta(seconds=14))
        await asyncio.sleep(1.2)
        assert intervals(site.runtime.stream) == {agent.agent_id: 1000}
        clock.advance(timedelta(seconds=1))
        assert await configured(agent) == 0
    assert intervals(site.runtime.stream) == {}


async def test_an_agent_that_connects_while_it_is_watched_is_told(site: Site) -> None:
    agent = await site.enrol()
    async with site.events(path(agent)):
        while not intervals(site.runtime.stream):
            await asyncio.sleep(0.01)
        async with agent:
            assert await configured(agent) == 1000


async def test_a_page_that_goes_leaves_no_subscription(site: Site) -> None:
    agent = await site.enrol()
    waiting = site.runtime.announcements._channels[COMMITTED]
    async with agent, site.events(path(agent)) as events:
        await store(agent, 1, [figures()], HOST)
        await events.take(2)
        assert len(waiting) == 1
    async with asyncio.timeout(3):
        while waiting:
            await asyncio.sleep(0.01)


def intervals(stream: AgentStream) -> dict[UUID, int]:
    return stream._intervals
