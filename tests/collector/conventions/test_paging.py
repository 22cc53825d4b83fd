"""Lists come in pages that neither lose nor repeat anything, whatever is made and removed meanwhile."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from uuid import UUID

import httpx
import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.features.servers.queries import delete_servers
from tests.collector.app.site import Site

SERVERS = "/api/v2/servers"
SENDERS = "/api/v2/senders"


async def add_servers(site: Site, *names: str) -> list[UUID]:
    """Enrolled; none of them ever speaks."""
    return [(await site.enrol(name)).agent_id for name in names]


async def follow(client: httpx.AsyncClient, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """All pages, by the header alone."""
    pages = [await client.get(path, params=parameters)]
    while following := pages[-1].links.get("next"):
        assert following["url"].startswith(f"{path}?")
        pages.append(await client.get(following["url"]))
        assert len(pages) < 100
    assert all(page.status_code == 200 for page in pages), pages[-1].text
    assert pages[-1].json()["next_cursor"] is None
    return [page.json() for page in pages]


async def test_every_item_is_on_one_page(site: Site) -> None:
    names = [f"web-{number:02}" for number in range(23)] + ["same", "same", "same", "Ärger", "<b>"]
    ids = await add_servers(site, *names)
    async with site.client() as client:
        pages = await follow(client, SERVERS, limit=4)
        whole = (await client.get(SERVERS)).json()
    assert [len(page["items"]) for page in pages] == [4] * 7
    listed = [one["id"] for page in pages for one in page["items"]]
    assert listed == [one["id"] for one in whole["items"]]
    assert sorted(listed) == sorted(map(str, ids))
    assert whole["next_cursor"] is None


async def test_what_comes_and_goes_between_two_pages_moves_nothing(site: Site) -> None:
    ids = await add_servers(site, *(f"m-{number}" for number in range(6)))
    async with site.client() as client:
        first = (await client.get(SERVERS, params={"limit": 3})).json()
        await add_servers(site, "a-before", "z-after")
        await delete_servers([ids[0], ids[2], ids[4]])
        second = await client.get(SERVERS, params={"limit": 3, "cursor": first["next_cursor"]})
    assert [one["name"] for one in first["items"]] == ["m-0", "m-1", "m-2"]
    assert [one["name"] for one in second.json()["items"]] == ["m-3", "m-5", "z-after"]


async def test_readers_beside_writers_see_each_lasting_item_once(site: Site) -> None:
    lasting = await add_servers(site, *(f"s-{number:03}" for number in range(40)))

    async def churn() -> None:
        for number in range(20):
            made = await add_servers(site, f"s-{number * 2:03}x", f"r-{number}")
            await delete_servers(made)

    async with site.client() as client:
        results = await asyncio.gather(churn(), *(follow(client, SERVERS, limit=7) for _ in range(3)))
    for pages in results[1:]:
        listed = [one["id"] for page in pages for one in page["items"]]
        assert len(listed) == len(set(listed))
        assert set(map(str, lasting)) <= set(listed)


async def test_a_cursor_is_good_for_its_own_question_only(site: Site) -> None:
    await add_servers(site, "a", "b", "c")
    async with site.client() as client:
        for name in ("x", "y", "z"):
            assert (await client.post(SENDERS, json={"name": name})).status_code == 201
        cursor = (await client.get(SERVERS, params={"limit": 1})).json()["next_cursor"]
        of_senders = (await client.get(SENDERS, params={"limit": 1})).json()["next_cursor"]
        assert (await client.get(SERVERS, params={"limit": 2, "cursor": cursor})).status_code == 200
        for path, parameters in (
            (SERVERS, {"cursor": of_senders}),
            (SENDERS, {"cursor": cursor}),
            (SERVERS, {"cursor": cursor, "tag": "x"}),
            (SERVERS, {"cursor": cursor, "label_selector": "x"}),
            (SERVERS, {"cursor": cursor[:-2]}),
            (SERVERS, {"cursor": flipped(cursor)}),
            (SERVERS, {"cursor": ""}),
            (SERVERS, {"cursor": "\x00"}),
            (SERVERS, {"cursor": "ä" * 40}),
            (SERVERS, {"cursor": urlsafe_b64encode(bytes(16) + b'["a","b"]').decode()}),
        ):
            answer = await client.get(path, params=parameters)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor"), (path, parameters)


def flipped(cursor: str) -> str:
    """Its place changed, its signature kept."""
    raw = bytearray(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    raw[-3] ^= 1
    return urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()


async def test_another_process_under_the_same_key_takes_the_cursor(site: Site) -> None:
    await add_servers(site, "a", "b")
    async with site.client() as client:
        cursor = (await client.get(SERVERS, params={"limit": 1})).json()["next_cursor"]
    transport = httpx.ASGITransport(web_application(site.runtime))  # type: ignore[arg-type]
    bearer = {"authorization": f"Bearer {site.token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://other.test", headers=bearer) as other:
        answer = await other.get(SERVERS, params={"cursor": cursor})
    assert [one["name"] for one in answer.json()["items"]] == ["b"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "9" * 40])
async def test_a_page_has_a_bound(site: Site, limit: str) -> None:
    await site.get(SERVERS, 400, limit=limit)
