"""A right password is half the way where a second factor is: each code counts once, each half session too."""

from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.factors import events, rules
from pudim_collector.features.factors.tables import RecoveryKey, TotpSecret
from pudim_collector.features.sessions.tables import HalfSession
from pudim_collector.infra.database import database
from tests.collector.factors.conftest import ME, SITE, House, codes_of, csrf, post

STEP = "/sign-in/factor"
HALF = "__Host-pudim-half"


async def status(browser: httpx.AsyncClient) -> int:
    return (await browser.get(ME)).status_code


async def test_a_password_alone_opens_nothing(house: House) -> None:
    async with house.browser() as first, house.browser() as second:
        await house.owner(first)
        secret, _ = await house.add_app(first)
        asked = await house.sign_in(second)
        assert (asked.status_code, asked.headers["location"]) == (303, STEP)
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(
            asked.headers["set-cookie"].split("; ")
        )
        assert "__Host-pudim" not in second.cookies
        assert await status(second) == 401
        assert "six digits" in (await second.get(STEP)).text
        entered = await second.post(STEP, data={"code": house.code(secret)})
        assert (entered.status_code, entered.headers["location"]) == (303, "/servers")
        assert await status(second) == 200
        assert HALF not in second.cookies


async def test_a_half_session_is_no_session(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await house.add_app(browser)
        browser.cookies.clear()
        await house.sign_in(browser)
        half = browser.cookies[HALF]
        browser.cookies.set("__Host-pudim", half, domain="pudim.test")
        assert await status(browser) == 401
        for page in ("/account/factors", "/account/sessions", "/account/prove"):
            assert (await browser.get(page)).headers["location"].startswith("/sign-in?")


async def test_it_is_used_once_and_ends_after_ten_minutes(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        secret, _ = await house.add_app(browser)
        browser.cookies.clear()
        await house.sign_in(browser)
        half = browser.cookies[HALF]
        await browser.post(STEP, data={"code": house.code(secret)})
        assert await HalfSession.count() == 0
        house.clock.advance(30)
        browser.cookies.clear()
        browser.cookies.set(HALF, half, domain="pudim.test")
        again = await browser.post(STEP, data={"code": house.code(secret)})
        assert (again.status_code, again.headers["location"]) == (303, "/sign-in")
        await house.sign_in(browser)
        house.clock.advance(timedelta(minutes=10))
        late = await browser.post(STEP, data={"code": house.code(secret)})
        assert late.headers["location"] == "/sign-in"
        assert await status(browser) == 401


async def test_a_code_is_taken_once(house: House) -> None:
    async with house.browser() as browser, house.browser() as thief:
        await house.owner(browser)
        secret, _ = await house.add_app(browser)
        browser.cookies.clear()
        await house.sign_in(browser)
        await house.sign_in(thief)
        code = house.code(secret)
        assert (await browser.post(STEP, data={"code": code})).status_code == 303
        assert (await thief.post(STEP, data={"code": code})).status_code == 403
        assert (await thief.post(STEP, data={"code": house.code(secret, steps=-1)})).status_code == 403
        assert await status(thief) == 401
        house.clock.advance(30)
        assert (await thief.post(STEP, data={"code": house.code(secret)})).status_code == 303


@pytest.mark.parametrize(("steps", "expected"), [(-2, 403), (-1, 303), (0, 303), (1, 303), (2, 403)])
async def test_a_phones_clock_may_be_off_by_one_step(house: House, steps: int, expected: int) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        secret, _ = await house.add_app(browser)
        house.clock.advance(timedelta(minutes=5))
        browser.cookies.clear()
        await house.sign_in(browser)
        answer = await browser.post(STEP, data={"code": house.code(secret, steps=steps)})
    assert answer.status_code == expected


async def test_guessing_codes_is_slowed_down_from_wherever(house: House) -> None:
    async with house.browser() as owner:
        await house.owner(owner)
        secret, _ = await house.add_app(owner)
    statuses = []
    for number in range(7):
        async with house.browser(address=f"198.51.{number}.1") as guesser:
            await house.sign_in(guesser)
            statuses.append((await guesser.post(STEP, data={"code": "x"})).status_code)
    assert statuses == [403] * 5 + [429] * 2
    house.clock.advance(1)
    async with house.browser() as browser:
        await house.sign_in(browser)
        assert (await browser.post(STEP, data={"code": house.code(secret)})).status_code == 303


async def test_a_recovery_code_lets_in_once_and_new_ones_void_the_old(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        _, codes = await house.add_app(browser)
        assert len(set(codes)) == rules.CODES
        for code, expected in ((codes[0].lower().replace("-", " "), 303), (codes[0], 403), (codes[1], 303)):
            browser.cookies.clear()
            await house.sign_in(browser)
            assert (await browser.post(STEP, data={"code": code})).status_code == expected, code
        assert (await browser.get("/api/v2/second-factors")).json()["recovery_codes_left"] == 8
        renewed = codes_of(await post(browser, "/account/factors/codes"))
        browser.cookies.clear()
        await house.sign_in(browser)
        assert (await browser.post(STEP, data={"code": codes[2]})).status_code == 403
        assert (await browser.post(STEP, data={"code": renewed[2]})).status_code == 303
    used = [one for one in house.events if isinstance(one, events.RecoveryCodeUsed)]
    assert [one.left for one in used] == [9, 8, 9]


async def test_secrets_and_codes_are_not_readable_in_the_database(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        secret, codes = await house.add_app(browser)
    stored = repr(await TotpSecret.select()) + repr(await RecoveryKey.select())
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT code_hash FROM recovery_codes")).fetchall()
    assert len(rows) == rules.CODES
    stored += repr(rows)
    for one in (secret, *codes, *(rules.plain(code) for code in codes)):
        assert one not in stored
    assert not [one for one in (secret, *codes) if one in repr(house.events)]


async def test_the_session_gets_another_secret_with_each_change_of_factors(house: House) -> None:
    async with house.browser() as browser, house.browser() as thief:
        await house.owner(browser)
        before = browser.cookies["__Host-pudim"]
        thief.cookies.set("__Host-pudim", before, domain="pudim.test")
        await house.add_app(browser)
        added = browser.cookies["__Host-pudim"]
        assert (added != before, await status(thief)) == (True, 401)
        assert (await post(browser, "/account/factors/app/remove")).status_code == 303
        assert browser.cookies["__Host-pudim"] != added
        assert await status(browser) == 200
        assert await TotpSecret.count() == await RecoveryKey.count() == 0
        browser.cookies.clear()
        assert (await house.sign_in(browser)).headers["location"] == "/servers"


async def test_a_wrong_first_code_adds_nothing(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        page = await browser.get("/account/factors/app")
        assert "<svg" in page.text
        answer = await post(browser, "/account/factors/app", code="000000")
        assert answer.status_code == 403
        assert page.text.partition("qr-frame")[2][:900] == answer.text.partition("qr-frame")[2][:900], (
            "the same"
        )
        assert (await browser.get("/api/v2/second-factors")).json()["kinds"] == []


async def test_the_last_factor_stays_while_a_team_demands_one(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await house.add_app(browser)
        await house.demand()
        refused = await post(browser, "/account/factors/app/remove")
        assert (refused.status_code, "demands a second factor" in refused.text) == (409, True)
        api = await browser.delete(
            "/api/v2/second-factors/app", headers={"x-csrf-token": await csrf(browser)}
        )
        assert (api.status_code, api.json()["code"]) == (409, "factor_demanded")


async def test_factors_change_only_after_a_fresh_proof(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await house.add_app(browser)
        house.clock.advance(timedelta(minutes=15))
        token = await csrf(browser)
        for path in ("app/remove", "codes", "app"):
            answer = await browser.post(
                f"/account/factors/{path}",
                data={"csrf_token": token, "code": "1"},
                headers={"referer": f"{SITE}/account/factors?x=1"},
            )
            assert answer.headers["location"] == "/account/prove?next=/account/factors"
        api = await browser.delete("/api/v2/second-factors/app", headers={"x-csrf-token": token})
        assert (api.status_code, api.json()["code"]) == (403, "sudo_needed")


@given(st.binary(min_size=8, max_size=8))
def test_a_recovery_code_is_readable_however_it_is_typed(random: bytes) -> None:
    code = rules.recovery_code(random)
    assert len(rules.plain(code)) == 12
    typed = code.replace("0", "O").replace("1", "l").lower().replace("-", " ")
    assert rules.code_hash(b"k", typed) == rules.code_hash(b"k", code)
    assert rules.code_hash(b"other", code) != rules.code_hash(b"k", code)
    assert not rules.is_totp(rules.plain(code))
