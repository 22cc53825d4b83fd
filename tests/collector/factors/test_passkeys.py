"""A passkey proves its person on our own pages, once for each challenge, and nothing else passes for it."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.features.passkeys.rules import clean_name, site_of
from pudim_collector.features.passkeys.tables import Passkey, PasskeyChallenge
from tests.collector.factors.authenticator import PRESENT, Authenticator, text
from tests.collector.factors.conftest import ME, House, csrf, post, say

OWN, SIGN_IN, FACTOR, PROVE = (
    "/account/passkeys",
    "/sign-in/passkey",
    "/sign-in/factor/passkey",
    "/account/prove/passkey",
)
JSON = {"accept": "application/json"}


async def options(browser: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await browser.post(f"{path}/options", json={}, headers=JSON)
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def answered(browser: httpx.AsyncClient, path: str, content: object) -> httpx.Response:
    return await browser.post(path, json=content, headers=JSON)


async def add(browser: httpx.AsyncClient, device: Authenticator, **changes: Any) -> httpx.Response:
    asked = (await say(browser, f"{OWN}/options")).json()
    return await say(browser, OWN, device.create(asked, **changes))


async def test_it_signs_in_without_a_password(house: House) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        user_id = await house.owner(browser)
        before = browser.cookies["__Host-pudim"]
        assert (await add(browser, device)).json() == {"location": "/account/factors"}
        assert browser.cookies["__Host-pudim"] != before
        assert [one["name"] for one in (await browser.get("/api/v2/passkeys")).json()["items"]] == ["phone"]
        browser.cookies.clear()
        shown = device.answer(await options(browser, SIGN_IN), next="/servers?x=1")
        assert (await answered(browser, SIGN_IN, shown)).json() == {"location": "/servers?x=1"}
        assert (await browser.get(ME)).json()["id"] == str(user_id)


async def test_it_is_a_second_factor(house: House) -> None:
    device, other = Authenticator(), Authenticator()
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, device)
        browser.cookies.clear()
        assert (await house.sign_in(browser)).headers["location"] == "/sign-in/factor"
        assert 'post="/sign-in/factor/passkey"' in (await browser.get("/sign-in/factor")).text
        assert (await browser.get(ME)).status_code == 401
        asked = await options(browser, FACTOR)
        assert [one["id"] for one in asked["allowCredentials"]] == [text(device.credential_id)]
        assert (await answered(browser, FACTOR, other.answer(asked))).status_code == 403
        shown = device.answer(await options(browser, FACTOR))
        assert (await answered(browser, FACTOR, shown)).json() == {"location": "/servers"}
        assert (await browser.get(ME)).status_code == 200
        assert (await answered(browser, FACTOR, shown)).status_code == 401, "the half session is used"


async def test_an_answer_is_taken_once(house: House) -> None:
    device = Authenticator()
    async with house.browser() as browser, house.browser() as thief:
        await house.owner(browser)
        await add(browser, device)
        shown = device.answer(await options(thief, SIGN_IN))
        assert (await answered(browser, SIGN_IN, shown)).status_code == 200
        replayed = await answered(thief, SIGN_IN, shown)
        assert (replayed.status_code, replayed.json()["code"]) == (403, "passkey_refused")
        assert await PasskeyChallenge.count() == 0


async def test_an_answer_counts_for_what_was_asked_and_for_five_minutes(house: House) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, device)
        proof = device.answer((await say(browser, f"{PROVE}/options")).json())
        assert (await answered(browser, SIGN_IN, proof)).status_code == 403
        late = device.answer(await options(browser, SIGN_IN))
        house.clock.advance(timedelta(minutes=5))
        assert (await answered(browser, SIGN_IN, late)).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://app.pudim.test"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": 0},
    ],
)
async def test_neither_another_page_nor_an_unverified_person_passes(
    house: House, changes: dict[str, Any]
) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, device)
        for name, value in changes.items():
            setattr(device, name, value)
        shown = device.answer(await options(browser, SIGN_IN))
        assert (await answered(browser, SIGN_IN, shown)).status_code == 403
        device.credential_id = os.urandom(32)
        assert (await add(browser, device)).status_code == 403
    assert await Passkey.count() == 1


async def test_a_copy_of_a_key_is_noticed_by_its_counter(house: House) -> None:
    device = Authenticator(counter=7)
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, device)
        copy = Authenticator(counter=7, key=device.key, credential_id=device.credential_id)
        for one, status in ((device, 200), (device, 200), (copy, 403)):
            shown = one.answer(await options(browser, SIGN_IN))
            assert (await answered(browser, SIGN_IN, shown)).status_code == status


async def test_attestations_and_known_keys_are_refused(house: House) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        await house.owner(browser)
        assert (await add(browser, device, fmt="packed")).status_code == 403
        assert (await add(browser, device)).status_code == 200
        assert (await add(browser, device)).status_code == 403
    assert await Passkey.count() == 1


async def test_it_proves_again_and_is_removed_after_a_proof(house: House) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, device)
        house.clock.advance(timedelta(minutes=20))
        assert (await say(browser, f"{OWN}/options")).json()["code"] == "sudo_needed"
        before = browser.cookies["__Host-pudim"]
        asked = (await say(browser, f"{PROVE}/options")).json()
        done = await say(browser, PROVE, device.answer(asked, next="//evil.example"))
        assert done.json() == {"location": "/account/factors"}
        assert browser.cookies["__Host-pudim"] != before
        passkey_id = (await browser.get("/api/v2/passkeys")).json()["items"][0]["id"]
        await house.demand()
        assert (await post(browser, f"/account/factors/passkeys/{passkey_id}/remove")).status_code == 409
        await house.demand(demanded=False)
        assert (await post(browser, f"/account/factors/passkeys/{passkey_id}/remove")).status_code == 303
        shown = device.answer(await options(browser, SIGN_IN))
        assert (await answered(browser, SIGN_IN, shown)).status_code == 403


async def test_ones_own_passkey_is_ones_own(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        await add(browser, Authenticator())
        gone = await post(browser, "/account/factors/passkeys/0199f0a0-0000-7000-8000-000000000000/remove")
        assert gone.status_code == 404
        assert (await answered(browser, OWN, {})).status_code == 403, "without the form's token"
        assert await csrf(browser)


async def test_a_page_under_another_address_says_so(make_house: Callable[..., House]) -> None:
    house = make_house("https://pudim.example.org")
    async with house.browser() as browser:
        await house.owner(browser)
        page = (await browser.get("/account/factors")).text
        assert "Passkeys belong to <bdi>https://pudim.example.org</bdi>" in page
        assert "<pudim-passkey" not in page
    plain = make_house("http://pudim.example.org")
    async with plain.browser() as browser:
        refused = await browser.post(f"{SIGN_IN}/options", json={}, headers=JSON)
        assert (refused.status_code, refused.json()["code"]) == (409, "no_passkeys_here")


@pytest.mark.parametrize(
    ("url", "rp_id", "origin", "works"),
    [
        ("https://Pudim.example.org", "pudim.example.org", "https://pudim.example.org", True),
        ("https://pudim.example.org:8443", "pudim.example.org", "https://pudim.example.org:8443", True),
        ("http://127.0.0.1:8460", "localhost", "http://localhost:8460", True),
        ("http://[::1]:8460", "localhost", "http://localhost:8460", True),
        ("http://localhost", "localhost", "http://localhost", True),
        ("http://pudim.example.org", "pudim.example.org", "http://pudim.example.org", False),
        ("https://192.0.2.7", "192.0.2.7", "https://192.0.2.7", False),
    ],
)
def test_where_passkeys_work(url: str, rp_id: str, origin: str, works: bool) -> None:
    site = site_of(url)
    assert (site.rp_id, site.origin, not site.trouble) == (rp_id, origin, works)


@given(st.text())
def test_a_name_is_printable_and_short(name: str) -> None:
    assert clean_name(name).isprintable()
    assert 1 <= len(clean_name(name)) <= 64


HOSTILE = st.one_of(st.text(max_size=60), st.binary(max_size=80).map(text))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["id", "rawId", "clientDataJSON", "authenticatorData", "signature"]), value=HOSTILE
)
async def test_hostile_answers_are_refused_and_never_fail(house: House, field: str, value: str) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        shown = device.answer(await options(browser, SIGN_IN))
        (shown if field in shown else shown["response"])[field] = value
        answer = await answered(browser, SIGN_IN, shown)
    assert answer.status_code in {400, 403}, answer.text


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=120))
async def test_hostile_attestations_are_refused_and_never_fail(house: House, content: bytes) -> None:
    device = Authenticator()
    async with house.browser() as browser:
        if not await house.accounts.user_by_email("ada@example.org"):
            await house.owner(browser)
        else:
            await house.sign_in(browser)
        shown = device.create((await say(browser, f"{OWN}/options")).json())
        shown["response"]["attestationObject"] = text(content)
        assert (await say(browser, OWN, shown)).status_code == 403
