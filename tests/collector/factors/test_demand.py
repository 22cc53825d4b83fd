"""A team that demands a second factor: who has none may add one and nothing else, from his next request on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from litestar import Litestar

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.factors import queries
from pudim_collector.features.invitations import queries as invitations
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.infra.auth import ENROL_PATH
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import ManualClock
from tests.collector.factors.authenticator import Authenticator
from tests.collector.factors.conftest import codes_of
from tests.collector.teams.people import Someone, a_member, a_person, a_team, ask, client, code
from tests.collector.teams.test_walk_of_roles import RIGHTS, Actor, demands, found

DEMAND = "/api/v2/team/second-factor"
PAGE = {"accept": "text/html"}
OPEN = {
    "GET /account/enrol": "where one is added",
    "GET /account/factors/app": "an authenticator app",
    "POST /account/factors/app": "an authenticator app",
    "POST /account/passkeys": "a passkey",
    "POST /account/passkeys/options": "a passkey",
    "GET /account/prove": "adding one wants a fresh proof",
    "POST /account/prove": "adding one wants a fresh proof",
    "POST /account/prove/passkey": "adding one wants a fresh proof",
    "POST /account/prove/passkey/options": "adding one wants a fresh proof",
    "POST /sign-out": "the way out",
    "POST /team/switch": "another team may not demand one",
    "POST /api/v2/me/team": "another team may not demand one",
}


async def add_app(runtime: Runtime, who: Someone) -> None:
    pending = await runtime.factors.begin_totp(who.id, who.user.email)
    shown = pyotp.TOTP(pending.secret).at(runtime.clock.now())
    await runtime.factors.confirm_totp(who.id, shown, Visitor("203.0.113.7"))


async def demanded(runtime: Runtime, team: UUID) -> None:
    await queries.set_demand(Scope(team), demanded=True)


@pytest.fixture
async def member(runtime: Runtime, team: UUID) -> Someone:
    return await a_member(runtime, team, Role.ADMIN, "eva")


async def form(app: Litestar, who: Someone, path: str, **said: str) -> httpx.Response:
    async with client(app, who) as browser:
        return await browser.post(path, data=said, headers=PAGE)


async def page(app: Litestar, who: Someone, path: str, **headers: str) -> httpx.Response:
    async with client(app, who) as browser:
        return await browser.get(path, headers=PAGE | headers)


async def test_who_demands_one_has_one_himself(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    assert await code(app, owner, "PUT", DEMAND, {"demanded": True}) == "own_factor"
    assert (await form(app, owner, "/team/second-factor", demanded="yes")).status_code == 409
    assert (await ask(app, owner, "GET", DEMAND)).json() == {"demanded": False, "members": 1, "without": 1}
    await add_app(runtime, owner)
    answer = await ask(app, owner, "PUT", DEMAND, {"demanded": True})
    assert answer.json() == {"demanded": True, "members": 1, "without": 0}
    assert await code(app, owner, "GET", "/api/v2/servers") == 200


async def test_the_change_is_in_the_audit_log(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    await add_app(runtime, owner)
    for wish in (True, True, False):
        assert await code(app, owner, "PUT", DEMAND, {"demanded": wish}) == 200
    async with database.connection() as connection:
        query = "SELECT before::text, after::text FROM audit_entries WHERE action = 'team.second_factor_changed' ORDER BY sequence"
        rows = await (await connection.execute(query)).fetchall()
    assert [(*row,) for row in rows] == [
        ('{"demanded": false}', '{"demanded": true}'),
        ('{"demanded": true}', '{"demanded": false}'),
    ]


async def test_it_is_changed_by_people_who_may_after_a_fresh_proof(
    app: Litestar, runtime: Runtime, clock: ManualClock, owner: Someone, team: UUID
) -> None:
    await add_app(runtime, owner)
    viewer = await a_member(runtime, team, Role.VIEWER)
    token = await runtime.tokens.local_access_token()
    assert await code(app, viewer, "PUT", DEMAND, {"demanded": True}) == "permission_missing"
    assert await code(app, token, "PUT", DEMAND, {"demanded": True}) == "only_people"
    assert await code(app, token, "GET", DEMAND) == 200
    clock.advance(15 * 60)
    assert await code(app, owner, "PUT", DEMAND, {"demanded": True}) == "sudo_needed"
    answer = await form(app, owner, "/team/second-factor", demanded="yes")
    assert answer.headers["location"].startswith("/account/prove?")


async def test_what_was_changed_since_it_was_read_is_not_overwritten(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    await add_app(runtime, owner)
    seen = (await ask(app, owner, "GET", DEMAND)).headers["etag"]
    for wish, status in ((True, 200), (False, 412)):
        async with client(app, owner) as browser:
            answer = await browser.put(DEMAND, json={"demanded": wish}, headers={"if-match": seen})
        assert answer.status_code == status


async def test_who_has_none_may_add_one_and_nothing_else(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    assert await code(app, member, "GET", "/api/v2/servers") == 200
    await demanded(runtime, team)
    held = RIGHTS.of(Role.ADMIN)
    actor, passed = Actor(member, held, {}), set()
    for route, handler, method, access in demands(app):
        outcome = await found(app, route, handler, actor, UUID(int=7))
        assert (outcome == "factor_needed") is not access.enrolling, (method, route.path)
        if access.enrolling:
            passed.add(f"{method} {route.path_format}")
    assert passed == set(OPEN)


async def test_pages_lead_to_where_one_is_added(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    await demanded(runtime, team)
    for path in ("/servers", "/account/factors", "/account/sessions", "/team", "/account/tokens"):
        assert (await page(app, member, path)).headers["location"] == ENROL_PATH, path
    swapped = await page(app, member, "/servers", **{"hx-request": "true"})
    assert (swapped.status_code, swapped.headers["hx-redirect"]) == (403, ENROL_PATH)
    assert await code(app, member, "GET", "/api/v2/me") == "factor_needed"
    told = (await page(app, member, ENROL_PATH)).text
    assert "/account/factors/app" in told
    assert "Passkeys belong to" in told


async def test_an_app_is_enough_and_brings_codes(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    await demanded(runtime, team)
    shown = (await page(app, member, "/account/factors/app")).text
    secret = shown.partition("into the app: <code>")[2].partition("<")[0]
    wrong = await form(app, member, "/account/factors/app", code="000000")
    assert wrong.status_code == 403
    assert await code(app, member, "GET", "/api/v2/servers") == "factor_needed"
    done = await form(app, member, "/account/factors/app", code=pyotp.TOTP(secret).at(runtime.clock.now()))
    assert (done.status_code, len(codes_of(done))) == (200, 10)
    assert 'href="/"' in done.text
    member = Someone(member.user, done.cookies["pudim"])
    assert await code(app, member, "GET", "/api/v2/servers") == 200
    assert (await page(app, member, ENROL_PATH)).headers["location"] == "/"


async def test_a_passkey_is_enough_and_leads_to_codes(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    await demanded(runtime, team)
    site = runtime.passkeys.site
    device = Authenticator(rp_id=site.rp_id, origin=site.origin)

    async def say(path: str, said: dict[str, Any]) -> httpx.Response:
        answer = await ask(app, member, "POST", path, said)
        assert answer.status_code == 200, answer.text
        return answer

    options = (await say("/account/passkeys/options", {})).json()
    made = await say("/account/passkeys", device.create(options))
    assert made.json() == {"location": ENROL_PATH}
    member = Someone(member.user, made.cookies["pudim"])
    assert "/account/factors/codes" in (await page(app, member, ENROL_PATH)).text
    done = await form(app, member, "/account/factors/codes", next="/")
    assert (len(codes_of(done)), 'href="/"' in done.text) == (10, True)
    assert await code(app, Someone(member.user, done.cookies["pudim"]), "GET", "/api/v2/servers") == 200


async def test_codes_lead_to_no_other_site(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    await add_app(runtime, owner)
    done = await form(app, owner, "/account/factors/codes", next="//evil.example")
    assert "evil" not in done.text


async def test_a_stolen_session_cannot_add_one(
    app: Litestar, runtime: Runtime, clock: ManualClock, team: UUID, member: Someone
) -> None:
    await demanded(runtime, team)
    clock.advance(15 * 60)
    for path in ("/account/factors/app",):
        assert (await page(app, member, path)).headers["location"] == f"/account/prove?next={path}"
    assert await code(app, member, "POST", "/account/passkeys/options", {}) == "sudo_needed"


async def test_who_is_in_another_team_may_go_there_and_keeps_his_last_factor(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    other = await a_team(runtime, "Other")
    await invitations.insert_member(Scope(other), member.id, RoleName(Role.VIEWER), runtime.clock.now())
    await demanded(runtime, team)
    assert (await form(app, member, "/team/switch", team=str(other))).headers["location"] == "/"
    assert await code(app, member, "GET", "/api/v2/servers") == 200
    await add_app(runtime, member)
    assert await code(app, member, "DELETE", "/api/v2/second-factors/app") == "factor_demanded"
    await queries.set_demand(Scope(team), demanded=False)
    assert await code(app, member, "DELETE", "/api/v2/second-factors/app") == 204


async def test_a_token_is_worth_what_its_maker_is(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    answer = await ask(app, member, "POST", "/api/v2/tokens", {"name": "script"})
    token = answer.json()["secret"]
    local = await runtime.tokens.local_access_token()
    assert await code(app, token, "GET", "/api/v2/servers") == 200
    await demanded(runtime, team)
    assert await code(app, token, "GET", "/api/v2/servers") == "factor_needed"
    assert await code(app, local, "GET", "/api/v2/servers") == 200
    await add_app(runtime, member)
    assert await code(app, token, "GET", "/api/v2/servers") == 200


async def test_without_the_demand_nothing_is_missing(
    app: Litestar, runtime: Runtime, owner: Someone, member: Someone
) -> None:
    await add_app(runtime, owner)
    for wish, outcome in ((True, "factor_needed"), (False, 200)):
        answer = await form(app, owner, "/team/second-factor", demanded="yes" if wish else "no")
        assert answer.headers["location"] == "/team"
        assert await code(app, member, "GET", "/api/v2/servers") == outcome


async def test_the_teams_page_says_how_many_have_none(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone, member: Someone
) -> None:
    await add_app(runtime, owner)
    assert "1 of 2 members has none yet." in (await page(app, owner, "/team")).text
    viewer = await a_member(runtime, team, Role.VIEWER)
    told = (await page(app, viewer, "/team")).text
    assert "2 of 3 members have none yet." in told
    assert 'name="demanded"' not in told


async def test_who_is_invited_adds_one_on_his_first_visit(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    await add_app(runtime, owner)
    assert await code(app, owner, "PUT", DEMAND, {"demanded": True}) == 200
    made = await ask(
        app, owner, "POST", "/api/v2/team/invitations", {"email": "bo@example.org", "role": "viewer"}
    )
    secret = made.json()["link"].rpartition("/")[2]
    password = "four grey geese on the lake"
    async with client(app, None) as browser:
        browser.headers.update(PAGE)
        joined = await browser.post(f"/invitations/{secret}/join", data={"name": "Bo", "password": password})
        assert joined.headers["location"] == "/"
        assert (await browser.get("/servers")).headers["location"] == ENROL_PATH


async def test_a_demand_reaches_no_other_team(
    app: Litestar, runtime: Runtime, team: UUID, member: Someone
) -> None:
    elsewhere = await a_person(runtime, "noor")
    other = await a_team(runtime, "Other")
    await invitations.insert_member(Scope(other), elsewhere.id, RoleName(Role.OWNER), runtime.clock.now())
    await demanded(runtime, team)
    assert await code(app, elsewhere, "GET", "/api/v2/servers") == 200
    assert not await runtime.demands.demands(elsewhere.id)
    assert await runtime.demands.demands(member.id)
