"""Teams over the API: nobody reaches another team's, nobody gives what he has not, and a change holds at once."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.invitations import queries as invitations
from pudim_collector.features.invitations.rules import INVITATION_LIFE
from pudim_collector.features.members import queries as members
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.features.tokens.service import WantedToken
from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import ManualClock
from tests.collector.teams.people import (
    Someone,
    a_member,
    a_person,
    a_server,
    a_team,
    a_token,
    ask,
    client,
    code,
)

TEAM = "/api/v2/team"
MEMBERS = f"{TEAM}/members"


async def items(app: Litestar, who: Someone | str, path: str) -> list[dict[str, Any]]:
    answer = await ask(app, who, "GET", path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_servers_of_another_team_do_not_exist(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    other = await a_team(runtime, "Other")
    stranger = await a_member(runtime, other, Role.OWNER)
    mine, theirs = await a_server(runtime, team, "web-1"), await a_server(runtime, other, "web-1")
    assert [one["id"] for one in await items(app, owner, "/api/v2/servers")] == [str(mine)]
    assert [one["id"] for one in await items(app, stranger, "/api/v2/servers")] == [str(theirs)]
    for path in ("", "/facts", "/latest", "/checks", "/commands", "/completeness"):
        unknown = await ask(app, owner, "GET", f"/api/v2/servers/{uuid4()}{path}")
        foreign = await ask(app, owner, "GET", f"/api/v2/servers/{theirs}{path}")
        assert (foreign.status_code, foreign.json()["code"]) == (404, "no_such_server"), path
        assert foreign.json()["detail"] == unknown.json()["detail"]
        assert (await ask(app, owner, "GET", f"/api/v2/servers/{mine}{path}")).status_code == 200, path
    metric = {"metric": "system.cpu.utilization"}
    async with client(app, owner) as browser:
        assert (
            await browser.get("/api/v2/series", params=metric | {"server": str(theirs)})
        ).status_code == 404
        assert (await browser.get("/api/v2/series", params=metric)).status_code == 200
    fleet = (await ask(app, owner, "GET", "/api/v2/completeness")).json()
    assert str(theirs) not in str(fleet)


async def test_a_server_that_changes_hands_is_gone_with_the_next_request(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    other = await a_team(runtime, "Other")
    server = await a_server(runtime, team, "web-1")
    path = f"/api/v2/servers/{server}"
    assert await code(app, owner, "GET", path) == 200
    async with database.connection() as connection:
        await connection.execute("UPDATE servers SET team_id = $1 WHERE id = $2", [other, server])
    assert await code(app, owner, "GET", path) == "no_such_server"


async def test_a_grant_reaches_its_server_and_no_further(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    guest = await a_member(runtime, team, Role.GUEST)
    one, two = await a_server(runtime, team, "one", "web"), await a_server(runtime, team, "two", "db")
    assert await code(app, guest, "GET", "/api/v2/servers") == "permission_missing"
    body = {"role": "viewer", "user_id": str(guest.id), "server_id": str(one)}
    assert await code(app, owner, "POST", f"{TEAM}/grants", body) == 201
    assert [found["id"] for found in await items(app, guest, "/api/v2/servers")] == [str(one)]
    assert await code(app, guest, "GET", f"/api/v2/servers/{one}") == 200
    assert await code(app, guest, "GET", f"/api/v2/servers/{two}") == "no_such_server"
    refused = await ask(app, guest, "PATCH", f"/api/v2/servers/{one}", {"name": "x"})
    assert refused.status_code == 403
    assert "servers:change" in refused.json()["detail"]
    assert await code(app, guest, "GET", TEAM) == "permission_missing"


async def test_a_grant_on_a_tag_follows_the_tag(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    guest = await a_member(runtime, team, Role.GUEST)
    server = await a_server(runtime, team, "one", "web")
    body = {"role": "developer", "user_id": str(guest.id), "tag": "web"}
    made = (await ask(app, owner, "POST", f"{TEAM}/grants", body)).json()
    path = f"/api/v2/servers/{server}"
    assert await code(app, guest, "GET", path) == 200
    assert await code(app, owner, "PATCH", path, {"tags": ["db"]}) == 200
    assert await code(app, guest, "GET", path) == "no_such_server"
    assert await code(app, owner, "PATCH", path, {"tags": ["web"]}) == 200
    assert await code(app, guest, "GET", path) == 200
    assert await code(app, owner, "DELETE", f"{TEAM}/grants/{made['id']}") == 204
    assert await code(app, guest, "GET", path) == "no_such_server"


async def test_a_role_taken_away_is_gone_with_the_next_request(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    principal = await runtime.accounts.by_session(admin.secret)
    assert principal is not None
    token = (await runtime.tokens.create(principal, WantedToken("ci"))).secret
    assert await code(app, token, "GET", "/api/v2/audit") == 200
    assert await code(app, owner, "PATCH", f"{MEMBERS}/{admin.id}", {"role": "viewer"}) == 204
    assert await code(app, admin, "GET", "/api/v2/audit") == "permission_missing"
    assert await code(app, token, "GET", "/api/v2/audit") == "permission_missing"
    assert await code(app, token, "GET", TEAM) == 200
    assert await code(app, owner, "DELETE", f"{MEMBERS}/{admin.id}") == 204
    assert await code(app, admin, "GET", TEAM) == "permission_missing"
    assert await code(app, token, "GET", TEAM) == "bad_token"


async def test_an_admin_touches_no_owner_and_makes_none(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    assert await code(app, admin, "PATCH", f"{MEMBERS}/{owner.id}", {"role": "viewer"}) == "not_yours_to_give"
    assert await code(app, admin, "DELETE", f"{MEMBERS}/{owner.id}") == "not_yours_to_give"
    assert await code(app, admin, "PATCH", f"{MEMBERS}/{admin.id}", {"role": "owner"}) == "not_yours_to_give"
    invited = {"email": "eve@example.org", "role": "owner"}
    assert await code(app, admin, "POST", f"{TEAM}/invitations", invited) == "not_yours_to_give"
    assert await code(app, admin, "POST", f"{TEAM}/owner", {"user_id": str(admin.id)}) == "permission_missing"


async def test_a_team_keeps_an_owner_however_many_leave_at_once(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    second = await a_member(runtime, team, Role.OWNER)
    outcomes = await asyncio.gather(*(code(app, one, "POST", f"{TEAM}/leave") for one in (owner, second)))
    assert sorted(map(str, outcomes)) == ["204", "last_owner"]
    assert await members.count_owners(Scope(team)) == 1


async def test_the_last_owner_cannot_be_made_less(app: Litestar, owner: Someone) -> None:
    assert await code(app, owner, "PATCH", f"{MEMBERS}/{owner.id}", {"role": "admin"}) == "last_owner"
    assert await code(app, owner, "DELETE", f"{MEMBERS}/{owner.id}") == "last_owner"


async def test_a_team_is_handed_over(app: Litestar, runtime: Runtime, team: UUID, owner: Someone) -> None:
    heir = await a_member(runtime, team, Role.VIEWER)
    assert await code(app, owner, "POST", f"{TEAM}/owner", {"user_id": str(heir.id)}) == 204
    roles = {one["user_id"]: one["role"] for one in await items(app, heir, MEMBERS)}
    assert (roles[str(owner.id)], roles[str(heir.id)]) == ("admin", "owner")


async def test_an_own_role_is_never_more_than_its_maker_has(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    roles = f"{TEAM}/roles"
    keeper = await ask(
        app, owner, "POST", roles, {"name": "Keeper", "permissions": ["roles:manage", "team:read"]}
    )
    assert keeper.status_code == 201, keeper.text
    role_id = keeper.json()["id"]
    someone = await a_member(runtime, team, RoleName("own", UUID(role_id)))
    assert await code(app, someone, "GET", roles) == 200
    more = {"name": "More", "permissions": ["servers:revoke"]}
    assert await code(app, someone, "POST", roles, more) == "not_yours_to_give"
    grown = {"permissions": ["roles:manage", "team:read", "tokens:manage"]}
    assert await code(app, someone, "PATCH", f"{roles}/{role_id}", grown) == "not_yours_to_give"
    for bad, refusal in (
        ({"name": "keeper", "permissions": []}, "role_name_taken"),
        ({"name": "Admin", "permissions": []}, "bad_role_name"),
        ({"name": "X", "permissions": ["nobody:knows"]}, "unknown_permission"),
        ({"name": "X", "permissions": ["installation:write"]}, "unknown_permission"),
    ):
        assert await code(app, owner, "POST", roles, bad) == refusal
    assert await code(app, owner, "DELETE", f"{roles}/{role_id}") == "role_in_use"
    assert await code(app, owner, "PATCH", f"{roles}/{role_id}", {"permissions": ["team:read"]}) == 200
    assert await code(app, someone, "POST", roles, {"name": "Y", "permissions": []}) == "permission_missing"
    assert await code(app, owner, "PATCH", f"{MEMBERS}/{someone.id}", {"role": "viewer"}) == 204
    assert await code(app, owner, "DELETE", f"{roles}/{role_id}") == 204


async def test_what_a_token_makes_may_no_more_than_it(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    made = await ask(
        app, owner, "POST", f"{TEAM}/roles", {"name": "Keys", "permissions": ["tokens:own", "tokens:manage"]}
    )
    token = await a_token(runtime, team, RoleName("own", UUID(made.json()["id"])))
    second = await ask(app, token, "POST", "/api/v2/tokens", {"name": "second"})
    assert second.status_code == 201, second.text
    assert await code(app, second.json()["secret"], "GET", "/api/v2/tokens") == 200
    assert await code(app, second.json()["secret"], "GET", "/api/v2/servers") == "permission_missing"


async def test_ids_of_another_team_are_unknown(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    other = await a_team(runtime, "Other")
    stranger = await a_member(runtime, other, Role.OWNER)
    role = (await ask(app, stranger, "POST", f"{TEAM}/roles", {"name": "R", "permissions": []})).json()["id"]
    invited = await ask(
        app, stranger, "POST", f"{TEAM}/invitations", {"email": "x@example.org", "role": "viewer"}
    )
    grant = {"role": "viewer", "user_id": str(stranger.id), "tag": "web"}
    granted = (await ask(app, stranger, "POST", f"{TEAM}/grants", grant)).json()["id"]
    theirs, mine = await a_server(runtime, other, "s"), await a_member(runtime, team, Role.GUEST)
    token = await a_token(runtime, other, RoleName("viewer"))
    del token
    for method, path, body, refusal in (
        ("PATCH", f"{MEMBERS}/{stranger.id}", {"role": "viewer"}, "no_such_member"),
        ("DELETE", f"{MEMBERS}/{stranger.id}", None, "no_such_member"),
        ("GET", f"{MEMBERS}/{stranger.id}/permissions", None, "no_such_member"),
        ("PATCH", f"{MEMBERS}/{mine.id}", {"role": "own", "role_id": role}, "no_such_role"),
        ("PATCH", f"{TEAM}/roles/{role}", {"name": "Mine"}, "no_such_role"),
        ("DELETE", f"{TEAM}/roles/{role}", None, "no_such_role"),
        ("DELETE", f"{TEAM}/grants/{granted}", None, "no_such_grant"),
        ("POST", f"{TEAM}/grants", {"role": "viewer", "user_id": str(mine.id), "server_id": str(theirs)}, "no_such_server"),
        ("POST", f"{TEAM}/grants", grant, "no_such_member"),
        ("DELETE", f"{TEAM}/invitations/{invited.json()['invitation']['id']}", None, "no_such_invitation"),
        ("POST", f"{TEAM}/owner", {"user_id": str(stranger.id)}, "no_such_member"),
        ("POST", "/api/v2/me/team", {"team_id": str(other)}, "no_such_team"),
    ):  # fmt: skip
        assert await code(app, owner, method, path, body) == refusal, (method, path)


async def test_a_browser_goes_to_another_team_of_its_person(
    app: Litestar, runtime: Runtime, clock: ManualClock, team: UUID, owner: Someone
) -> None:
    other = await a_team(runtime, "Other")
    clock.advance(1)
    await invitations.insert_member(Scope(other), owner.id, RoleName("viewer"), runtime.clock.now())
    assert {one["name"] for one in await items(app, owner, "/api/v2/me/teams")} == {"Other", "Pudim"}
    assert (await ask(app, owner, "GET", TEAM)).json()["id"] == str(team)
    assert await code(app, owner, "POST", "/api/v2/me/team", {"team_id": str(other)}) == 204
    assert (await ask(app, owner, "GET", TEAM)).json()["id"] == str(other)
    assert await code(app, owner, "GET", "/api/v2/audit") == "permission_missing"


async def test_an_invitation_is_for_one_address_once_and_a_week(
    app: Litestar, runtime: Runtime, clock: ManualClock, owner: Someone
) -> None:
    bob, eve = await a_person(runtime, "bob"), await a_person(runtime, "eve")
    wish = {"email": "Bob@Example.org", "role": "developer"}
    made = (await ask(app, owner, "POST", f"{TEAM}/invitations", wish)).json()
    secret = made["link"].rpartition("/")[2]
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT invitations::text FROM invitations")).fetchall()
    assert secret not in str(rows)
    assert secret not in (await ask(app, owner, "GET", f"{TEAM}/invitations")).text
    eves, bobs, inviter = [await runtime.accounts.by_session(one.secret) for one in (eve, bob, owner)]
    assert inviter is not None
    assert eves is not None
    assert bobs is not None
    with pytest.raises(Exception, match="another address"):
        await runtime.joining.accept(eves, secret)
    await runtime.joining.accept(bobs, secret)
    assert await code(app, bob, "GET", "/api/v2/servers") == 200
    with pytest.raises(Exception, match="used or withdrawn"):
        await runtime.joining.accept(bobs, secret)
    late = (
        await ask(app, owner, "POST", f"{TEAM}/invitations", {"email": "eve@example.org", "role": "viewer"})
    ).json()
    clock.advance(INVITATION_LIFE + timedelta(seconds=1))
    with pytest.raises(Exception, match="has expired"):
        await runtime.joining.accept(eves, late["link"].rpartition("/")[2])
    assert await runtime.joining.all(inviter) == []


async def test_somebody_new_joins_with_an_account_of_his_own(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    wish = {"email": "new@example.org", "role": "viewer"}
    made = (await ask(app, owner, "POST", f"{TEAM}/invitations", wish)).json()
    secret = made["link"].rpartition("/")[2]
    tries = [
        runtime.joining.accept_as_new(secret, name="New", password="drei Pferde im Regen") for _ in range(2)
    ]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Exception) for one in outcomes) == 1
    names = {one["email"]: one["role"] for one in await items(app, owner, MEMBERS)}
    assert names["new@example.org"] == "viewer"


async def test_a_team_ends_with_its_servers_and_never_the_last_one(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    server = await a_server(runtime, team, "web-1")
    assert await code(app, owner, "POST", f"{TEAM}/delete", {"name": "Pudim"}) == "last_team"
    other = await a_team(runtime, "Other")
    boss = await a_member(runtime, other, Role.OWNER)
    gone = await a_server(runtime, other, "web-1", "web")
    await a_token(runtime, other, RoleName("viewer"))
    grant = {"role": "viewer", "user_id": str(boss.id), "server_id": str(gone)}
    assert await code(app, boss, "POST", f"{TEAM}/grants", grant) == 201
    await ask(app, boss, "POST", f"{TEAM}/roles", {"name": "R", "permissions": []})
    assert await code(app, boss, "POST", f"{TEAM}/delete", {"name": "other"}) == "wrong_name"
    admin = await a_member(runtime, other, Role.ADMIN)
    assert await code(app, admin, "POST", f"{TEAM}/delete", {"name": "Other"}) == "permission_missing"
    assert await code(app, boss, "POST", f"{TEAM}/delete", {"name": "Other"}) == 204
    assert await code(app, boss, "GET", TEAM) == "permission_missing"
    assert [one["id"] for one in await items(app, owner, "/api/v2/servers")] == [str(server)]
    async with database.connection() as connection:
        for table in ("servers", "grants", "roles", "memberships"):
            cursor = await connection.execute(f"SELECT count(*) FROM {table} WHERE team_id = $1", [other])  # type: ignore[arg-type] # noqa: S608
            assert (await cursor.fetchall())[0][0] == 0, table


async def test_only_operators_make_teams_and_look_after_the_store(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    assert await code(app, owner, "POST", "/api/v2/teams", {"name": "Two"}) == "permission_missing"
    assert await code(app, owner, "GET", "/api/v2/storage") == "permission_missing"
    async with database.connection() as connection:
        await connection.execute("UPDATE users SET operator = true WHERE id = $1", [owner.id])
    assert await code(app, owner, "GET", "/api/v2/storage") == 200
    assert await code(app, owner, "POST", "/api/v2/teams", {"name": "Two"}) == 201


async def test_who_may_what_and_why(app: Litestar, runtime: Runtime, team: UUID, owner: Someone) -> None:
    someone = await a_member(runtime, team, Role.VIEWER)
    body = {"role": "developer", "user_id": str(someone.id), "tag": "web"}
    await ask(app, owner, "POST", f"{TEAM}/grants", body)
    held = {
        one["permission"]: one["why"]
        for one in await items(app, owner, f"{MEMBERS}/{someone.id}/permissions")
    }
    assert held["servers:read"] == ["role viewer", "role developer on servers tagged web"]
    assert held["commands:run"] == ["role developer on servers tagged web"]
    assert "tokens:manage" not in held


async def post(app: Litestar, asking: Someone | None, path: str, **form: str) -> httpx.Response:
    async with client(app, asking) as browser:
        browser.headers["accept"] = "text/html"
        return await browser.post(path, data=form)


async def page(app: Litestar, who: Someone | None, path: str) -> httpx.Response:
    async with client(app, who) as browser:
        return await browser.get(path, headers={"accept": "text/html"})


async def test_the_pages_lead_from_an_invitation_to_a_member_with_a_role(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    made = await post(app, owner, "/team/invitations", email="bob@example.org", role="viewer")
    path = "/invitations/" + made.text.partition("/invitations/")[2].partition("<")[0]
    assert "Create account and join" in (await page(app, None, path)).text
    weak = await post(app, None, f"{path}/join", name="Bob", password="short")
    assert (weak.status_code, "at least 8" in weak.text) == (422, True)
    joined = await post(app, None, f"{path}/join", name="Bob <b>", password="drei Pferde im Regen")
    assert (joined.status_code, joined.headers["location"]) == (303, "/")
    assert "pudim=" in joined.headers["set-cookie"]
    assert (await page(app, None, path)).status_code == 404
    shown = (await page(app, owner, "/team")).text
    assert "Bob &lt;b&gt;" in shown
    assert "Bob <b>" not in shown
    (bob,) = [one for one in await items(app, owner, MEMBERS) if one["email"] == "bob@example.org"]
    assert (
        await post(app, owner, f"/team/members/{bob['user_id']}/role", role="developer")
    ).status_code == 303
    held = (await page(app, owner, f"/team/members/{bob['user_id']}")).text
    assert "commands:run" in held
    assert (await post(app, owner, f"/team/members/{owner.id}/role", role="viewer")).status_code == 409
    assert (await page(app, owner, f"/team/members/{uuid4()}")).status_code == 404
    who = f"user:{bob['user_id']}"
    granted = await post(app, owner, "/team/grants", who=who, role="admin", where="tag:web")
    assert granted.status_code == 303
    assert "servers tagged" in (await page(app, owner, "/team/grants")).text
    for wish in (
        {"who": who},
        {"who": "user:x", "where": "tag:web"},
        {"who": who, "where": f"server:{uuid4()}"},
    ):
        assert (await post(app, owner, "/team/grants", role="admin", **wish)).status_code in {404, 422}


async def test_who_has_an_account_joins_by_a_click_and_is_in_the_team_at_once(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    bob = await a_person(runtime, "bob")
    made = await post(app, owner, "/team/invitations", email="bob@example.org", role="viewer")
    path = "/invitations/" + made.text.partition("/invitations/")[2].partition("<")[0]
    assert "Sign in to join" in (await page(app, None, path)).text
    assert "You are signed in as" in (await page(app, bob, path)).text
    assert (await post(app, owner, f"{path}/accept")).status_code == 403
    assert (await post(app, bob, f"{path}/accept")).status_code == 303
    assert (await page(app, bob, "/servers")).status_code == 200
    assert (
        await post(app, bob, "/team/invitations", email="x@example.org", role="viewer")
    ).status_code == 403


async def test_the_page_of_roles_makes_changes_and_deletes_one(app: Litestar, owner: Someone) -> None:
    ticked = {"servers:read": "yes", "checks:read": "yes"}
    assert (await post(app, owner, "/team/roles", name="<i>Watch", **ticked)).status_code == 303
    (made,) = await items(app, owner, f"{TEAM}/roles")
    assert made["permissions"] == ["checks:read", "servers:read"]
    shown = (await page(app, owner, "/team/roles")).text
    assert "&lt;i&gt;Watch" in shown
    assert "<i>Watch" not in shown
    path = f"/team/roles/{made['id']}"
    assert (await post(app, owner, path, name="Watch", **{"servers:read": "yes"})).status_code == 303
    (changed,) = await items(app, owner, f"{TEAM}/roles")
    assert (changed["name"], changed["permissions"]) == ("Watch", ["servers:read"])
    assert (await post(app, owner, "/team/roles", name="admin")).status_code == 422
    assert (await post(app, owner, f"{path}/delete")).status_code == 303
    assert await items(app, owner, f"{TEAM}/roles") == []


async def test_the_menu_leads_to_ones_other_team(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    other = await a_team(runtime, "Other <b>")
    assert "page-team" not in (await page(app, owner, "/servers")).text
    await invitations.insert_member(Scope(other), owner.id, RoleName("viewer"), runtime.clock.now())
    assert "Other &lt;b&gt;" in (await page(app, owner, "/servers")).text
    await a_member(runtime, other, Role.OWNER)
    assert (await post(app, owner, "/team/switch", team=str(other))).status_code == 303
    assert (await post(app, owner, "/team/switch", team="x")).status_code == 404
    assert (await post(app, owner, "/team/leave")).status_code == 303


async def test_who_holds_a_permission_and_why(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    guest = await a_member(runtime, team, Role.GUEST, "guest")
    server = await a_server(runtime, team, "web-1", "web")
    body = {"role": "viewer", "user_id": str(guest.id), "server_id": str(server)}
    assert await code(app, owner, "POST", f"{TEAM}/grants", body) == 201
    principal = await runtime.accounts.by_session(owner.secret)
    assert principal is not None
    await runtime.tokens.create(principal, WantedToken("ci"))
    path = f"{TEAM}/permissions/servers:read/holders"
    found = {(one["kind"], one["name"]): one["why"] for one in await items(app, owner, path)}
    assert found["user", "ada"] == ["role owner"]
    assert found["user", "guest"] == [f"role viewer on {server}"]
    assert ("token", "ci") in found
    people = await items(app, owner, f"{TEAM}/permissions/team:delete/holders")
    assert ("user", "guest") not in {(one["kind"], one["name"]) for one in people}
    for unknown in ("no:such", "installation:teams"):
        assert await code(app, owner, "GET", f"{TEAM}/permissions/{unknown}/holders") == "no_such_permission"
    shown = (await page(app, owner, "/team/permissions/servers:read")).text
    assert f'href="/servers/{server}">web-1</a>' in shown


async def test_the_last_owner_is_told_how_to_go(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    assert "Its only owner" in (await page(app, owner, "/team")).text
    left = await post(app, owner, "/team/leave")
    assert (left.status_code, "Make somebody else an owner first." in left.text) == (409, True)
    assert 'href="/team/settings"' in left.text
    deleted = await post(app, owner, "/team/delete", name="Pudim")
    assert (deleted.status_code, "keeps at least one team" in deleted.text) == (409, True)
    wrong = await post(app, owner, "/team/delete", name="pudim")
    assert wrong.status_code == 409
    heir = await a_member(runtime, team, Role.VIEWER)
    assert (await post(app, owner, f"/team/members/{heir.id}/owner")).status_code == 303
    gone = await post(app, owner, "/team/leave")
    assert (gone.status_code, gone.headers["location"]) == (303, "/account/teams")
    assert "You are in no team" in (await page(app, owner, "/account/teams")).text


async def test_an_operator_makes_a_team_on_the_page_and_is_in_it(app: Litestar, owner: Someone) -> None:
    assert (await post(app, owner, "/account/teams", name="Two")).status_code == 403
    async with database.connection() as connection:
        await connection.execute("UPDATE users SET operator = true WHERE id = $1", [owner.id])
    refused = await post(app, owner, "/account/teams", name=" ")
    assert (refused.status_code, "1 to 128 characters" in refused.text) == (422, True)
    assert (await post(app, owner, "/account/teams", name="Two <b>")).status_code == 303
    assert "Two &lt;b&gt;" in (await page(app, owner, "/team")).text
