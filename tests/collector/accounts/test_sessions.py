"""Signing in makes a session nobody could have planted, that ends when it should and is slowed down for guessers."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from pudim_collector.features.accounts import events
from pudim_collector.features.accounts.tables import Session, User
from tests.collector.accounts.conftest import CHEAP, EMAIL, PASSWORD, House, csrf

ME = "/api/v2/me"


async def test_the_cookie_is_locked_down_on_https(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        cookie = (await house.sign_in(browser)).headers["set-cookie"]
    assert cookie.startswith("__Host-pudim=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_on_plain_http_it_has_another_name_that_https_does_not_believe(house: House) -> None:
    async with house.browser() as first:
        await house.owner(first)
    async with house.browser(scheme="http") as plain, house.browser() as secure:
        cookie = (await house.sign_in(plain)).headers["set-cookie"]
        assert cookie.startswith("pudim=")
        assert "Secure" not in cookie
        assert (await plain.get(ME)).status_code == 200
        planted = {"cookie": f"pudim={plain.cookies['pudim']}"}
        assert (await secure.get(ME, headers=planted)).status_code == 401


async def test_a_planted_session_id_is_never_taken(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        browser.cookies.clear()
        browser.cookies.set("__Host-pudim", "attacker-chosen", domain="pudim.test")
        await house.sign_in(browser)
        assert browser.cookies["__Host-pudim"] != "attacker-chosen"
        assert (await browser.get(ME)).status_code == 200
    async with house.browser() as attacker:
        attacker.cookies.set("__Host-pudim", "attacker-chosen", domain="pudim.test")
        assert (await attacker.get(ME)).status_code == 401


async def test_signing_in_again_ends_the_session_before(house: House) -> None:
    async with house.browser() as browser, house.browser() as thief:
        await house.owner(browser)
        before = browser.cookies["__Host-pudim"]
        await house.sign_in(browser)
        assert browser.cookies["__Host-pudim"] != before
        thief.cookies.set("__Host-pudim", before, domain="pudim.test")
        assert (await thief.get(ME)).status_code == 401
        assert (await browser.get(ME)).status_code == 200


@pytest.mark.parametrize("email", ["", "a\0b@example.org", "\0", "ada", "a@" + "x" * 300, "\ufffd@x"])
async def test_what_is_no_address_signs_nobody_in(house: House, email: str) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        answer = await house.sign_in(browser, email=email)
    assert answer.status_code == 401


async def test_the_session_is_stored_hashed(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        rows = await Session.select()
        assert browser.cookies["__Host-pudim"].encode() not in rows[0]["secret_hash"]


async def test_signing_out_ends_it_on_the_server(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        secret = browser.cookies["__Host-pudim"]
        done = await browser.post("/sign-out", data={"csrf_token": await csrf(browser)})
        assert (done.status_code, done.headers["location"]) == (303, "/sign-in")
        assert "__Host-pudim" not in browser.cookies
        browser.cookies.set("__Host-pudim", secret, domain="pudim.test")
        assert (await browser.get(ME)).status_code == 401


@pytest.mark.parametrize(("wait", "status"), [(timedelta(days=6, hours=23), 200), (timedelta(days=7), 401)])
async def test_a_session_ends_after_a_week_without_use(house: House, wait: timedelta, status: int) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        house.clock.advance(wait)
        assert (await browser.get(ME)).status_code == status


async def test_a_session_in_use_ends_after_a_month(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        for _ in range(5):
            house.clock.advance(timedelta(days=5, hours=23))
            assert (await browser.get(ME)).status_code == 200
        house.clock.advance(timedelta(days=1))
        assert (await browser.get(ME)).status_code == 401
    assert await Session.count() == 0


async def test_last_seen_is_written_once_a_minute(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        first = house.clock.now()
        seen = []
        for _ in range(4):
            house.clock.advance(timedelta(seconds=25))
            await browser.get(ME)
            row = await Session.select(Session.last_seen_at).first()
            assert row
            seen.append((row["last_seen_at"] - first).total_seconds())
    assert seen == [0, 0, 75, 75]


async def test_a_wrong_password_and_an_unknown_account_look_the_same(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        browser.cookies.clear()
        wrong = await house.sign_in(browser, "not it at all")
        unknown = await house.sign_in(browser, email="nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    nonce = re.compile("nobody@example.org|" + EMAIL)
    assert nonce.sub("", wrong.text) == nonce.sub("", unknown.text)
    assert "set-cookie" not in wrong.headers


async def test_the_address_is_compared_without_case(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await house.sign_in(browser, email=f" {EMAIL.upper()} ")).status_code == 303


async def test_guessing_one_account_is_slowed_down_and_forgiven(house: House) -> None:
    async with house.browser() as guesser, house.browser(address="198.51.100.4") as owner:
        await house.owner(owner)
        statuses = [(await house.sign_in(guesser, f"guess {number}")).status_code for number in range(7)]
        assert statuses == [401] * 5 + [429] * 2
        refused = await house.sign_in(guesser)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await house.sign_in(owner)).status_code == 303, "the owner is elsewhere and gets in"
        house.clock.advance(1)
        assert (await house.sign_in(guesser, "guess 7")).status_code == 401
        assert (await house.sign_in(guesser)).headers["retry-after"] == "2"
        house.clock.advance(timedelta(hours=2))
        assert (await house.sign_in(guesser)).status_code == 303


async def test_a_neighbour_in_the_same_network_is_the_same_guesser(house: House) -> None:
    async with house.browser(address="203.0.113.8") as one, house.browser(address="203.0.113.200") as other:
        await house.owner(one)
        for number in range(5):
            await house.sign_in(one, f"guess {number}")
        assert (await house.sign_in(other)).status_code == 429


async def test_guessing_many_accounts_from_one_network_is_slowed_down(house: House) -> None:
    async with house.browser() as guesser:
        answers = [await house.sign_in(guesser, email=f"u{number}@example.org") for number in range(32)]
    assert [answer.status_code for answer in answers[-3:]] == [401, 429, 429]


async def test_a_hash_of_old_parameters_is_renewed(make_house: Callable[..., House]) -> None:
    before = make_house(CHEAP)
    async with before.browser() as browser:
        await before.owner(browser)
    after = make_house(PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    async with after.browser() as browser:
        assert (await after.sign_in(browser)).status_code == 303
        assert (await after.sign_in(browser)).status_code == 303
    row = await User.select(User.password_hash).first()
    assert row
    assert "t=2" in row["password_hash"]


async def test_the_security_log_tells_what_happened_and_no_secret(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await house.sign_in(browser, "mistyped secret")
        await house.sign_in(browser, email="my-password-in-the-wrong-field")
    kinds = [type(event) for event in house.events]
    assert kinds == [events.OwnerCreated, events.SignedIn, events.SignInRefused, events.SignInRefused]
    assert not [one for one in ("mistyped", "wrong-field", PASSWORD) if one in repr(house.events)]


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("/servers?state=live", "/servers?state=live"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
    ],
)
async def test_one_goes_on_where_one_wanted_to_but_never_elsewhere(
    house: House, wanted: str, location: str
) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await house.sign_in(browser, to=wanted)).headers["location"] == location
        again = await browser.get("/sign-in", params={"next": wanted})
        assert (again.status_code, again.headers["location"]) == (303, location)


async def test_who_is_not_signed_in_is_asked_to_and_led_back(house: House) -> None:
    async with house.browser() as browser:
        asked = await browser.get("/account/tokens?x=1")
        assert (asked.status_code, asked.headers["location"]) == (
            303,
            "/sign-in?next=/account/tokens%3Fx%3D1",
        )
        page = await browser.get(asked.headers["location"])
        assert 'value="/account/tokens?x=1"' in page.text
