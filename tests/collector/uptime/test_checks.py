"""Checks in the API and on their page: defined, told to the agent at once, and shown with what it found."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from pudim.wire.messages import Checks, Notice
from pudim_collector.features.uptime import rules
from pudim_collector.infra.database import database
from pudim_collector.series.statements import fetch
from tests.collector.app.site import PAGE, Site, report
from tests.collector.ingest.agent import LedAgent, now_ms

PORT = {"host": "db.test", "port": 5432}
SECRET = "Authorization: Bearer s3cret-of-the-test"


async def call(site: Site, method: str, path: str, status: int, body: Any = None) -> Any:
    async with site.client() as owner:
        answer = await owner.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def add(site: Site, agent: LedAgent, status: int = 201, **changed: Any) -> Any:
    body = {"name": "Database", "kind": "tcp", "settings": PORT} | changed
    return await call(site, "POST", f"/api/v2/servers/{agent.agent_id}/checks", status, body)


async def heard(agent: LedAgent) -> Checks:
    """The next list that the agent is told."""
    while not isinstance(said := await agent.heard(), Checks):
        pass
    return said


async def known(site: Site, agent: LedAgent, status: str) -> dict[str, Any]:
    """The only check of a server, once it is shown as `status`."""
    async with asyncio.timeout(15):
        while True:
            (one,) = (await site.get(f"/api/v2/servers/{agent.agent_id}/checks"))["items"]
            if one["status"] == status:
                return dict(one)
            await asyncio.sleep(0.05)


def told(check_id: str, **changed: Any) -> bytes:
    row = {
        "id": check_id,
        "status": "up",
        "since": now_ms(),
        "at": now_ms(),
        "duration": 0.25,
        "detail": "connected",
        "code": "ok",
    }
    return Notice("checks", now_ms(), {"revision": 1, "checks": [row | changed]}).encode()


async def test_a_check_in_the_api(site: Site) -> None:
    agent = await site.enrol()
    path = f"/api/v2/servers/{agent.agent_id}/checks"
    assert await site.get(path) == {"items": [], "next_cursor": None}
    made = await add(site, agent, name=" Database ")
    assert (made["name"], made["interval"], made["timeout"], made["enabled"]) == ("Database", 60, 10, True)
    assert (made["status"], made["detail"], made["settings"]) == ("pending", None, PORT)
    assert await site.get(f"{path}/{made['id']}") == made
    changed = await call(site, "PATCH", f"{path}/{made['id']}", 200, {"interval": 30, "enabled": False})
    assert (changed["interval"], changed["status"], changed["settings"]) == (30, "paused", PORT)
    await call(site, "DELETE", f"{path}/{made['id']}", 204)
    await call(site, "DELETE", f"{path}/{made['id']}", 404)
    await site.get(f"{path}/{made['id']}", 404)
    await site.get(f"/api/v2/servers/{uuid4()}/checks", 404)


async def test_everything_wrong_is_told_at_once(site: Site) -> None:
    agent = await site.enrol()
    refused = await add(
        site, agent, 422, name="a\tb", timeout=90, settings={"host": "a b", "port": 0, "x": 1}
    )
    assert refused["code"] == "bad_check"
    assert [one["pointer"] for one in refused["errors"]] == [
        "/name",
        "/timeout",
        "/settings/'x'",
        "/settings/port",
    ]
    assert (await add(site, agent, 422, kind="magic"))["errors"][0]["pointer"] == "/kind"
    assert (await site.get(f"/api/v2/servers/{agent.agent_id}/checks"))["items"] == []


async def test_what_may_be_set_is_told(site: Site) -> None:
    kinds = {one["kind"]: one for one in (await site.get("/api/v2/check-kinds"))["items"]}
    assert {"http", "tcp", "icmp", "dns", "tls", "process", "file"} <= set(kinds)
    settings = {one["name"]: one for one in kinds["http"]["settings"]}
    assert settings["url"]["required"]
    assert settings["headers"]["secret"]
    assert settings["statuses"]["default"] == ["200-399"]


async def test_an_agent_is_told_when_it_connects_and_whenever_something_changes(site: Site) -> None:
    agent = await site.enrol()
    async with agent:
        first = await add(site, agent)
        assert [one["id"] for one in (await heard(agent)).checks] == [first["id"]]
        second = await add(site, agent, name="Other")
        both = await heard(agent)
        assert {one["id"] for one in both.checks} == {first["id"], second["id"]}
    async with agent:
        again = await heard(agent)
        assert again == both
        path = f"/api/v2/servers/{agent.agent_id}/checks/{first['id']}"
        await call(site, "PATCH", path, 200, {"enabled": False})
        fewer = await heard(agent)
        assert [one["id"] for one in fewer.checks] == [second["id"]]
        assert fewer.revision > again.revision
        await call(site, "DELETE", f"/api/v2/servers/{agent.agent_id}/checks/{second['id']}", 204)
        assert (await heard(agent)).checks == ()


async def test_what_the_agent_found_is_shown_while_it_holds(site: Site) -> None:
    agent = await site.enrol()
    made = await add(site, agent)
    await report(agent)
    async with agent:
        await agent.say(told(made["id"]))
        up = await known(site, agent, "up")
        assert (up["duration"], up["detail"], up["code"]) == (0.25, "connected", "ok")
        await agent.say(told(made["id"], status="down", detail="refused", code="refused"))
        assert (await known(site, agent, "down"))["detail"] == "refused"
        await agent.say(told(made["id"], at=now_ms() - 600_000))
        await known(site, agent, "unknown")
        await agent.say(told(made["id"], status="splendid"))
        await asyncio.sleep(1.5)
        assert (await known(site, agent, "unknown"))["status"] == "unknown"


async def test_what_a_silent_agent_found_is_unknown(site: Site) -> None:
    agent = await site.enrol()
    made = await add(site, agent, interval=3600)
    await report(agent)
    async with agent:
        await agent.say(told(made["id"]))
        await known(site, agent, "up")
    site.clock.advance(600)
    await known(site, agent, "unknown")


async def test_secrets_are_sealed_never_shown_and_kept_until_they_are_changed(site: Site) -> None:
    agent = await site.enrol()
    settings = {"url": "https://shop.test", "headers": [SECRET]}
    made = await add(site, agent, kind="http", settings=settings)
    path = f"/api/v2/servers/{agent.agent_id}/checks/{made['id']}"
    assert (made["settings"], made["secrets"]) == ({"url": "https://shop.test"}, ["headers"])
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT checks::text FROM checks")
    assert "s3cret" not in rows[0][0]
    assert SECRET.encode().hex() not in rows[0][0]
    kept = await call(site, "PATCH", path, 200, {"settings": {"url": "https://other.test"}})
    assert kept["secrets"] == ["headers"]
    async with agent:
        (sent,) = (await heard(agent)).checks
        assert sent["settings"] == {"url": "https://other.test", "headers": (SECRET,)}
    gone = await call(site, "PATCH", path, 200, {"settings": {"url": "https://other.test", "headers": []}})
    assert gone["secrets"] == []
    async with site.client(**PAGE) as browser:
        assert "s3cret" not in (await browser.get(f"/servers/{agent.agent_id}/checks")).text


async def test_a_secret_that_cannot_be_opened_keeps_its_check_from_being_sent(site: Site) -> None:
    agent = await site.enrol()
    await add(site, agent, kind="http", settings={"url": "https://shop.test", "headers": [SECRET]})
    other = await add(site, agent)
    async with database.connection() as connection:
        await fetch(connection, "UPDATE checks SET secrets = secrets || '\\x00' WHERE secrets IS NOT NULL")
    async with agent:
        assert [one["id"] for one in (await heard(agent)).checks] == [other["id"]]
    assert len((await site.get(f"/api/v2/servers/{agent.agent_id}/checks"))["items"]) == 2


async def test_a_server_has_a_bounded_list(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await site.enrol()
    monkeypatch.setattr(rules, "MOST_CHECKS", 2)
    await add(site, agent)
    await add(site, agent)
    assert (await add(site, agent, 409))["code"] == "too_many_checks"
    assert len((await site.get(f"/api/v2/servers/{agent.agent_id}/checks"))["items"]) == 2


async def test_without_an_agent_nothing_is_checked(site: Site) -> None:
    agent = await site.enrol()
    await call(site, "DELETE", f"/api/v2/servers/{agent.agent_id}", 204)
    assert (await add(site, agent, 409))["code"] == "no_agent_here"


async def test_two_changes_at_once_are_both_kept(site: Site) -> None:
    agent = await site.enrol()
    made = await asyncio.gather(*(add(site, agent, name=f"Check {number}") for number in range(5)))
    listed = await site.runtime.uptime.listed(agent.agent_id)
    assert listed is not None
    assert listed.revision == 5
    assert {one["id"] for one in listed.checks} == {one["id"] for one in made}


async def test_the_page_with_hostile_words(site: Site) -> None:
    agent = await site.enrol()
    evil = "<img src=x onerror=alert(1)>"
    made = await add(site, agent, name=evil)
    await report(agent)
    async with agent:
        await agent.say(told(made["id"], detail=f"{evil}\u202e", status="down"))
        await known(site, agent, "down")
    async with site.client(**PAGE) as browser:
        page = await browser.get(f"/servers/{agent.agent_id}/checks")
    assert page.status_code == 200
    assert evil not in page.text
    assert page.text.count("&lt;img src=x onerror=alert(1)&gt;") >= 2
    assert "down" in page.text


async def test_the_form_makes_checks_and_says_what_is_wrong(site: Site) -> None:
    agent = await site.enrol()
    path = f"/servers/{agent.agent_id}/checks"
    async with site.client(**PAGE) as browser:
        form = {"kind": "tcp", "name_of_check": "Database", "interval": "30", "timeout_of_check": "5", **PORT}
        good = await browser.post(path, data=form)
        assert (good.status_code, good.headers["location"]) == (303, path)
        bad = await browser.post(
            path, data={**form, "port": "many", "interval": "soon", "host": '"><script>'}
        )
        assert bad.status_code == 422
        assert "must be a whole number" in bad.text
        assert "must be from 5 to 86400 seconds" in bad.text
        assert '"><script>' not in bad.text
        web = {
            "kind": "http",
            "name_of_check": "Shop",
            "url": "https://shop.test",
            "statuses": "200\r\n301",
            "verify": "yes",
        }
        assert (await browser.post(path, data=web)).status_code == 303
        items = {one["name"]: one for one in (await site.get(f"/api/v2{path}"))["items"]}
        assert items["Shop"]["settings"]["statuses"] == ["200", "301"]
        assert items["Shop"]["settings"]["verify"] is True
        assert items["Database"]["interval"] == 30
        for step, status in (("pause", "paused"), ("resume", "pending")):
            assert (await browser.post(f"{path}/{items['Shop']['id']}/{step}")).status_code == 303
            found = {one["name"]: one for one in (await site.get(f"/api/v2{path}"))["items"]}
            assert found["Shop"]["status"] == status
        assert (await browser.post(f"{path}/{items['Shop']['id']}/remove")).status_code == 303
    assert [one["name"] for one in (await site.get(f"/api/v2{path}"))["items"]] == ["Database"]


async def test_no_json_breaks_it(site: Site) -> None:
    agent = await site.enrol()
    path = f"/api/v2/servers/{agent.agent_id}/checks"
    async with site.client(**{"content-type": "application/json"}) as owner:
        for settings in (
            '{"host": "\\ud800", "port": 1}',
            '{"host": "a\\u0000b", "port": 1}',
            '{"host": ' + "[" * 500 + "]" * 500 + "}",
            "null",
            "[]",
        ):
            body = '{"name": "x", "kind": "tcp", "settings": ' + settings + "}"
            answer = await owner.post(path, content=body)
            assert 400 <= answer.status_code < 500, (settings, answer.text)
            assert json.loads(answer.text)["code"]
