"""A lost password comes back by mail and never past the second factor; what the old one had opened is closed."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from pudim_collector.features.credentials import events
from pudim_collector.features.credentials.service import NoSuchAccountError
from pudim_collector.features.credentials.tables import EmailChange, PasswordReset
from pudim_collector.features.sessions.tables import KnownDevice
from tests.collector.accounts.conftest import EMAIL, PASSWORD
from tests.collector.factors.conftest import ME, SITE, House, post

NEW = "ein ganz anderes Kennwort"
DEVICE = "__Host-pudim-device"


async def link_by_mail(house: House, browser: httpx.AsyncClient, email: str = EMAIL) -> str:
    await browser.post("/reset", data={"email": email})
    ((to, kind, text),) = await house.letters()
    assert (to, kind) == (EMAIL, "reset_password")
    found = re.search(re.escape(SITE) + r"(/reset/[\w-]{43})\n", text)
    assert found, text
    return found[1]


async def test_a_link_by_mail_sets_a_password_once_and_ends_every_session(house: House) -> None:
    async with house.browser() as owner, house.browser() as lost:
        await house.owner(owner)
        link = await link_by_mail(house, lost)
        assert link.encode() not in repr(await PasswordReset.select()).encode()
        assert (await lost.get(link)).status_code == 200
        assert (await lost.post(link, data={"password": "short"})).status_code == 422
        done = await lost.post(link, data={"password": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert (await lost.get(ME)).status_code == 200
        assert (await owner.get(ME)).status_code == 401
        assert (await lost.post(link, data={"password": PASSWORD})).status_code == 404
        assert (await lost.get(link)).status_code == 404
        lost.cookies.clear()
        assert (await house.sign_in(lost)).status_code == 401
        assert (await house.sign_in(lost, NEW)).status_code == 303
    assert [kind for _, kind, _ in await house.letters()] == ["password_changed", "new_device"]


async def test_it_never_passes_the_second_factor(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        secret, _ = await house.add_app(browser)
        browser.cookies.clear()
        done = await browser.post(await link_by_mail(house, browser), data={"password": NEW})
        assert done.headers["location"] == "/sign-in/factor"
        assert (await browser.get(ME)).status_code == 401
        await browser.post("/sign-in/factor", data={"code": house.code(secret)})
        assert (await browser.get(ME)).status_code == 200


async def test_a_link_is_good_for_half_an_hour_and_a_new_one_voids_it(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        first, second = await link_by_mail(house, browser), await link_by_mail(house, browser)
        assert (await browser.get(first)).status_code == 404
        assert (await browser.get(second)).status_code == 200
        house.clock.advance(timedelta(minutes=30))
        assert (await browser.post(second, data={"password": NEW})).status_code == 404
        assert (await browser.get("/reset/%00%ff")).status_code in {400, 404}


async def test_many_at_once_use_a_link_once(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        browser.cookies.clear()
        link = await link_by_mail(house, browser)
        answers = await asyncio.gather(
            *(browser.post(link, data={"password": f"{NEW} {number}"}) for number in range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404]


async def test_nothing_tells_whether_there_is_an_account(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        browser.cookies.clear()
        known = await browser.post("/reset", data={"email": EMAIL})
        assert len(await house.letters()) == 1
        unknown = await browser.post("/reset", data={"email": "nobody@example.org"})
        assert await house.letters() == []
        assert known.status_code == unknown.status_code == 200
        assert known.text == unknown.text
        assert known.headers.raw == unknown.headers.raw or set(known.headers) == set(unknown.headers)
        statuses = [
            (await browser.post("/reset", data={"email": "nobody@example.org"})).status_code for _ in range(6)
        ]
        assert statuses == [200] * 4 + [429] * 2, "the same patience as for an account that there is"
    asked = [one for one in house.events if isinstance(one, events.PasswordResetAsked)]
    assert len(asked) == 6
    assert "example.org" not in repr(asked)


async def test_what_is_asked_for_is_looked_up_after_the_answer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    looked_up = house.accounts.user_by_email

    async def noted(email: str) -> object:
        order.append("looked up")
        return await looked_up(email)

    monkeypatch.setattr(house.accounts, "user_by_email", noted)
    sent: list[str] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"email=a%40example.org", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))
        if message["type"] == "http.response.body":
            order.append("answered")

    headers = [
        (b"host", b"pudim.test"),
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"accept", b"text/html"),
    ]
    scope = {
        "type": "http", "method": "POST", "path": "/reset", "raw_path": b"/reset", "query_string": b"",
        "headers": headers, "scheme": "https", "server": ("pudim.test", 443), "client": ("203.0.113.7", 1),
        "http_version": "1.1", "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    await house.app(scope, receive, send)  # type: ignore[arg-type]
    assert order == ["answered", "looked up"]


async def test_without_mail_the_operator_makes_the_link(make_house: Callable[..., House]) -> None:
    house = make_house(sends_mail=False)
    async with house.browser() as browser:
        await house.owner(browser)
        assert "pudim admin reset-link" in (await browser.get("/reset")).text
        link = await house.credentials.reset_link(f" {EMAIL.upper()}")
        assert link.startswith(f"{SITE}/reset/")
        browser.cookies.clear()
        assert (await browser.post(link.removeprefix(SITE), data={"password": NEW})).status_code == 303
        with pytest.raises(NoSuchAccountError):
            await house.credentials.reset_link("nobody@example.org")


async def test_a_password_changes_with_the_old_one_and_ends_the_other_sessions(house: House) -> None:
    async with house.browser() as browser, house.browser() as other:
        await house.owner(browser)
        await house.sign_in(other)
        assert await KnownDevice.count() == 1
        before = browser.cookies["__Host-pudim"]
        wrong = await post(browser, "/account/password", current="wrong", password=NEW)
        assert (wrong.status_code, (await other.get(ME)).status_code) == (403, 200)
        weak = await post(browser, "/account/password", current=PASSWORD, password="password1")
        assert weak.status_code == 422
        assert (await post(browser, "/account/password", current=PASSWORD, password=NEW)).status_code == 303
        assert browser.cookies["__Host-pudim"] != before
        assert [(await one.get(ME)).status_code for one in (browser, other)] == [200, 401]
        assert await KnownDevice.count() == 1, "only this browser's"
        statuses = [
            (await post(browser, "/account/password", current="x", password=NEW)).status_code
            for _ in range(6)
        ]
        assert statuses == [403] * 5 + [429]


async def test_a_new_address_counts_once_it_is_confirmed_and_the_old_one_is_told(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await post(browser, "/account/email", email="no address")).status_code == 422
        assert (await post(browser, "/account/email", email="ada@new.example")).status_code == 200
        ((to, _, text),) = await house.letters()
        link = re.search(r"/account/email/[\w-]+", text)
        assert link
        assert to == "ada@new.example"
        assert (await browser.get(ME)).json()["email"] == EMAIL
        assert (await browser.get(link[0])).status_code == 200
        assert (await browser.get(ME)).json()["email"] == EMAIL, "to look is not to confirm"
        assert (await post(browser, link[0])).status_code == 303
        assert (await browser.get(ME)).json()["email"] == "ada@new.example"
        assert [(to, kind) for to, kind, _ in await house.letters()] == [(EMAIL, "email_changed")]
        assert (await post(browser, link[0])).status_code == 404
        assert await EmailChange.count() == 0
        house.clock.advance(timedelta(minutes=15))
        late = await post(browser, "/account/email", email="ada@third.example")
        assert late.headers["location"].startswith("/account/prove")


async def test_a_new_device_is_told_once_and_known_then(house: House) -> None:
    async with house.browser() as browser, house.browser(address="198.51.100.4") as other:
        await house.owner(browser)
        await house.sign_in(browser)
        assert await house.letters() == [], "the first one is his own"
        assert {"HttpOnly", "Secure", "SameSite=lax"} <= set(
            (await house.sign_in(other)).headers["set-cookie"].split("; ")
        )
        ((_, kind, text),) = await house.letters()
        assert (kind, "198.51.100.4" in text) == ("new_device", True)
        await house.sign_in(other)
        assert await house.letters() == []
        assert other.cookies[DEVICE].encode() not in repr(await KnownDevice.select()).encode()


async def test_a_known_device_gets_in_while_its_account_is_attacked(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await house.sign_in(browser)
        device = browser.cookies[DEVICE]
        browser.cookies.clear()
        for _ in range(7):
            await house.sign_in(browser, "guess")
        assert (await house.sign_in(browser)).status_code == 429
        browser.cookies.set(DEVICE, "made-up", domain="pudim.test")
        assert (await house.sign_in(browser)).status_code == 429
        browser.cookies.clear()
        browser.cookies.set(DEVICE, device, domain="pudim.test")
        assert (await house.sign_in(browser)).status_code == 303
