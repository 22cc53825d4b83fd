"""A person's own name, language and time zone: by page and by API, in a whole collector."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.collector.app.site import PAGE, Site

PASSWORD = "correct horse battery staple"
IN_PORTUGUESE = PAGE | {"accept-language": "pt-BR,pt;q=0.9,en;q=0.5"}


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Signed in as the owner."""
    async with httpx.AsyncClient(base_url=site.url, headers=PAGE, timeout=20) as client:
        link = await site.runtime.accounts.ensure_setup_link()
        assert link is not None
        made = await client.post(link, data={"name": "Ada", "email": "ada@example.org", "password": PASSWORD})
        assert made.status_code == 303, made.text
        yield client


async def csrf(browser: httpx.AsyncClient) -> str:
    page = await browser.get("/account/profile")
    found = re.search(r'name="csrf-token" content="([0-9a-f]+)"', page.text)
    assert found, page.text
    return found[1]


async def save(browser: httpx.AsyncClient, **changed: str) -> httpx.Response:
    form = {"name": "Ada", "language": "", "time_zone": "", "csrf_token": await csrf(browser)}
    return await browser.post("/account/profile", data=form | changed)


async def test_a_page_speaks_as_the_browser_asks(site: Site) -> None:
    async with site.client(token="", **IN_PORTUGUESE) as client:
        page = await client.get("/sign-in")
    assert page.headers["content-language"] == "pt-BR"
    assert '<html lang="pt-BR"' in page.text
    assert "Entrar" in page.text
    assert "Sign in" not in page.text


async def test_an_error_is_told_in_the_readers_language_and_by_the_api_in_english(site: Site) -> None:
    async with site.client(token="", **IN_PORTUGUESE) as client:
        page = await client.get("/setup/nothing")
    assert page.status_code == 404
    assert "Este link de configuração foi usado" in page.text
    async with site.client(token="", **{"accept-language": "pt-BR"}) as client:
        problem = await client.get("/api/v2/servers")
    assert problem.json()["detail"] == "This needs somebody who is signed in, or an API token."


async def test_what_was_chosen_counts_more_than_what_the_browser_asks(browser: httpx.AsyncClient) -> None:
    saved = await save(browser, language="pt-BR", time_zone="America/Sao_Paulo")
    assert saved.headers["location"] == "/account/profile?saved=yes"
    page = await browser.get("/account/profile", headers={"accept-language": "en"})
    assert '<html lang="pt-BR"' in page.text
    assert 'data-zone="America/Sao_Paulo"' in page.text
    assert "1.234.567,89" in page.text
    assert "1,5 GiB" in page.text
    assert "4,2 %" in page.text


async def test_pages_and_api_say_the_same(browser: httpx.AsyncClient) -> None:
    await save(browser, name="Ada Lovelace", time_zone="Europe/Berlin")
    me = (await browser.get("/api/v2/me")).json()
    assert (me["name"], me["language"], me["time_zone"]) == ("Ada Lovelace", None, "Europe/Berlin")
    changed = await browser.patch(
        "/api/v2/me", json={"language": "pt-BR"}, headers={"x-csrf-token": await csrf(browser)}
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["language"], changed.json()["time_zone"]) == ("pt-BR", "Europe/Berlin")
    assert (await browser.get("/api/v2/me")).json()["language"] == "pt-BR"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("language", "xx", "Pages are not written in this language."),
        ("time_zone", "Europe/Nowhere", "There is no such time zone."),
        ("time_zone", "../../etc/passwd", "There is no such time zone."),
        ("name", "  ", "A name has 1 to 128 characters"),
    ],
)
async def test_what_cannot_be_is_refused_at_its_field(
    browser: httpx.AsyncClient, field: str, value: str, words: str
) -> None:
    page = await save(browser, **{field: value})
    assert page.status_code == 422
    assert f'id="field-{field}"' in page.text
    assert words in page.text
    me = (await browser.get("/api/v2/me")).json()
    assert (me["name"], me["language"], me["time_zone"]) == ("Ada", None, None)


async def test_a_token_has_no_profile(site: Site) -> None:
    async with site.client() as client:
        answer = await client.patch("/api/v2/me", json={"language": "en"})
    assert answer.status_code == 403


async def test_a_zone_that_was_taken_out_of_the_tables_does_not_break_pages(
    site: Site, browser: httpx.AsyncClient
) -> None:
    async with site.runtime.database.connection() as connection:
        await connection.execute("UPDATE users SET time_zone = 'Atlantis/Capital', language = 'tlh'")
    page = await browser.get("/account/profile")
    assert page.status_code == 200
    assert '<html lang="en"' in page.text
    assert "data-zone=" not in page.text
