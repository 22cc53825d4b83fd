"""From an agent's message to the API, the list and an open page; unknown, empty and old are told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from pudim.wire.messages import Notice
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import HOST, PAGE, Site, figures, report, store, whole
from tests.collector.ingest.agent import LedAgent, now_ms
from tests.collector.notices.documents import CONTAINERS, EVERY, HOSTILE, UNITS

API_KINDS = [kind for kind in EVERY if kind not in {"checks", "collector_key"}]
PARTS = ["facts", "containers", "units", "processes", "disks", "custom"]


async def tell(site: Site, agent: LedAgent, documents: Mapping[str, Any]) -> None:
    """In one session, with a frame of the host, until all of them are written."""
    async with agent:
        await store(agent, 1, [figures()], HOST)
        for kind, document in documents.items():
            await agent.say(Notice(kind, now_ms(), document).encode())
        async with asyncio.timeout(10):
            while set(await site.runtime.notices.all(await whole(site.runtime), agent.agent_id)) < set(
                documents
            ):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", API_KINDS)
async def test_never_told_is_not_empty(site: Site, kind: str) -> None:
    agent = await site.enrol()
    path = f"/api/v2/servers/{agent.agent_id}/{kind}"
    nothing = {"at": None, "received_at": None, "old": None, "document": None}
    assert await site.get(path) == nothing
    assert (await site.get(f"/api/v2/servers/{UUID(int=1)}/{kind}", 404))["code"] == "no_such_server"


async def test_what_an_agent_tells_is_answered(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    await tell(site, agent, EVERY)
    base = f"/api/v2/servers/{agent.agent_id}"
    containers = await site.get(f"{base}/containers")
    assert containers["old"] is False
    assert containers["document"]["containers"][0] == CONTAINERS["containers"][0]
    assert (await site.get(f"{base}/units"))["document"]["manager"] == "degraded"
    assert (await site.get(f"{base}/facts"))["document"] == EVERY["facts"]
    policy = (await site.get(f"{base}/policy"))["document"]
    assert policy == {**EVERY["policy"], "bounds": {}, "reason": None, "refused": None}
    clock.advance(330)
    for kind in API_KINDS:
        assert (await site.get(f"{base}/{kind}"))["old"] is True, kind


async def test_an_empty_document_is_told_as_such(site: Site) -> None:
    agent = await site.enrol()
    await tell(site, agent, {"containers": {"containers": [], "runtimes": ["podman"]}})
    found = await site.get(f"/api/v2/servers/{agent.agent_id}/containers")
    assert found["document"] == {"containers": [], "runtimes": ["podman"], "problems": []}


async def test_signs_in_the_list(site: Site, clock: ManualClock) -> None:
    agent, other = await site.enrol("web-1"), await site.enrol("quiet")
    await tell(site, agent, EVERY)
    found = {one["name"]: one["signs"] for one in (await site.get("/api/v2/servers"))["items"]}
    assert found["quiet"] == {}
    assert {kind: (one["total"], one["bad"], one["old"]) for kind, one in found["web-1"].items()} == {
        "containers": (2, 1, False),
        "units": (2, 1, False),
        "checks": (2, 1, False),
        "disks": (2, 2, False),
        "custom": (1, 1, False),
    }
    async with site.client(**PAGE) as client:
        page = (await client.get("/servers")).text
        assert "1 unit failed" in page
        assert "1 container bad" in page
        assert page.count('class="sign"') == 4
        clock.advance(400)
        page = (await client.get("/servers")).text
        assert page.count('class="sign is-old"') == 4
    assert other.agent_id != agent.agent_id


async def test_a_frame_goes_on_confirming_what_lasts_but_no_figures(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    await tell(site, agent, {"units": UNITS, "containers": CONTAINERS})
    # The agent connects no more, but what it measured arrives: by its stored time it is there.
    clock.advance(299)
    base = f"/api/v2/servers/{agent.agent_id}"
    assert [(await site.get(f"{base}/{kind}"))["old"] for kind in ("units", "containers")] == [False, False]
    clock.advance(10)
    assert [(await site.get(f"{base}/{kind}"))["old"] for kind in ("units", "containers")] == [True, True]


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_of_the_page(site: Site, part: str) -> None:
    agent = await site.enrol()
    path = f"/servers/{agent.agent_id}/parts/{part}"
    async with site.client(**PAGE) as client:
        before = await client.get(path)
        assert before.status_code == 200
        await tell(site, agent, EVERY)
        after = await client.get(path)
        assert after.text != before.text
        assert "data-received" in after.text
        assert (await client.get(f"/servers/{UUID(int=1)}/parts/{part}")).status_code == 404
        assert (await client.get(f"/servers/{agent.agent_id}/parts/nothing")).status_code in {400, 404}


async def test_hostile_names_harm_no_page(site: Site) -> None:
    for text in HOSTILE:
        agent = await site.enrol()
        await tell(site, agent, hostile(text))
        async with site.client(**PAGE) as client:
            for path in (
                "/servers",
                f"/servers/{agent.agent_id}",
                *(f"/servers/{agent.agent_id}/parts/{part}" for part in PARTS),
            ):
                page = await client.get(path)
                assert page.status_code == 200, path
                assert "<script>alert" not in page.text
                assert "<img src=x" not in page.text
                assert "49" not in text or "{{" in page.text


def hostile(text: str) -> dict[str, dict[str, Any]]:
    """Every text of every document."""

    def changed(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: changed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [changed(one) for one in value]
        return text if isinstance(value, str) else value

    return {kind: changed(document) for kind, document in EVERY.items()}


async def test_an_open_page_hears_of_news(site: Site) -> None:
    agent, other = await site.enrol(), await site.enrol("other")
    async with site.events(f"/live/servers/{agent.agent_id}/notices") as events:
        await tell(site, other, {"units": UNITS})
        await tell(site, agent, {"units": UNITS})
        event = await events.next()
        assert (event.name, set(event.said)) == ("notices", {"units"})
    async with site.events(f"/live/servers/{agent.agent_id}/notices") as events:
        assert set((await events.next()).said) == {"units"}, "at once"
    async with site.client() as client:
        assert (await client.get(f"/live/servers/{UUID(int=1)}/notices")).status_code == 404


async def test_writing_goes_on_while_frames_are_stored(site: Site) -> None:
    """A mad agent that tells without end costs one write a second, and its frames are acknowledged meanwhile."""
    agent = await site.enrol()
    async with agent:
        for number in range(300):
            await agent.say(Notice("units", now_ms(), {"units": [], "manager": str(number)}).encode())
        await store(agent, 1, [figures()], HOST)
        async with asyncio.timeout(10):
            while (
                found := await site.runtime.notices.one(await whole(site.runtime), agent.agent_id, "units")
            ) is None or (found.document.manager != "299"):
                await asyncio.sleep(0.05)
    assert site.runtime.supervisor.reports["notices"].failures == 0
    await report(await site.enrol("another"))
