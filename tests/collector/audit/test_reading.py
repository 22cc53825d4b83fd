"""The log is searched, counted and exported by who may, and each of a team's entries is found again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from tests.collector.app.site import PAGE, Site
from tests.collector.audit.entries import entries, rows


@pytest.fixture
async def told(site: Site) -> Site:
    """With some things done: two servers, one renamed to what a spreadsheet would compute."""
    first, _ = await site.enrol("web-1"), await site.enrol("mail")
    async with site.client() as owner:
        for name in ("web-2", "=cmd|' /C calc'!A1"):
            answer = await owner.patch(f"/api/v2/servers/{first.agent_id}", json={"name": name})
            assert answer.status_code == 200, answer.text
    return site


async def found(site: Site, **asked: str) -> list[str]:
    answer = await site.get("/api/v2/audit", **asked)
    return [one["action"] for one in answer["items"]]


async def test_it_is_searched_by_beginnings_of_words_and_by_fields(told: Site) -> None:
    assert await found(told, q="mai enrol") == ["server.enrolled"]
    assert await found(told, q="nothing-like-this") == []
    assert await found(told, action="server.changed") == ["server.changed", "server.changed"]
    (mail,) = await rows("SELECT id FROM servers WHERE name = 'mail'")
    assert await found(told, target=str(mail["id"])) == ["server.enrolled"]
    assert await found(told, target="web-2") == ["server.changed"]
    assert set(await found(told, actor="local access")) >= {"server.changed", "token.used_from_new_network"}
    assert await found(told, result="refused") == await found(told, until="2001-01-01") == []
    assert len(await found(told, since="2001-01-01", address="127.0.0.1", action="server.changed")) == 2


@pytest.mark.parametrize("asked", [{"since": "tomorrow"}, {"q": "a b c d e f g h i"}, {"q": "x" * 300}])
async def test_what_cannot_be_searched_is_refused_by_name(told: Site, asked: dict[str, str]) -> None:
    answer = await told.get("/api/v2/audit", 400 if len(asked.get("q", "")) == 300 else 422, **asked)
    assert answer["code"] in {"bad_audit_search", "invalid_request"}


async def test_pages_of_it_leave_nothing_out_while_more_is_written(told: Site) -> None:
    seen: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        answer = await told.get("/api/v2/audit", limit=2, **cursor)
        seen += [one["sequence"] for one in answer["items"]]
        await told.runtime.servers.create_token("more")
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
    assert seen == list(range(seen[0], 0, -1))


async def test_one_entry_is_found_by_its_number_and_no_other_is(told: Site) -> None:
    newest = (await told.get("/api/v2/audit", limit=1))["items"][0]
    assert await told.get(f"/api/v2/audit/{newest['sequence']}") == newest
    assert (await told.get("/api/v2/audit/999999", 404))["code"] == "no_such_entry"


async def test_the_histogram_counts_what_the_search_finds(told: Site) -> None:
    bars = (await told.get("/api/v2/audit/histogram", action="server.changed"))["bars"]
    assert sum(bar["count"] for bar in bars) == 2
    assert len(bars) <= 62


async def test_an_export_is_whole_is_told_and_computes_nothing(told: Site) -> None:
    async with told.client() as owner:
        lines = (await owner.get("/api/v2/audit/export/jsonl")).text.splitlines()
        sheet = await owner.get("/api/v2/audit/export/csv", params={"action": "server.changed"})
        assert (await owner.get("/api/v2/audit/export/exe")).status_code == 422
    documents = [json.loads(line) for line in lines]
    assert [one["sequence"] for one in documents] == list(range(1, len(documents) + 1))
    assert sheet.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    read = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [one["target_name"] for one in read] == ["web-2", "'=cmd|' /C calc'!A1"]
    assert [json.loads(one["after"])["form"] for one in await entries("audit.exported")] == ["jsonl", "csv"]


async def test_the_page_shows_entries_and_what_changed(told: Site) -> None:
    async with told.client(**PAGE) as owner:
        shown = await owner.get("/audit")
        narrowed = await owner.get("/audit", params={"q": "mai"})
        nothing = await owner.get("/audit", params={"action": "no.such"})
        wrong = await owner.get("/audit", params={"since": "yesterday"})
    assert shown.status_code == narrowed.status_code == 200, shown.text
    assert "web-2" in shown.text
    assert "server.changed" in shown.text
    assert "web-2" not in narrowed.text
    assert "Nothing like this was done" in nothing.text
    assert wrong.status_code == 422


async def test_who_lacks_the_permission_reads_neither_page_nor_export(told: Site) -> None:
    async with httpx.AsyncClient(base_url=told.url) as stranger:
        for path in ("/api/v2/audit", "/api/v2/audit/export/csv", "/api/v2/audit-receivers"):
            assert (await stranger.get(path)).status_code == 401


async def test_retention_is_changed_within_bounds(told: Site) -> None:
    async with told.client() as owner:
        assert (await owner.put("/api/v2/audit/settings", json={"days": 29})).status_code == 422
        answer = await owner.put("/api/v2/audit/settings", json={"days": 90})
    assert answer.json()["days"] == 90
    assert answer.json()["bytes"] > 0
    (entry,) = await entries("audit.retention_changed")
    assert (json.loads(entry["before"]), json.loads(entry["after"])) == ({"days": 400}, {"days": 90})
