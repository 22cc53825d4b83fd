"""What tokens of people and of services may, as of each request, and that nobody gives or takes what he does not have."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.members import queries as members
from pudim_collector.features.members.queries import GrantRecord
from pudim_collector.features.roles import queries as roles
from pudim_collector.features.roles.queries import RoleName, RoleRecord
from pudim_collector.infra.database import database
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.ids import new_id
from tests.collector.teams.people import Someone, a_member, a_server, a_team, ask, back_again, client, code

TOKENS = "/api/v2/tokens"
SERVICE = {"name": "deploys", "kind": "service", "scopes": ["servers:read", "commands:run"]}


async def made(app: Litestar, who: Someone | str, **wanted: Any) -> tuple[str, dict[str, Any]]:
    """The secret, and the token as the API shows it."""
    answer = await ask(app, who, "POST", TOKENS, {"name": "x", **wanted})
    assert answer.status_code == 201, answer.text
    said = answer.json()
    return said["secret"], said["token"]


async def may(app: Litestar, token: str) -> dict[str, Any]:
    answer = await ask(app, token, "GET", "/api/v2/token")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def grant(runtime: Runtime, team: UUID, who: Someone, server: UUID | None, tag: str | None) -> None:
    role, now = RoleName(Role.DEVELOPER), runtime.clock.now()
    await members.insert_grant(Scope(team), GrantRecord(new_id(), who.id, None, role, server, tag, now))


async def test_a_service_outlives_who_made_its_token(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    service, told = await made(app, admin, **SERVICE)
    personal, _ = await made(app, admin)
    assert (told["kind"], told["maker"]) == ("service", admin.user.name)
    assert service.startswith("pud_svc_")
    assert personal.startswith("pud_pat_")
    assert await code(app, owner, "DELETE", f"/api/v2/team/members/{admin.id}") == 204
    assert await code(app, personal, "GET", "/api/v2/me") == "bad_token"
    assert (await may(app, service))["permissions"] == ["account:read", "commands:run", "servers:read"]


async def test_a_demotion_counts_for_a_personal_token_with_the_next_request(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    service, _ = await made(app, admin, **SERVICE)
    personal, _ = await made(app, admin)
    assert await code(app, personal, "GET", "/api/v2/addresses") == 200
    changed = {"role": "viewer"}
    assert await code(app, owner, "PATCH", f"/api/v2/team/members/{admin.id}", changed) == 204
    assert await code(app, personal, "GET", "/api/v2/addresses") == "permission_missing"
    assert await code(app, service, "GET", "/api/v2/servers") == 200


async def test_who_cannot_manage_tokens_makes_and_sees_his_own_only(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    viewer = await a_member(runtime, team, Role.VIEWER)
    _, service = await made(app, owner, **SERVICE)
    _, foreign = await made(app, owner)
    mine, own = await made(app, viewer)
    answer = await ask(app, viewer, "POST", TOKENS, SERVICE | {"scopes": ["servers:read"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert "tokens:manage" in answer.json()["detail"]
    for who in (viewer, mine):
        listed = (await ask(app, who, "GET", TOKENS)).json()["items"]
        assert [one["id"] for one in listed] == [own["id"]]
        for hidden in (service["id"], foreign["id"]):
            assert await code(app, who, "GET", f"{TOKENS}/{hidden}") == "no_such_token"
            assert await code(app, who, "DELETE", f"{TOKENS}/{hidden}") == "no_such_token"
            assert await code(app, who, "POST", f"{TOKENS}/{hidden}/renew", {}) in {
                "no_such_token",
                "only_people",
            }
    guest = await a_member(runtime, team, Role.GUEST)
    assert await code(app, guest, "POST", TOKENS, {"name": "x"}) == "permission_missing"


async def test_another_teams_tokens_do_not_exist(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    _, mine = await made(app, owner, **SERVICE)
    stranger = await a_member(runtime, await a_team(runtime, "Other"), Role.OWNER)
    assert (await ask(app, stranger, "GET", TOKENS)).json()["items"] == []
    for method, path in (("GET", ""), ("DELETE", ""), ("PATCH", ""), ("GET", "/addresses")):
        assert await code(app, stranger, method, f"{TOKENS}/{mine['id']}{path}", {}) == "no_such_token"
    assert await code(app, stranger, "POST", f"{TOKENS}/{mine['id']}/renew", {}) == "no_such_token"


async def test_an_admin_revokes_others_tokens_and_changes_none(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    secret, theirs = await made(app, owner)
    path = f"{TOKENS}/{theirs['id']}"
    assert await code(app, admin, "PATCH", path, {"name": "mine"}) == "only_its_maker"
    assert await code(app, admin, "POST", f"{path}/renew", {}) == "only_its_maker"
    assert await code(app, secret, "GET", "/api/v2/me") == 200
    assert await code(app, admin, "DELETE", path) == 204
    assert await code(app, secret, "GET", "/api/v2/me") == "bad_token"


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({"scopes": None}, "scopes_needed"),
        ({"scopes": ["team:delete"]}, "permission_missing"),
        ({"scopes": ["installation:read"]}, "permission_missing"),
        ({"only_servers": [str(UUID(int=7))]}, "no_such_server"),
        ({"networks": ["x"]}, "bad_networks"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "token_expiry"),
    ],
)
async def test_what_an_admin_cannot_give_a_service(
    app: Litestar, runtime: Runtime, team: UUID, wanted: dict[str, Any], refusal: str
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    assert await code(app, admin, "POST", TOKENS, SERVICE | wanted) == refusal
    assert (await ask(app, admin, "GET", TOKENS)).json()["items"] == []


async def test_nobody_gives_the_installation_to_a_service(app: Litestar, runtime: Runtime) -> None:
    operator = await a_member(runtime, await runtime.accounts.ensure_team(), Role.OWNER)
    async with database.connection() as connection:
        await connection.execute("UPDATE users SET operator = true WHERE id = $1", [operator.id])
    assert await code(app, operator, "GET", "/api/v2/storage") == 200
    wanted = SERVICE | {"scopes": ["installation:read"]}
    assert await code(app, operator, "POST", TOKENS, wanted) == "not_for_services"


async def test_whoever_holds_a_permission_on_one_server_gives_it_for_that_one(
    app: Litestar, runtime: Runtime, team: UUID
) -> None:
    mine, other = await a_server(runtime, team, "a", "web"), await a_server(runtime, team, "b")
    own = RoleRecord(new_id(), "keeper", ["tokens:manage", "tokens:own"], runtime.clock.now())
    await roles.insert_role(Scope(team), own)
    keeper = await a_member(runtime, team, RoleName(Role.OWN, own.id))
    await grant(runtime, team, keeper, mine, None)
    wide = SERVICE | {"scopes": ["servers:read"]}
    assert await code(app, keeper, "POST", TOKENS, wide) == "permission_missing"
    assert await code(app, keeper, "POST", TOKENS, wide | {"only_tags": ["web"]}) == "permission_missing"
    assert (
        await code(app, keeper, "POST", TOKENS, wide | {"only_servers": [str(other)]}) == "permission_missing"
    )
    secret, _ = await made(app, keeper, **wide, only_servers=[str(mine)])
    assert await code(app, secret, "GET", f"/api/v2/servers/{mine}") == 200
    assert await code(app, secret, "GET", f"/api/v2/servers/{other}") == "no_such_server"


async def test_a_personal_token_reaches_what_was_granted_to_its_maker(
    app: Litestar, runtime: Runtime, team: UUID
) -> None:
    mine, other = await a_server(runtime, team, "a", "web"), await a_server(runtime, team, "b", "db")
    own = RoleRecord(new_id(), "bare", ["tokens:own"], runtime.clock.now())
    await roles.insert_role(Scope(team), own)
    maker = await a_member(runtime, team, RoleName(Role.OWN, own.id))
    await grant(runtime, team, maker, None, "web")
    secret, _ = await made(app, maker)
    narrow, _ = await made(app, maker, only_servers=[str(mine)], scopes=["servers:read"])
    for token in (secret, narrow):
        assert await code(app, token, "GET", f"/api/v2/servers/{mine}") == 200
        assert await code(app, token, "GET", f"/api/v2/servers/{other}") == "no_such_server"
    (held,) = (await may(app, narrow))["on_servers"]
    assert (held["tag"], held["within"], held["permissions"]) == ("web", [str(mine)], ["servers:read"])
    await grant(runtime, team, maker, other, None)
    assert await code(app, secret, "GET", f"/api/v2/servers/{other}") == 200
    assert await code(app, narrow, "GET", f"/api/v2/servers/{other}") == "no_such_server"


async def test_what_a_token_makes_is_no_wider_in_time_nor_place(
    app: Litestar, runtime: Runtime, owner: Someone, clock: ManualClock
) -> None:
    soon = (clock.now() + timedelta(days=10)).isoformat()
    parent, _ = await made(app, owner, expires_at=soon, networks=["127.0.0.0/8"])
    child, told = await made(app, parent)
    assert told["expires_at"][:19] == soon[:19]
    assert told["networks"] == ["127.0.0.0/8"]
    assert child.startswith("pud_pat_")
    narrower = {"name": "x", "networks": ["127.0.0.1"]}
    assert await code(app, parent, "POST", TOKENS, narrower) == 201
    assert await code(app, parent, "POST", TOKENS, {"name": "x", "networks": ["::/0"]}) == "wider_addresses"
    assert await code(app, parent, "POST", TOKENS, {"name": "x", "expires_at": None}) == "lives_longer"
    service, _ = await made(app, owner, **SERVICE | {"scopes": ["tokens:own", "tokens:manage"]})
    assert await code(app, service, "POST", TOKENS, {"name": "x", "kind": "personal"}) == "no_person_behind"


async def test_a_change_counts_with_the_next_request(app: Litestar, owner: Someone) -> None:
    secret, told = await made(app, owner)
    path = f"{TOKENS}/{told['id']}"
    assert await code(app, secret, "GET", "/api/v2/senders") == 200
    changed = await ask(app, owner, "PATCH", path, {"name": "new", "scopes": ["servers:read"]})
    assert (changed.status_code, changed.json()["name"], changed.json()["scopes"]) == (
        200,
        "new",
        ["servers:read"],
    )
    assert await code(app, secret, "GET", "/api/v2/senders") == "permission_missing"
    assert await code(app, owner, "PATCH", path, {"scopes": None}) == 200
    assert await code(app, secret, "GET", "/api/v2/senders") == 200
    assert await code(app, secret, "PATCH", path, {"name": "self"}) == "only_people"


async def test_a_change_of_what_somebody_else_changed_meanwhile_is_refused(
    app: Litestar, owner: Someone
) -> None:
    _, told = await made(app, owner)
    path = f"{TOKENS}/{told['id']}"
    seen = (await ask(app, owner, "GET", path)).headers["etag"]
    await ask(app, owner, "PATCH", path, {"name": "first"})
    async with client(app, owner) as browser:
        late = await browser.patch(path, json={"name": "second"}, headers={"if-match": seen})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")


async def test_a_renewed_token_has_two_secrets_until_the_overlap_ends(
    app: Litestar, runtime: Runtime, owner: Someone, clock: ManualClock
) -> None:
    old, told = await made(app, owner, **SERVICE)
    path = f"{TOKENS}/{told['id']}/renew"
    answer = (await ask(app, owner, "POST", path, {"overlap_seconds": 3600})).json()
    new = answer["secret"]
    assert answer["token"]["id"] == told["id"]
    assert answer["token"]["previous_ends_at"] is not None
    assert [await code(app, one, "GET", "/api/v2/me") for one in (old, new)] == [200, 200]
    clock.advance(timedelta(hours=1))
    assert [await code(app, one, "GET", "/api/v2/me") for one in (old, new)] == ["token_expired", 200]
    third = (await ask(app, await back_again(runtime, owner), "POST", path, {})).json()["secret"]
    told_now = [await code(app, one, "GET", "/api/v2/me") for one in (old, new, third)]
    assert told_now == ["bad_token", "bad_token", 200]
    overlong = {"overlap_seconds": 604_801}
    assert await code(app, await back_again(runtime, owner), "POST", path, overlong) == "invalid_request"


async def test_a_token_renews_itself_and_nothing_else_and_for_no_longer(
    app: Litestar, owner: Someone, clock: ManualClock
) -> None:
    secret, told = await made(app, owner)
    _, beside = await made(app, owner)
    assert await code(app, secret, "POST", f"{TOKENS}/{beside['id']}/renew", {}) == "only_people"
    path = f"{TOKENS}/{told['id']}/renew"
    clock.advance(timedelta(days=10))
    later = (clock.now() + timedelta(days=90)).isoformat()
    assert await code(app, secret, "POST", path, {"expires_at": later}) == "lives_longer"
    renewed = (await ask(app, secret, "POST", path, {})).json()
    assert renewed["token"]["expires_at"] == told["expires_at"]
    assert await code(app, renewed["secret"], "GET", "/api/v2/me") == 200
    assert await code(app, secret, "GET", "/api/v2/me") == "bad_token"


async def test_nobody_renews_a_service_that_may_more_than_he(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    _, strong = await made(app, owner, **SERVICE | {"scopes": ["team:delete"]})
    _, weak = await made(app, owner, **SERVICE)
    await runtime.tokens.local_access_token()
    local = next(
        one for one in (await ask(app, admin, "GET", TOKENS)).json()["items"] if one["name"] == "local access"
    )
    for token, expected in ((strong, "permission_missing"), (local, "permission_missing"), (weak, 201)):
        assert await code(app, admin, "POST", f"{TOKENS}/{token['id']}/renew", {}) == expected
    widened = {"scopes": ["owners:manage"]}
    assert await code(app, admin, "PATCH", f"{TOKENS}/{weak['id']}", widened) == "permission_missing"
    assert await code(app, admin, "PATCH", f"{TOKENS}/{weak['id']}", {"scopes": None}) == "scopes_needed"


async def test_an_expired_token_says_so_and_a_revoked_one_does_not(
    app: Litestar, owner: Someone, clock: ManualClock
) -> None:
    secret, told = await made(app, owner)
    revoked, other = await made(app, owner)
    left = (await may(app, secret))["seconds_left"]
    assert 90 * 86_400 - 60 <= left <= 90 * 86_400
    assert await code(app, owner, "DELETE", f"{TOKENS}/{other['id']}") == 204
    clock.advance(timedelta(days=84))
    assert (await may(app, secret))["token"]["expires_soon"] is True
    clock.advance(timedelta(days=6))
    answer = await ask(app, secret, "GET", "/api/v2/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await code(app, revoked, "GET", "/api/v2/me") == "bad_token"
    assert told["expires_soon"] is False


async def test_only_people_have_factors_sessions_and_passkeys(app: Litestar, runtime: Runtime) -> None:
    token = await runtime.tokens.local_access_token()
    for path in ("/api/v2/second-factors", "/api/v2/sessions", "/api/v2/passkeys"):
        assert await code(app, token, "GET", path) == "only_people"
