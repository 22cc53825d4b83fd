"""People see where they are signed in, end it there, and prove it is them before they do."""

from datetime import timedelta

import httpx
import pytest

from pudim_collector.features.sessions.rules import device_of
from tests.collector.accounts.conftest import PASSWORD, House, csrf

ME, LIST = "/api/v2/me", "/account/sessions"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


async def post(browser: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    return await browser.post(path, data={"csrf_token": await csrf(browser), **form})


async def test_they_are_listed_and_ended_one_by_one(house: House) -> None:
    async with house.browser() as browser, house.browser(address="198.51.100.4") as other:
        await house.owner(browser)
        other.headers["user-agent"] = FIREFOX
        await house.sign_in(other)
        listed = (await browser.get("/api/v2/sessions")).json()["items"]
        assert [one["current"] for one in listed] == [False, True] or [one["current"] for one in listed] == [
            True,
            False,
        ]
        (its,) = [one for one in listed if not one["current"]]
        assert (its["device"], its["address"]) == ("Firefox on Linux", "198.51.100.4")
        assert "Firefox on Linux" in (await browser.get(LIST)).text
        assert (await post(browser, f"{LIST}/{its['id']}/end")).status_code == 303
        assert [(await one.get(ME)).status_code for one in (browser, other)] == [200, 401]
        assert (await post(browser, f"{LIST}/{its['id']}/end")).status_code == 404


async def test_all_others_end_at_once(house: House) -> None:
    async with house.browser() as browser, house.browser() as one, house.browser() as two:
        await house.owner(browser)
        await house.sign_in(one)
        await house.sign_in(two)
        assert (await post(browser, f"{LIST}/end-others")).status_code == 303
        assert [(await it.get(ME)).status_code for it in (browser, one, two)] == [200, 401, 401]


async def test_a_proof_lasts_fifteen_minutes_and_renews_the_session(house: House) -> None:
    async with house.browser() as browser, house.browser() as thief:
        await house.owner(browser)
        house.clock.advance(timedelta(minutes=14, seconds=59))
        assert (await post(browser, f"{LIST}/end-others")).headers["location"] == LIST
        house.clock.advance(1)
        asked = await browser.post(
            f"{LIST}/end-others",
            data={"csrf_token": await csrf(browser)},
            headers={"referer": f"https://pudim.test{LIST}"},
        )
        assert asked.headers["location"] == f"/account/prove?next={LIST}"
        assert (await browser.get(asked.headers["location"])).status_code == 200
        before = browser.cookies["__Host-pudim"]
        assert (await post(browser, "/account/prove", password="wrong", next=LIST)).status_code == 403
        done = await post(browser, "/account/prove", password=PASSWORD, next=LIST)
        assert (done.status_code, done.headers["location"]) == (303, LIST)
        thief.cookies.set("__Host-pudim", before, domain="pudim.test")
        assert (await thief.get(ME)).status_code == 401
        assert (await post(browser, f"{LIST}/end-others")).headers["location"] == LIST


async def test_programs_of_a_page_are_told_and_htmx_is_led(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        house.clock.advance(timedelta(minutes=15))
        token = {"x-csrf-token": await csrf(browser)}
        api = await browser.post("/api/v2/sessions/end-others", headers=token)
        assert (api.status_code, api.json()["code"]) == (403, "sudo_needed")
        led = await browser.post(f"{LIST}/end-others", headers=token | {"hx-request": "true"})
        assert (led.status_code, led.headers["hx-redirect"]) == (403, "/account/prove?next=/")


async def test_tokens_are_made_and_revoked_after_a_proof(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await post(browser, "/account/tokens", name="backup", may="all")).status_code == 200
        house.clock.advance(timedelta(minutes=15))
        asked = await post(browser, "/account/tokens", name="another", may="all")
        assert asked.headers["location"].startswith("/account/prove?")
        token = {"x-csrf-token": await csrf(browser)}
        api = await browser.post("/api/v2/tokens", json={"name": "x"}, headers=token)
        assert (api.status_code, api.json()["code"]) == (403, "sudo_needed")
        listed = (await browser.get("/api/v2/tokens")).json()["items"]
        assert [one["name"] for one in listed] == ["backup"]
        gone = await browser.delete(f"/api/v2/tokens/{listed[0]['id']}", headers=token)
        assert gone.status_code == 403


async def test_proofs_are_guessed_slowly(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        statuses = [
            (await post(browser, "/account/prove", password=f"guess {number}")).status_code
            for number in range(6)
        ]
    assert statuses == [403] * 5 + [429]


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "javascript:alert(1)", "\\evil"]
)
async def test_after_a_proof_one_stays_here(house: House, wanted: str) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        done = await post(browser, "/account/prove", password=PASSWORD, next=wanted)
    assert done.headers["location"] == LIST


@pytest.mark.parametrize(
    ("said", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/148.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Ubuntu Chromium/126.0 Chrome/126.0 Safari/537.36",
            "Chromium on Linux",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36 EdgA/126.0",
            "Edge on Android",
        ),
        (
            "Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0",
            "Firefox on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/127.0 Mobile/15E148 Safari/605.1.15",
            "Firefox on iPad",
        ),
        ("curl/8.9", "curl"),
        ("<script>alert(1)</script>", "Unknown device"),
        ("", "Unknown device"),
    ],
)
def test_what_a_browser_is_called(said: str, device: str) -> None:
    assert device_of(said) == device
