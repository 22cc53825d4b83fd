"""Input that two readers could understand differently, or that means something to an interpreter: read once, kept as text."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest

from tests.collector.app.site import PAGE, Site

JSON = {"content-type": "application/json"}
STRANGER = "00000000-0000-0000-0000-000000000007"


@pytest.fixture
async def here(site: Site) -> str:
    """The path of a server that is called web-1."""
    return f"/api/v2/servers/{(await site.enrol('web-1')).agent_id}"


async def patched(site: Site, here: str, body: str | bytes) -> tuple[int, Any]:
    async with site.client() as program:
        answer = await program.patch(here, content=body, headers=JSON)
        assert answer.status_code < 500, (body[:80], answer.text)
        return answer.status_code, answer.json()


async def refused(site: Site, here: str, *bodies: str | bytes) -> None:
    """Each of them, and nothing was changed."""
    before = await site.get(here)
    for body in bodies:
        status, told = await patched(site, here, body)
        assert 400 <= status < 500, (body[:80], told)
        assert {"code", "detail"} <= told.keys()
    assert await site.get(here) == before


async def test_what_is_encoded_twice_is_decoded_once(site: Site, here: str) -> None:
    for name in ("%2541", "%3Cb%3E", "&amp;lt;b&amp;gt;", "\\u0041", "=?utf-8?q?A?=", "+a+b+", "&#x41;"):
        status, told = await patched(site, here, json.dumps({"name": name}))
        assert (status, told["name"]) == (200, name)
        async with site.client(**PAGE) as program:
            assert html.escape(name) in (await program.get(f"/servers/{told['id']}")).text


async def test_a_text_is_no_template_and_no_format(site: Site, here: str) -> None:
    names = (
        "{{7*7}}",
        "${7*7}",
        "<%= 7*7 %>",
        "{% raw %}",
        "#{7*7}",
        "%s%s%n",
        "{0.__class__}",
        "%(a)s",
        "$(id)`id`",
    )
    for name in names:
        _, told = await patched(site, here, json.dumps({"name": name}))
        assert told["name"] == name
        async with site.client(**PAGE) as program:
            page = await program.get(f"/servers/{told['id']}")
        assert html.escape(name) in page.text
    changes = await site.get("/api/v2/audit", action="server.changed")
    assert {one["after"]["name"] for one in changes["items"]} == set(names)


async def test_numbers_beyond_reason_are_refused(site: Site) -> None:
    limits = ("9" * 30, "-1", "0", "1.5", "0x10", "1_0", "NaN", "1;2", "1 2", "\u0661\u0662")
    async with site.client() as program:
        for limit in limits:
            answer = await program.get("/api/v2/servers", params={"limit": limit})
            assert 400 <= answer.status_code < 500, (limit, answer.text)


async def test_types_are_not_guessed(site: Site, here: str) -> None:
    names = ("5", "true", '["a"]', '{"$ne": ""}', "1e999", "NaN", "-0")
    tags = ('"prod"', '{"0": "prod"}', '[["prod"]]', "[1]", "[null]")
    await refused(
        site, here, *(f'{{"name": {one}}}' for one in names), *(f'{{"tags": {one}}}' for one in tags)
    )


async def test_what_comes_twice_has_one_meaning(site: Site, here: str) -> None:
    status, told = await patched(site, here, '{"name": "first", "name": "second"}')
    assert (status, told["name"]) == (200, "second"), "the last one counts, as browsers have it"
    assert (await site.get(here))["name"] == "second"
    good, bad = ("authorization", f"Bearer {site.token}"), ("authorization", "Bearer other")
    async with site.client(token="") as stranger:
        for headers in ([good, bad], [bad, good]):
            assert (await stranger.get("/api/v2/servers", headers=headers)).status_code == 400
    async with site.client() as program:
        both = [
            (await program.get(f"/api/v2/servers?limit={a}&limit={b}")).status_code
            for a, b in ((1, -1), (-1, 1))
        ]
    assert both[0] != 200 or both[1] != 200, "one of two values counts, the same one always"


async def test_a_body_sets_no_more_than_its_fields(site: Site, here: str) -> None:
    more: tuple[dict[str, Any], ...] = (
        {"id": STRANGER},
        {"team_id": STRANGER},
        {"revoked_at": None},
        {"public_key": "x"},
        {"__class__": "x"},
        {"constructor": {"prototype": {"admin": True}}},
    )
    await refused(site, here, *(json.dumps({"name": "other"} | one) for one in more))


async def test_what_is_no_plain_json_is_refused(site: Site, here: str) -> None:
    await refused(
        site,
        here,
        b"[" * 100_000,
        b'{"name":' * 50_000 + b"1" + b"}" * 50_000,
        b"\xff\xfe{}",
        b'{"name": "\\ud800"}',
        b'{"name": "\x00"}',
        b'{"name": "\\u0000"}',
        b'{"name": "x"} {"name": "y"}',
        b"null",
        b'{"name": "x",}',
        b"{'name': 'x'}",
        b'{"name": "x" /* y */}',
    )


async def test_a_name_that_shows_as_another_is_refused_or_made_harmless(site: Site, here: str) -> None:
    for name in ("a\x1b[31mb", "a\x00b", "a\nb", "a\r\nb", "a" * 129):
        status, told = await patched(site, here, json.dumps({"name": name}))
        if status == 200:
            assert not set(told["name"]) & set("\x1b\n\r\x00")
        else:
            assert 400 <= status < 500


@pytest.mark.parametrize(
    ("path", "form", "number"),
    [
        ("/audit/retention", {}, "days"),
        ("/retention", {"name": "commands"}, "days"),
        ("/storage", {"minute_days": "60", "hour_days": "730"}, "raw_days"),
        ("/account/tokens", {"name": "ci", "may": "all"}, "expires_in_days"),
    ],
)
async def test_a_number_in_a_form_is_no_longer_than_numbers_are(
    site: Site, path: str, form: dict[str, str], number: str
) -> None:
    """Python refuses to read one of more than 4,300 digits in a way of its own."""
    async with site.client(**PAGE) as program:
        for typed in ("9" * 5000, "٣", "1e2", "-1", "0x10", "1_0"):
            answer = await program.post(path, data=form | {number: typed})
            assert 400 <= answer.status_code < 500, (typed[:20], answer.status_code, answer.text[:300])
