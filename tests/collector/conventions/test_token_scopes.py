"""A token may be narrowed to some permissions and some servers; nothing that it makes is wider than itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.api.token_scopes import ALWAYS, NOT_NARROWED, NarrowerError, Narrowing
from pudim_collector.infra.auth import Grant, PermissionMissingError
from tests.collector.app.site import Site

TOKENS = "/api/v2/tokens"
SERVERS = "/api/v2/servers"


async def made(site: Site, token: str | None = None, **narrowed: Any) -> str:
    async with site.client(token) as client:
        answer = await client.post(TOKENS, json={"name": "narrow", **narrowed})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["secret"])


async def status(site: Site, token: str, method: str, path: str, **body: Any) -> tuple[int, str]:
    async with site.client(token) as client:
        answer = await client.request(method, path, json=body or None)
    said = answer.json() if answer.content else {}
    return answer.status_code, said.get("detail", "") if isinstance(said, dict) else ""


async def test_a_token_may_only_what_its_scopes_name(site: Site) -> None:
    agent = await site.enrol("web-1")
    path = f"{SERVERS}/{agent.agent_id}"
    token = await made(site, scopes=["servers:read"])
    assert (await status(site, token, "GET", path))[0] == 200
    for method, asked, needs in (
        ("PATCH", path, "servers:change"),
        ("GET", TOKENS, "tokens:own"),
        ("GET", "/api/v2/senders", "senders:read"),
    ):
        found, detail = await status(site, token, method, asked, name="x")
        assert (found, needs in detail) == (403, True), detail
    async with site.client(token) as client:
        told = (await client.get("/api/v2/token")).json()
    assert told["permissions"] == ["account:read", "servers:read"]
    assert told["token"]["scopes"] == ["servers:read"]


async def test_a_token_reaches_only_its_servers_and_those_with_its_tags(site: Site) -> None:
    one, tagged, other = [(await site.enrol(name)).agent_id for name in ("a", "b", "c")]
    async with site.client() as owner:
        await owner.patch(f"{SERVERS}/{tagged}", json={"tags": ["web"]})
    token = await made(site, only_servers=[str(one)], only_tags=["web"])
    async with site.client(token) as client:
        listed = [server["name"] for server in (await client.get(SERVERS)).json()["items"]]
        renamed = [
            (await client.patch(f"{SERVERS}/{server}", json={"name": f"x{number}"})).status_code
            for number, server in enumerate((one, tagged, other))
        ]
        reached = await client.get(f"{SERVERS}/{other}")
    assert listed == ["a", "b"]
    assert renamed == [200, 200, 404]
    assert (reached.status_code, reached.json()["code"]) == (404, "no_such_server")


async def test_a_narrow_token_makes_no_wider_one(site: Site) -> None:
    one, other = [(await site.enrol(name)).agent_id for name in ("a", "b")]
    parent = await made(site, scopes=["tokens:manage", "tokens:own", "servers:read"], only_servers=[str(one)])
    child = await made(site, parent)
    async with site.client(child) as client:
        token = (await client.get("/api/v2/token")).json()["token"]
        wider = await client.post(TOKENS, json={"name": "x", "scopes": ["servers:revoke"]})
        elsewhere = await client.post(TOKENS, json={"name": "x", "only_servers": [str(other)]})
        by_tag = await client.post(TOKENS, json={"name": "x", "only_tags": ["a"]})
        beside = await client.post(TOKENS, json={"name": "x", "only_servers": [str(one), str(other)]})
    assert (sorted(token["scopes"]), token["only_servers"]) == (
        ["servers:read", "tokens:manage", "tokens:own"],
        [str(one)],
    )
    assert (wider.status_code, wider.json()["code"]) == (403, "permission_missing")
    assert "servers:revoke" in wider.json()["detail"]
    refused = [(answer.status_code, answer.json()["code"]) for answer in (elsewhere, by_tag, beside)]
    assert refused == [(403, "wider_token")] * 3
    assert (await status(site, child, "GET", f"{SERVERS}/{other}"))[0] == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"scopes": ["servers:fly"]}, "unknown_scope"),
        ({"scopes": []}, "invalid_request"),
        ({"scopes": ["x"]}, "invalid_request"),
        ({"only_servers": []}, "invalid_request"),
        ({"only_servers": ["x"]}, "invalid_request"),
        ({"only_tags": ["\x00"]}, "invalid_request"),
        ({"scopes": ["servers:read"] * 65}, "invalid_request"),
    ],
)
async def test_what_narrows_nothing_is_refused(site: Site, body: dict[str, Any], code: str) -> None:
    async with site.client() as client:
        answer = await client.post(TOKENS, json={"name": "x", **body})
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] == code


async def test_a_token_says_that_it_ends_soon_and_from_where_it_was_used(site: Site) -> None:
    ends = site.clock.now() + timedelta(days=20)
    token = await made(site, expires_at=ends.isoformat())

    async def told() -> tuple[bool, str | None]:
        async with site.client(token) as client:
            await client.get("/api/v2/me")
            found = (await client.get("/api/v2/token")).json()["token"]
        return found["expires_soon"], found["last_used_address"]

    assert await told() == (False, "127.0.0.1")
    site.clock.advance(timedelta(days=13))
    assert await told() == (True, "127.0.0.1")


NAMES = st.sampled_from(["a:r", "b:r", "c:r", "d:r"])
IDS = st.sampled_from([UUID(int=number) for number in range(1, 4)])
NARROWINGS = st.builds(
    Narrowing.to,
    st.none() | st.lists(NAMES, min_size=1, max_size=4),
    st.none() | st.lists(IDS, min_size=1, max_size=3),
    st.none() | st.lists(st.sampled_from(["x", "y"]), min_size=1, max_size=2),
)
HELD = st.frozensets(NAMES)
GRANTS = st.lists(st.builds(Grant, HELD, IDS), max_size=3).map(tuple)


def reach(narrowing: Narrowing, held: frozenset[str], grants: tuple[Grant, ...]) -> set[tuple[str, object]]:
    """Every permission with what it reaches: None for the whole team."""
    left, granted = narrowing.applied(held, grants, on_servers=frozenset({"a:r", "b:r"}))
    found: set[tuple[str, object]] = {(name, None) for name in left}
    found |= {(name, one.server_id or one.tag) for one in granted for name in one.permissions}
    everything = [None, *(UUID(int=number) for number in range(1, 4)), "x", "y"]
    return found | {(name, place) for name in left for place in everything}


@given(NARROWINGS, HELD, GRANTS)
def test_narrowing_only_ever_takes_away(
    narrowing: Narrowing, held: frozenset[str], grants: tuple[Grant, ...]
) -> None:
    assert reach(narrowing, held, grants) <= reach(NOT_NARROWED, held, grants)
    names = {name for name, _ in reach(narrowing, held, grants)}
    assert narrowing.scopes is None or names <= set(narrowing.scopes) | ALWAYS


@given(NARROWINGS, NARROWINGS, HELD)
def test_what_a_narrow_one_makes_reaches_no_further(
    outer: Narrowing, inner: Narrowing, held: frozenset[str]
) -> None:
    try:
        made_of = inner.within(outer)
    except (PermissionMissingError, NarrowerError):
        return
    assert reach(made_of, held, ()) <= reach(outer, held, ())
