"""The one-time link makes one owner, once."""

import asyncio
from datetime import timedelta

import pytest

from pudim_collector.features.accounts.service import OpenSession, SetupLinkError
from pudim_collector.features.accounts.tables import SetupLink, Team, User
from pudim_collector.infra.entering import Visitor
from tests.collector.accounts.conftest import EMAIL, PASSWORD, House

FORM = {"name": "Ada", "email": EMAIL, "password": PASSWORD}


async def test_the_link_makes_the_owner_and_signs_him_in(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    async with house.browser() as browser:
        page = await browser.get(link)
        assert page.status_code == 200
        assert 'name="password"' in page.text
        done = await browser.post(link, data=FORM)
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert (await browser.get("/api/v2/me")).json()["email"] == EMAIL
    assert await house.accounts.ensure_setup_link() is None


async def test_a_link_is_used_once(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    async with house.browser() as browser:
        await browser.post(link, data=FORM)
        again = await browser.post(link, data={**FORM, "email": "eve@example.org"})
        assert again.status_code == 404
        assert (await browser.get(link)).status_code == 404
    assert await User.count() == 1


async def test_a_link_expires_after_a_day(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    house.clock.advance(timedelta(hours=24))
    async with house.browser() as browser:
        assert (await browser.get(link)).status_code == 404
        assert (await browser.post(link, data=FORM)).status_code == 404
    assert await User.count() == 0


async def test_a_new_link_voids_the_old_one(house: House) -> None:
    old, new = await house.accounts.ensure_setup_link(), await house.accounts.ensure_setup_link()
    assert old
    assert new
    async with house.browser() as browser:
        assert (await browser.get(old)).status_code == 404
        assert (await browser.get(new)).status_code == 200


async def test_many_at_once_make_one_owner(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link

    async def create(number: int) -> OpenSession:
        return await house.accounts.create_owner(
            link.removeprefix("/setup/"),
            name=f"N{number}",
            email=f"n{number}@example.org",
            password=PASSWORD,
            visitor=Visitor("203.0.113.7"),
        )

    results = await asyncio.gather(*(create(number) for number in range(5)), return_exceptions=True)
    assert sum(isinstance(result, OpenSession) for result in results) == 1
    assert sum(isinstance(result, SetupLinkError) for result in results) == 4
    assert await User.count() == 1


async def test_the_link_is_stored_hashed(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    rows = await SetupLink.select()
    assert link.removeprefix("/setup/").encode() not in rows[0]["secret_hash"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "short"}, "at least 8"),
        ({"password": "password123"}, "first that are guessed"),
        ({"email": "nobody"}, "e-mail address"),
        ({"name": " "}, "A name has"),
    ],
)
async def test_a_refused_form_says_why_and_leaves_the_link_usable(
    house: House, change: dict[str, str], told: str
) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    async with house.browser() as browser:
        refused = await browser.post(link, data={**FORM, **change})
        assert refused.status_code == 422
        assert told in refused.text
        assert change.get("password", PASSWORD) not in refused.text
        assert (await browser.post(link, data=FORM)).status_code == 303


async def test_starters_at_once_agree_on_one_team(house: House) -> None:
    teams = await asyncio.gather(*(house.accounts.ensure_team() for _ in range(4)))
    assert len(set(teams)) == 1
    assert await Team.count() == 1


async def test_hostile_names_are_shown_as_text(house: House) -> None:
    link = await house.accounts.ensure_setup_link()
    assert link
    hostile = '"><script>alert(1)</script>{{ 7*7 }}'
    async with house.browser() as browser:
        await browser.post(link, data={**FORM, "name": hostile})
        page = (await browser.get("/account/tokens")).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page
