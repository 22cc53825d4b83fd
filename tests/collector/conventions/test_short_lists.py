"""Lists that are short come in pages as long ones do: what programs do with one they do with all."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.collector.app.site import Site
from tests.collector.conventions.test_paging import follow

RECEIVERS = "/api/v2/audit-receivers"
ACTIONS = "/api/v2/audit/actions"


def listed(pages: list[dict[str, Any]], name: str) -> list[str]:
    return [one[name] for page in pages for one in page["items"]]


async def test_the_actions_come_in_pages(site: Site) -> None:
    async with site.client() as client:
        pages = await follow(client, ACTIONS, limit=7)
        whole = await follow(client, ACTIONS, limit=100)
    assert len(pages) > 3
    names = listed(pages, "name")
    assert names == listed(whole, "name") == sorted(set(names))


async def test_receivers_come_in_pages(site: Site) -> None:
    names = ["b", "a", "d", "c"]
    async with site.client() as client:
        for name in names:
            body = {"name": name, "kind": "syslog_udp", "host": "127.0.0.1", "port": 9}
            assert (await client.post(RECEIVERS, json=body)).status_code == 201
        pages = await follow(client, RECEIVERS, limit=3)
    assert [len(page["items"]) for page in pages] == [3, 1]
    assert listed(pages, "name") == sorted(names)


@pytest.mark.parametrize("path", [RECEIVERS, ACTIONS])
async def test_a_cursor_of_another_list_is_refused(site: Site, path: str) -> None:
    async with site.client() as client:
        cursor = (await client.get("/api/v2/team/permissions", params={"limit": 1})).json()["next_cursor"]
        answer: httpx.Response = await client.get(path, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_cursor")
