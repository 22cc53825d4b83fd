"""How agents become known: once a token, by their own key, under a name; everybody else is refused by name."""

import asyncio
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from pudim.wire import enrolment, keys
from pudim_collector.features.servers.rules import ENROLMENT_TOKEN_LIFE
from pudim_collector.infra.telemetry import registry
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import COLLECTOR_KEY, Site, enrol

TOKENS = "/api/v2/enrolment-tokens"


async def token(site: Site, name: str | None = None) -> str:
    return (await site.runtime.servers.create_token(name)).token


async def names(site: Site) -> list[str]:
    return [server["name"] for server in (await site.get("/api/v2/servers"))["items"]]


async def refused(site: Site, shown: str, /, **changed: Any) -> tuple[int, str]:
    async with site.client(token="") as client:
        answer, _ = await enrol(client, shown, **changed)
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def counted(outcome: str) -> float:
    return registry.get_sample_value("pudim_enrolments_total", {"outcome": outcome}) or 0.0


async def test_each_outcome_is_counted_and_logged_without_its_token(
    site: Site, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes = (
        "enrolled",
        "enrolment_token_used",
        "enrolment_token_expired",
        "enrolment_token_invalid",
        "bad_signature",
    )
    before = {outcome: counted(outcome) for outcome in outcomes}
    used, expired = await token(site), await token(site)
    with caplog.at_level(logging.WARNING):
        async with site.client(token="") as client:
            await enrol(client, used)
        await refused(site, used)
        clock.advance(ENROLMENT_TOKEN_LIFE)
        await refused(site, expired)
        await refused(site, "pud_enr_invented")
        await refused(site, expired, proof=keys.to_text(bytes(64)))
    assert {outcome: counted(outcome) - before[outcome] for outcome in outcomes} == dict.fromkeys(
        outcomes, 1.0
    )
    for secret in (used, expired, "invented"):
        assert secret not in caplog.text
    assert len(await names(site)) == 1


async def test_a_token_tells_all_that_a_host_needs(site: Site) -> None:
    async with site.client() as client:
        answer = await client.post(TOKENS, json={"name": "web-1"})
    assert answer.status_code == 201
    said = answer.json()
    assert said["collector_key"] == keys.to_text(keys.public_bytes(COLLECTOR_KEY))
    assert said["token"] in said["command"]
    assert said["collector_key"] in said["command"]
    assert said["command"].startswith("pudim agent enrol --url http")
    async with site.client(token="") as client:
        enrolled, key = await enrol(client, said["token"])
        agent_id = enrolled.json()["agent_id"]
        signature = keys.from_text(enrolled.json()["signature"], keys.SIGNATURE_BYTES)
        known = (await site.get("/api/v2/servers"))["items"]
        assert [(one["id"], one["name"], one["state"]) for one in known] == [(agent_id, "web-1", "waiting")]
    enrolment.verify_answer(
        said["token"],
        key.public_key(),
        UUID(agent_id),
        COLLECTOR_KEY.public_key(),
        signature,
    )


@pytest.mark.parametrize("body", [None, {}, {"name": None}, {"name": ""}, {"name": "  "}])
async def test_a_token_needs_no_name(site: Site, body: object) -> None:
    async with site.client() as client:
        answer = await client.post(TOKENS, json=body) if body is not None else await client.post(TOKENS)
        assert answer.status_code == 201, answer.text
        enrolled, _ = await enrol(client, answer.json()["token"], facts={"host.name": "db-1"})
    assert enrolled.status_code == 201
    assert await names(site) == ["db-1"]


async def test_a_wish_for_a_token_that_makes_no_sense(site: Site) -> None:
    for body in [
        {"name": "x" * 257},
        {"name": "a\nb"},
        {"name": "a\x00"},
        {"name": "a\x7f"},
        {"name": 1},
        {"nam": "x"},
        [],
        "x",
        {"name": ["x"]},
    ]:
        async with site.client() as client:
            answer = await client.post(TOKENS, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_race_of_many_for_one_token_has_one_winner(site: Site) -> None:
    shown = await token(site, "one")
    async with site.client(token="") as client:
        answers = [answer for answer, _ in await asyncio.gather(*(enrol(client, shown) for _ in range(30)))]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 29
    assert {one.json()["code"] for one in answers if one.status_code == 409} == {"enrolment_token_used"}
    assert await names(site) == ["one"]


async def test_a_used_token_stays_used_after_the_server_was_revoked(site: Site) -> None:
    shown = await token(site)
    async with site.client() as client:
        answer, _ = await enrol(client, shown)
        await client.delete(f"/api/v2/servers/{answer.json()['agent_id']}")
    assert await refused(site, shown) == (409, "enrolment_token_used")


async def test_a_token_expires(site: Site, clock: ManualClock) -> None:
    early, late = await token(site, "early"), await token(site)
    clock.advance(ENROLMENT_TOKEN_LIFE - timedelta(seconds=1))
    async with site.client(token="") as client:
        assert (await enrol(client, early))[0].status_code == 201
    clock.advance(1)
    assert await refused(site, late) == (410, "enrolment_token_expired")
    assert await names(site) == ["early"]


async def test_an_invented_token(site: Site) -> None:
    for shown in ["", "x", "pud_enr_" + "A" * 32, "💥", "\x00", "'; DROP TABLE servers; --"]:
        assert await refused(site, shown) == (401, "enrolment_token_invalid")


async def test_a_proof_for_something_else_is_none(site: Site) -> None:
    shown, other = await token(site), await token(site)
    key, collector = keys.generate(), COLLECTOR_KEY.public_key()
    mine = keys.to_text(keys.public_bytes(key))
    for proof in (
        enrolment.sign_request(other, key, collector),
        enrolment.sign_request(shown, keys.generate(), collector),
        enrolment.sign_request(shown, key, keys.generate().public_key()),
        bytes(64),
    ):
        refusal = await refused(site, shown, public_key=mine, proof=keys.to_text(proof))
        assert refusal == (401, "bad_signature")
    assert await names(site) == []
    async with site.client(token="") as client:
        assert (await enrol(client, shown))[0].status_code == 201


async def test_a_key_that_is_none(site: Site) -> None:
    for key in [
        "",
        "x",
        "!" * 43,
        "ü" * 20,
        "A" * 43,
        "AQ" + "A" * 41,
        keys.to_text(bytes(31)),
        keys.to_text(bytes(33)),
    ]:
        assert await refused(site, await token(site), public_key=key) == (422, "bad_key")
        assert (await refused(site, await token(site), proof=key))[0] in {401, 422}


async def test_a_request_of_another_shape(site: Site) -> None:
    shapes: list[dict[str, Any]] = [
        {"token": "x" * 257},
        {"token": None},
        {"public_key": "A" * 65},
        {"proof": "A" * 129},
        {"facts": {"host.name": "x" * 257}},
        {"facts": {"host.name": "\x00"}},
        {"facts": {"host.name": 1}},
        {"facts": {"Host Name": "x"}},
        {"facts": {"x" * 65: "x"}},
        {"facts": {f"a{n}": "x" for n in range(33)}},
    ]
    for changed in shapes:
        assert await refused(site, await token(site), **changed) == (400, "invalid_request")
        assert await names(site) == []


async def test_bytes_that_are_no_request(site: Site) -> None:
    for body in [
        b"",
        b"{",
        b"\xff",
        b'{"token":"\xff"}',
        b'{"token":"\\ud800","public_key":"","proof":""}',
        b"[" * 2000,
        b'{"a":' * 5000,
        b"1" * 5000,
        b"null",
    ]:
        async with site.client(token="") as client:
            answer = await client.post(
                enrolment.ENROL_PATH, content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 400, answer.text
            answer = await client.post(TOKENS, content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 401


async def test_a_body_without_end_is_cut_short(site: Site) -> None:
    async with site.client(token="") as client:
        answer = await client.post(
            enrolment.ENROL_PATH, content=b" " * (2 << 20), headers={"content-type": "application/json"}
        )
    assert answer.status_code == 413


async def test_a_newer_agent_may_say_more(site: Site) -> None:
    async with site.client(token="") as client:
        answer, _ = await enrol(client, await token(site), colour="blue", facts={"os.new": "x"})
    assert answer.status_code == 201


async def test_a_server_is_called(site: Site) -> None:
    for wanted, facts, name in [
        ("web-1", {"host.name": "ip-1"}, "web-1"),
        (None, {"host.name": "ip-1"}, "ip-1"),
        (None, {"host.name": "ip-1\n"}, "ip-1"),
        (None, {"host.name": " "}, None),
        (None, {}, None),
    ]:
        agent = await site.enrol(wanted, facts)
        found = await site.get(f"/api/v2/servers/{agent.agent_id}")
        assert found["name"] == (name or str(agent.agent_id))


async def test_an_agent_may_wish_for_a_name_that_the_token_leaves_open(site: Site) -> None:
    facts = {"host.name": "ip-1"}
    async with site.client(token="") as client:
        for wanted, wish in [(None, "db-9"), ("web-1", "db-8"), (None, " ")]:
            answer, _ = await enrol(client, await token(site, wanted), facts=facts, name=wish)
            assert answer.status_code == 201, answer.text
    assert await names(site) == ["db-9", "ip-1", "web-1"]
