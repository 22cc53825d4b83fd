"""API tokens are shown once, stored hashed, and good until revoked or expired."""

from datetime import timedelta

import pytest

from pudim_collector.features.tokens.rules import Kind, make_token
from pudim_collector.features.tokens.tables import ApiToken
from tests.collector.accounts.conftest import PERMISSIONS, House, csrf

TOKENS = "/api/v2/tokens"


async def made(house: House, **extra: object) -> tuple[str, str]:
    async with house.program(await house.tokens.local_access_token()) as script:
        answer = await script.post(TOKENS, json={"name": "backup", **extra})
        assert answer.status_code == 201, answer.text
        return answer.json()["secret"], answer.json()["token"]["id"]


async def status(house: House, token: str) -> int:
    async with house.program(token) as program:
        return (await program.get("/api/v2/me")).status_code


async def test_a_token_is_shown_once_and_stored_hashed(house: House) -> None:
    secret, token_id = await made(house)
    async with house.program(secret) as program:
        listed = await program.get(TOKENS)
        current = (await program.get("/api/v2/token")).json()
    assert secret not in listed.text
    assert {one["name"] for one in listed.json()["items"]} == {"backup", "local access"}
    assert (current["token"]["id"], current["permissions"]) == (token_id, sorted(PERMISSIONS))
    assert secret.startswith(current["token"]["prefix"])
    assert secret not in repr(await ApiToken.select())


async def test_a_revoked_token_is_refused(house: House) -> None:
    secret, token_id = await made(house)
    async with house.program(await house.tokens.local_access_token()) as script:
        assert (await script.delete(f"{TOKENS}/{token_id}")).status_code == 204
        assert (await script.delete(f"{TOKENS}/{token_id}")).status_code == 404
    assert await status(house, secret) == 401


async def test_a_token_expires(house: House) -> None:
    secret, _ = await made(house, expires_at=(house.clock.now() + timedelta(hours=1)).isoformat())
    assert await status(house, secret) == 200
    house.clock.advance(timedelta(hours=1))
    assert await status(house, secret) == 401


@pytest.mark.parametrize(
    "bad", ["", "x", "pud_pat_", make_token(Kind.PERSONAL, bytes(32)), "pud_pat_" + "a" * 49, "\xff"]
)
async def test_a_bad_token_is_refused_even_beside_a_good_cookie(house: House, bad: str) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await browser.get("/api/v2/me")).status_code == 200
        answer = await browser.get(
            "/api/v2/me", headers={b"authorization": f"Bearer {bad}".encode("latin-1")}
        )
    assert answer.status_code == 401
    assert answer.json()["code"] == "bad_token"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_last_use_is_written_once_a_minute(house: House) -> None:
    secret, token_id = await made(house)
    seen = []
    for _ in range(3):
        await status(house, secret)
        row = await ApiToken.select(ApiToken.last_used_at).where(ApiToken.id == token_id).first()
        assert row
        seen.append(row["last_used_at"])
        house.clock.advance(30)
    assert seen[0] == seen[1] != seen[2]


async def test_scripts_on_this_machine_keep_their_token_while_it_is_good(house: House) -> None:
    first = await house.tokens.local_access_token()
    assert await house.tokens.local_access_token(first) == first
    second = await house.tokens.local_access_token("damaged")
    assert second != first
    assert await status(house, first) == 401
    assert await status(house, second) == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x" * 129},
        {"name": "\n"},
        {"name": "x", "scope": "all"},
        {"name": "x", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"},
        {"name": "x", "expires_at": "2037-01-01T00:00:00Z"},
        {"name": "x", "expires_at": "9999-12-31T23:59:59-12:00"},
        [],
    ],
)
async def test_what_makes_no_token_is_refused_with_a_problem(house: House, body: object) -> None:
    async with house.program(await house.tokens.local_access_token()) as script:
        answer = await script.post(TOKENS, json=body)
        assert (await script.get(TOKENS)).status_code == 200
    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= answer.json().keys()


async def test_the_page_makes_shows_and_revokes_tokens(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        token = await csrf(browser)
        form = {"csrf_token": token, "name": "<b>ci</b>", "expires_in_days": "30", "may": "all"}
        page = await browser.post("/account/tokens", data=form)
        assert page.status_code == 200
        secret = page.text.partition('id="new-token">')[2].partition("<")[0]
        assert await status(house, secret) == 200
        assert "<b>ci</b>" not in page.text
        again = (await browser.get("/account/tokens")).text
        assert secret not in again
        token_id = again.partition('action="/account/tokens/')[2].partition("/revoke")[0]
        done = await browser.post(f"/account/tokens/{token_id}/revoke", data={"csrf_token": token})
        assert done.status_code == 303
        assert await status(house, secret) == 401
        house.clock.advance(timedelta(days=30))


@pytest.mark.parametrize("days", ["0", "-1", "x", "3661", "99999", "9" * 5000, "¹"])
async def test_the_page_refuses_odd_lifetimes(house: House, days: str) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        form = {"csrf_token": await csrf(browser), "name": "ci", "expires_in_days": days, "may": "all"}
        assert (await browser.post("/account/tokens", data=form)).status_code == 422


async def test_a_token_is_no_person(house: House) -> None:
    async with house.program(await house.tokens.local_access_token()) as script:
        me = (await script.get("/api/v2/me")).json()
    assert (me["kind"], me["email"], me["role"]) == ("token", None, "owner")


async def test_a_person_has_no_current_token(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await browser.get("/api/v2/token")).status_code == 404
