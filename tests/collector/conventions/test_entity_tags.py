"""What was read need not be read again, and of two who change one thing the second one is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Response, get, put
from litestar.di import NamedDependency

from pudim_collector.app.authentication import Authentication
from pudim_collector.features.tokens.service import Tokens
from pudim_collector.infra.api.entity_tags import Entity, must_match, version_of
from pudim_collector.infra.auth import requires
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.permissions import Rights
from tests.collector.app.site import Site, figures, report

SERVERS = "/api/v2/servers"
SENDERS = "/api/v2/senders"


async def test_what_did_not_change_is_not_sent_again(site: Site) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    async with site.client() as client:
        for asked in (path, SERVERS, "/api/v2/check-kinds", SENDERS):
            first = await client.get(asked)
            tag = first.headers["etag"]
            assert tag.startswith('"'), "a strong one"
            for shown in (tag, f'"other", {tag}', f"W/{tag}", "*"):
                again = await client.get(asked, headers={"if-none-match": shown})
                assert (again.status_code, again.content) == (304, b""), (asked, shown)
                assert again.headers["etag"] == tag
            assert (await client.get(asked, headers={"if-none-match": '"other"'})).content == first.content
        await client.patch(path, json={"name": "web-2"})
        changed = await client.get(
            path, headers={"if-none-match": (await client.get(SERVERS)).headers["etag"]}
        )
    assert (changed.status_code, changed.json()["name"]) == (200, "web-2")


async def test_figures_that_move_change_the_tag_and_stand_in_nobodys_way(site: Site) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    async with site.client() as client:
        before = (await client.get(path)).headers["etag"]
        await report(agent, figures(cpu=0.5))
        after = await client.get(path, headers={"if-none-match": before})
        assert after.status_code == 200
        assert after.headers["etag"] != before
        renamed = await client.patch(path, json={"name": "web-2"}, headers={"if-match": before})
    assert renamed.status_code == 200, renamed.text


async def test_an_answer_to_a_change_brings_the_tag_for_the_next_one(site: Site) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    async with site.client() as client:
        tag = (await client.get(path)).headers["etag"]
        for name in ("b", "c"):
            answer = await client.patch(path, json={"name": name}, headers={"if-match": tag})
            assert answer.status_code == 200
            tag = answer.headers["etag"]
        assert (await client.get(path, headers={"if-none-match": tag})).status_code == 304


@dataclass
class Resource:
    """Something that can be changed, and how."""

    path: str
    method: str
    body: Any
    other: Any


async def resources(site: Site, client: httpx.AsyncClient) -> list[Resource]:
    agent = await site.enrol("web-1")
    server = f"{SERVERS}/{agent.agent_id}"
    check = {"name": "ssh", "kind": "tcp", "settings": {"host": "127.0.0.1", "port": 22}}
    made = (await client.post(f"{server}/checks", json=check)).json()
    sender = (await client.post(SENDERS, json={"name": "ci"})).json()["sender"]
    caps = {"most_series": 10, "most_servers": 1}
    return [
        Resource(f"{server}/checks/{made['id']}", "PATCH", {"name": "a"}, {"name": "b"}),
        Resource(f"{SENDERS}/{sender['id']}", "PATCH", caps, caps | {"most_series": 11}),
        Resource(server, "PATCH", {"tags": ["a"]}, {"tags": ["b"]}),
    ]


async def test_the_second_of_two_changes_is_told(site: Site) -> None:
    async with site.client() as client:
        for one in await resources(site, client):
            seen = (await client.get(one.path)).headers["etag"]
            answers = await asyncio.gather(
                *(
                    client.request(one.method, one.path, json=body, headers={"if-match": seen})
                    for body in (one.body, one.other)
                )
            )
            assert sorted(answer.status_code // 100 for answer in answers) == [2, 4], one
            (refused,) = [answer for answer in answers if answer.status_code >= 400]
            assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
            gone = await client.delete(one.path, headers={"if-match": seen})
            assert gone.status_code == 412, one
            now = (await client.get(one.path)).headers["etag"]
            assert (await client.delete(one.path, headers={"if-match": now})).status_code == 204, one


async def test_limits_of_storage_and_tokens_are_guarded_too(site: Site) -> None:
    async with site.client() as client:
        status = await client.get("/api/v2/storage")
        limits = {one["tier"]: one["limit"] for one in status.json()["tiers"]}
        put = await client.put("/api/v2/storage/limits", json=limits, headers={"if-match": '"x.y"'})
        assert put.status_code == 412
        put = await client.put(
            "/api/v2/storage/limits", json=limits, headers={"if-match": status.headers["etag"]}
        )
        assert put.status_code == 200, put.text
        made = (await client.post("/api/v2/tokens", json={"name": "ci"})).json()["token"]
        path = f"/api/v2/tokens/{made['id']}"
        assert (await client.delete(path, headers={"if-match": '"x"'})).status_code == 412
        tag = (await client.get(path)).headers["etag"]
        assert (await client.delete(path, headers={"if-match": tag})).status_code == 204


@pytest.mark.parametrize("bad", ["x", '"a" "b"', '"a', "W/x", '"' + "x" * 5000 + '"', ","])
async def test_what_is_no_tag_is_refused(site: Site, bad: str) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    async with site.client() as client:
        read = await client.get(path, headers={"if-none-match": bad})
        changed = await client.patch(path, json={"name": "b"}, headers={"if-match": bad})
        assert (await client.get(path)).json()["name"] == "web-1"
    for answer in (read, changed):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_entity_tag")


async def test_a_weak_tag_allows_no_change_and_a_star_does(site: Site) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    async with site.client() as client:
        tag = (await client.get(path)).headers["etag"]
        weak = await client.patch(path, json={"name": "b"}, headers={"if-match": f"W/{tag}"})
        star = await client.patch(path, json={"name": "c"}, headers={"if-match": "*"})
        none = await client.patch(f"{SERVERS}/{UUID(int=7)}", json={"name": "d"}, headers={"if-match": "*"})
    assert (weak.status_code, star.status_code, none.status_code) == (412, 200, 404)


def made(authentication: Authentication, state: list[int]) -> httpx.ASGITransport:
    """An application with one resource that is changed only by who has seen it."""

    async def version() -> str:
        return version_of(state[0])

    @get("/api/v2/thing", opt=requires("thing:change"))
    async def read(entity: NamedDependency[Entity]) -> dict[str, int]:
        entity.version = await version()
        return {"state": state[0]}

    @put("/api/v2/thing", opt=requires("thing:change") | must_match())
    async def change(entity: NamedDependency[Entity]) -> Response[None]:
        async with entity.unchanged(version):
            state[0] += 1
        return Response(None, status_code=204)

    feature = Feature("thing", [read, change], {"thing:change": "Change it"})
    return httpx.ASGITransport(build_app([feature], authentication))  # type: ignore[arg-type]


async def test_a_route_may_demand_it(site: Site) -> None:
    state = [0]
    bearer = {"authorization": f"Bearer {site.token}"}
    runtime, rights = site.runtime, Rights({"thing:change": "Change it"})
    tokens = Tokens(site.clock, rights, runtime.accounts, runtime.address_lists)
    transport = made(Authentication(runtime.accounts, tokens), state)
    async with httpx.AsyncClient(transport=transport, base_url="http://pudim.test", headers=bearer) as client:
        without = await client.put("/api/v2/thing")
        tag = (await client.get("/api/v2/thing")).headers["etag"]
        answers = [await client.put("/api/v2/thing", headers={"if-match": tag}) for _ in range(2)]
    assert (without.status_code, without.json()["code"]) == (428, "precondition_required")
    assert [one.status_code for one in answers] == [204, 412]
    assert state == [1]
