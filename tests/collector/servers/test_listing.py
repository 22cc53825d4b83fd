"""What is shown of servers, in the API, on pages and live: names as they are, and nothing unknown as fine."""

import asyncio
import math
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from pudim_collector.features.servers.service import COMMITTED
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import HOST, PAGE, Site, enrol, figures, report, store, whole
from tests.collector.ingest.agent import now_ms

FIGURES = ("cpu", "memory", "disk")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE servers; --",
    "{{ 7 * 7 }} {% include 'x' %}",
    "%s %(x)s {0} $1",
    "\u202egnp.exe 💥 \u200b",
    "x" * 256,
]


async def one(site: Site, server_id: UUID) -> dict[str, object]:
    found: dict[str, object] = await site.get(f"/api/v2/servers/{server_id}")
    return found


def shown(server: dict[str, object]) -> list[object]:
    return [server[name] for name in FIGURES]


async def test_a_server_before_and_after_its_first_frame(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol("web-1", {"os.description": "Debian 13", "host.arch": "amd64"})
    assert await one(site, agent.agent_id) == {
        "id": str(agent.agent_id),
        "name": "web-1",
        "state": "waiting",
        "last_seen_at": None,
        "enrolled_at": clock.now().isoformat().replace("+00:00", "Z"),
        "agent_version": None,
        "os": "Debian 13",
        "architecture": "amd64",
        "kind": "agent",
        "cpu": None,
        "memory": None,
        "disk": None,
        "tags": [],
        "kernel": None,
        "signs": {},
    }
    await report(agent)
    found = await one(site, agent.agent_id)
    assert (found["state"], found["agent_version"]) == ("live", "0.1.0")
    assert shown(found) == [0.25, 0.5, 0.75]
    assert abs(datetime.fromisoformat(str(found["last_seen_at"])) - clock.now()) < timedelta(seconds=10)


async def test_the_list_is_in_order_of_names(site: Site) -> None:
    assert await site.get("/api/v2/servers") == {"items": [], "next_cursor": None}
    agents = {name: await site.enrol(name) for name in ("b", "a", "c")}
    items = (await site.get("/api/v2/servers"))["items"]
    assert [(item["name"], item["id"]) for item in items] == [
        (name, str(agents[name].agent_id)) for name in ("a", "b", "c")
    ]


async def test_figures_older_than_half_a_minute_are_unknown(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    await report(agent)
    clock.advance(25)
    assert shown(await one(site, agent.agent_id)) == [0.25, 0.5, 0.75]
    clock.advance(10)
    found = await one(site, agent.agent_id)
    assert (found["state"], shown(found)) == ("silent", [None] * 3)
    assert found["last_seen_at"] is not None


async def test_old_frames_that_just_arrived_show_a_live_server_whose_figures_are_unknown(site: Site) -> None:
    agent = await site.enrol()
    await report(agent, figures(now_ms() - 40_000))
    found = await one(site, agent.agent_id)
    assert (found["state"], shown(found)) == ("live", [None] * 3)


async def test_frames_of_the_future_do_not_keep_a_silent_server_fine(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    await report(agent, figures(now_ms() + 55_000))
    assert shown(await one(site, agent.agent_id)) == [0.25, 0.5, 0.75]
    clock.advance(35)
    found = await one(site, agent.agent_id)
    assert (found["state"], shown(found)) == ("silent", [None] * 3)


async def test_what_could_not_be_measured_is_unknown(site: Site) -> None:
    agent = await site.enrol()
    async with agent:
        await store(agent, 1, [figures(now_ms() - 1000)], HOST)
        await store(agent, 2, [figures(None, math.nan, memory=math.nan, root=math.nan)])
    assert shown(await one(site, agent.agent_id)) == [None, None, 0.125]


async def test_a_stranger_is_not_found(site: Site) -> None:
    assert (await site.get(f"/api/v2/servers/{UUID(int=1)}", 404))["code"] == "no_such_server"
    await site.get("/api/v2/servers/x", 404)


async def test_hostile_names_and_facts_are_kept_as_they_are_and_harm_no_page(site: Site) -> None:
    for name in HOSTILE:
        agent = await site.enrol(None, {"host.name": name, "os.description": name})
        found = await one(site, agent.agent_id)
        assert (found["name"], found["os"]) == (name.strip(), name)
        async with site.client(**PAGE) as client:
            for path in ("/servers", f"/servers/{agent.agent_id}"):
                page = await client.get(path)
                assert page.status_code == 200
                assert "<script>alert" not in page.text
                assert "<img src=x" not in page.text
                assert "script-src 'self' 'nonce-" in page.headers["content-security-policy"]
    async with site.client(**PAGE) as client:
        page = await client.get("/servers")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "{{ 7 * 7 }}" in page.text


async def test_the_list_page_with_and_without_servers(site: Site) -> None:
    async with site.client(**PAGE) as client:
        assert (await client.get("/", follow_redirects=True)).url.path == "/servers"
        assert "/servers/add" in (await client.get("/servers")).text
        agent = await site.enrol("web-1")
        await report(agent)
        page = (await client.get("/servers")).text
        assert f'data-server="{agent.agent_id}"' in page
        assert 'data-state="live"' in page
        assert 'data-cpu="0.25"' in page
        site.clock.advance(40)
        page = (await client.get("/servers")).text
        assert 'data-state="silent"' in page
        assert 'data-cpu=""' in page


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's, signed in."""
    link = await site.runtime.accounts.ensure_setup_link()
    said = {"name": "Ada", "email": "ada@example.org", "password": "drei Pferde im Regen"}
    async with site.client(token="", **PAGE, **{"sec-fetch-site": "same-origin"}) as browser:
        answer = await browser.post(str(link), data=said)
        assert answer.status_code == 303, answer.text
        yield browser


async def test_adding_a_server_by_page(site: Site, browser: httpx.AsyncClient) -> None:
    form = (await browser.get("/servers/add")).text
    csrf = form.partition('name="csrf-token" content="')[2].partition('"')[0]
    for wrong in ({}, {"csrf_token": "x"}):
        refused = await browser.post("/servers/add", data={"name": "web-1"} | wrong)
        assert refused.status_code == 403
    page = await browser.post("/servers/add", data={"name": "<b>web</b>", "csrf_token": csrf})
    assert page.status_code == 200
    assert "pudim agent enrol --url" in page.text
    assert "pud_enr_" in page.text
    assert page.headers["cache-control"] == "no-store"
    too_long = await browser.post("/servers/add", data={"name": "x" * 257, "csrf_token": csrf})
    assert too_long.status_code == 400
    token = page.text.partition("--token ")[2].partition(" ")[0]
    async with site.client(token="") as client:
        answer, _ = await enrol(client, token)
    assert (await one(site, UUID(answer.json()["agent_id"])))["name"] == "<b>web</b>"


async def test_the_live_list_begins_at_once_and_goes_on_with_each_commit(site: Site) -> None:
    agent = await site.enrol("web-1")
    async with agent, site.events("/live/servers") as events:
        (first,) = (await events.next(patience=2)).said
        assert (first["id"], first["state"], first["cpu"]) == (str(agent.agent_id), "waiting", None)
        assert set(first) >= {"id", "state", "last_seen_at", "cpu", "memory", "disk"}
        for seq, cpu in enumerate((0.1, 0.2), 1):
            await store(agent, seq, [figures(cpu=cpu)], *([HOST] if seq == 1 else []))
            (now,) = (await events.next(patience=5)).said
            assert (now["state"], now["cpu"]) == ("live", cpu)


async def test_a_live_list_that_is_left_leaves_no_subscription(site: Site) -> None:
    waiting = site.runtime.announcements._channels[COMMITTED]
    async with site.events("/live/servers") as events:
        assert (await events.next()).said == []
        assert len(waiting) == 1
    for _ in range(200):
        if not waiting:
            break
        await asyncio.sleep(0.05)
    assert not waiting


async def test_a_server_is_renamed_and_tagged(site: Site) -> None:
    agents = [await site.enrol(name) for name in ("a", "b")]
    path = f"/api/v2/servers/{agents[0].agent_id}"
    async with site.client() as client:
        answer = await client.patch(path, json={"name": " new ", "tags": ["web", " prod ", "web"]})
        assert (answer.status_code, answer.json()["name"], answer.json()["tags"]) == (
            200,
            "new",
            ["prod", "web"],
        )
        assert (await client.patch(path, json={"tags": ["web"]})).json()["name"] == "new"
        assert (await client.patch(path, json={})).json()["tags"] == ["web"]
        assert (await client.patch(f"/api/v2/servers/{UUID(int=1)}", json={})).status_code == 404
        for wrong, code in (
            ({"tags": [""]}, "bad_tag"),
            ({"tags": ["a,b"]}, "bad_tag"),
            ({"tags": ["<b>"]}, "bad_tag"),
            ({"tags": [str(n) for n in range(33)]}, "bad_tag"),
            ({"name": "  "}, "empty_name"),
        ):
            answer = await client.patch(path, json=wrong)
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert (await client.patch(path, json={"colour": "red"})).status_code == 400
    for tags, names in ((["web"], ["new"]), (["web", "prod"], []), ([], ["b", "new"])):
        found = await site.get("/api/v2/servers", tag=tags)
        assert [server["name"] for server in found["items"]] == names


async def test_tags_on_pages(site: Site) -> None:
    agent, other = await site.enrol("web-1"), await site.enrol("other-1")
    await site.runtime.servers.change(await whole(site.runtime), agent.agent_id, tags=["front end"])
    async with site.client(**PAGE) as client:
        page = await client.get(f"/servers/{agent.agent_id}")
        assert 'value="front end"' in page.text
        found = await client.get("/servers", params={"tag": "front end"})
        assert "web-1" in found.text
        assert "other-1" not in found.text
        assert "/servers?tag=front%20end" in (await client.get("/servers")).text
        assert "No server has this tag" in (await client.get("/servers", params={"tag": "x"})).text
        form = {"tags": " b, a ,,"}
        answer = await client.post(f"/servers/{other.agent_id}/tags", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/servers/{other.agent_id}")
    assert (await site.runtime.servers.one(await whole(site.runtime), other.agent_id)).tags == ["a", "b"]
