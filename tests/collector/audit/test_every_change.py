"""Every route that changes something is driven once so that it succeeds, and leaves the entry that its feature declares."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.features import KEPT
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.invitations.queries import insert_member
from pudim_collector.features.roles.queries import RoleName, RoleRecord, insert_role
from pudim_collector.infra.auditing import UNTOLD
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import enrol
from tests.collector.audit.entries import rows
from tests.collector.audit.test_walk import changing
from tests.collector.teams.people import Someone, a_member, a_person, a_server, a_team

PASSWORD, OTHER_PASSWORD = "correct horse battery pile", "quite another staple of horses"
CHECK = {"name": "web", "kind": "http", "settings": {"url": "https://example.org"}}
LIMITS = {"raw": {"days": 9}, "minute": {"days": 99}, "hour": {"days": 999}}
RECEIVER = {"name": "logs", "kind": "syslog_tcp", "host": "logs.example.org", "port": 6514}
TOKEN = {"name": "deploy", "kind": "personal"}
TOKEN_FORM = {
    "name": "ship",
    "kind": "personal",
    "may": "chosen",
    "servers:read": "on",
    "expires_in_days": "30",
}
ELSEWHERE = {
    "POST /account/factors/app": "tests/collector/factors: a code of an app",
    "POST /account/factors/app/remove": "tests/collector/factors: a code of an app",
    "DELETE /api/v2/second-factors/app": "tests/collector/factors: a code of an app",
    "POST /account/factors/codes": "tests/collector/factors: only who has a factor has codes",
    "POST /api/v2/second-factors/recovery-codes": "tests/collector/factors: only who has a factor has codes",
    "POST /account/factors/passkeys/{passkey_id}/remove": "tests/collector/factors: an authenticator",
    "POST /account/passkeys": "tests/collector/factors: an authenticator",
    "POST /account/prove/passkey": "tests/collector/factors: an authenticator",
    "POST /sign-in/factor": "tests/collector/factors: a half session",
    "POST /sign-in/factor/passkey": "tests/collector/factors: an authenticator",
    "POST /sign-in/factor/passkey/options": "tests/collector/factors: a challenge changes nothing",
    "POST /sign-in/passkey": "tests/collector/factors: an authenticator",
    "POST /sign-in/passkey/options": "a challenge changes nothing",
    "POST /servers/{server_id}/commands": "tests/collector/commands: an agent that is there",
    "POST /api/v2/servers/{server_id}/commands": "tests/collector/commands: an agent that is there",
    "POST /team/second-factor": "tests/collector/factors: who demands a factor has one",
    "PUT /api/v2/team/second-factor": "tests/collector/factors: who demands a factor has one",
    "POST /account/email": "tests/collector/accounts: a mail server",
    "POST /account/email/{link}": "tests/collector/accounts: the link of a mail",
    "POST /api/v1/write": "samples are no change of settings",
    "POST /v1/metrics": "samples are no change of settings",
}
"""What needs another end to succeed, and where that is."""


def client(app: Litestar, who: Someone | None) -> httpx.AsyncClient:
    """A browser; nobody's is on our own pages."""
    headers = who.headers if who else {"sec-fetch-site": "same-origin"}
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 40_000))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://pudim.test", headers=headers)


@dataclass
class World:
    """A collector with its first team, and people and things that are made as they are needed."""

    app: Litestar
    runtime: Runtime
    team: UUID
    owner: Someone

    @property
    def scope(self) -> Scope:
        return Scope(self.team)

    async def member(self, role: Role = Role.VIEWER) -> Someone:
        return await a_member(self.runtime, self.team, role)

    async def another_owner(self) -> Someone:
        """Somebody with a session of his own in this team, to lose."""
        return await self.member(Role.OWNER)

    async def server(self) -> UUID:
        return await a_server(self.runtime, self.team, f"web-{new_id().hex[-6:]}")

    async def role(self) -> UUID:
        made = RoleRecord(new_id(), f"role {new_id().hex[-8:]}", ["servers:read"], self.runtime.clock.now())
        await insert_role(self.scope, made)
        return made.id

    async def with_password(self) -> Someone:
        """A member who signs in with PASSWORD."""
        name = f"pia-{new_id().hex[-8:]}"
        accounts = self.runtime.accounts
        person = await accounts.prepare_person(name=name, email=f"{name}@example.org", password=PASSWORD)
        await accounts.add_person(person)
        await insert_member(self.scope, person.id, RoleName(Role.OWNER), self.runtime.clock.now())
        return Someone(person, (await accounts.open_session(person, Visitor("203.0.113.7"))).secret)

    async def made(self, path: str, body: Any) -> UUID:
        """The id of what the API makes of this."""
        async with client(self.app, self.owner) as browser:
            answer = await browser.post(path, json=body)
        assert answer.status_code < 400, answer.text
        return UUID(_id(answer.json()))

    async def invited(self, email: str) -> tuple[UUID, str]:
        """An invitation's id and the secret of its link."""
        async with client(self.app, self.owner) as browser:
            answer = await browser.post("/api/v2/team/invitations", json={"email": email, "role": "viewer"})
        assert answer.status_code < 400, answer.text
        said = answer.json()
        return UUID(_id(said)), str(said["link"]).rsplit("/", 1)[1]


def _id(said: dict[str, Any]) -> str:
    """Of what was made, which stands beside its secret where it has one."""
    return said["id"] if "id" in said else next(one["id"] for one in said.values() if isinstance(one, dict))


@dataclass(frozen=True)
class Asked:
    """What one request says, and who asks; the owner where it is nobody else."""

    parts: dict[str, Any]
    json: Any = None
    form: dict[str, Any] | None = None
    who: Someone | str | None = None
    openly: bool = False


Ask = Callable[[World], Awaitable[Asked]]


@dataclass(frozen=True)
class Drive:
    """`action` is the entry that it has to leave; None where it says itself why it leaves none.

    It `changes` what then is told before and after; it `forgets` who did it, who then has no name and address any more.
    """

    action: str | None
    ask: Ask
    changes: bool = False
    forgets: bool = False


def plain(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(_: World) -> Asked:
        return Asked({}, json, form)

    return ask


def of_server(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(world: World) -> Asked:
        return Asked({"server_id": await world.server()}, json, form)

    return ask


def of_made(name: str, path: str, body: Any, json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(world: World) -> Asked:
        return Asked({name: await world.made(path, body)}, json, form)

    return ask


def of_check(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(world: World) -> Asked:
        server = await world.server()
        check = await world.made(f"/api/v2/servers/{server}/checks", CHECK)
        return Asked({"server_id": server, "check_id": check}, json, form)

    return ask


def of_role(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(world: World) -> Asked:
        return Asked({"role_id": await world.role()}, json, form)

    return ask


def of_member(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    async def ask(world: World) -> Asked:
        return Asked({"user_id": (await world.member()).id}, json, form)

    return ask


def by_another(json: Any = None, form: dict[str, Any] | None = None) -> Ask:
    """By an owner whose session or membership ends with it."""

    async def ask(world: World) -> Asked:
        return Asked({}, json, form, await world.another_owner())

    return ask


async def hand_over(world: World) -> Asked:
    heir, giver = await world.member(), await world.another_owner()
    return Asked({"user_id": heir.id}, {"user_id": str(heir.id)}, None, giver)


async def hand_over_on_page(world: World) -> Asked:
    heir, giver = await world.member(), await world.another_owner()
    return Asked({"user_id": heir.id}, None, {}, giver)


async def end_session(world: World) -> Asked:
    opened = await world.runtime.accounts.open_session(world.owner.user, Visitor("203.0.113.8"))
    return Asked({"session_id": opened.id}, None, {})


async def grant(world: World) -> Asked:
    return Asked({}, {"role": "developer", "user_id": str((await world.member()).id), "tag": "web"})


async def grant_on_page(world: World) -> Asked:
    who = await world.member()
    return Asked({}, None, {"who": f"user:{who.id}", "role": "developer", "where": "tag:web"})


async def withdraw_grant(world: World) -> Asked:
    body = {"role": "developer", "user_id": str((await world.member()).id), "tag": "web"}
    return Asked({"grant_id": await world.made("/api/v2/team/grants", body)}, None, {})


async def of_invitation(world: World) -> Asked:
    return Asked({"invitation_id": (await world.invited("eva@example.org"))[0]}, None, {})


async def join(world: World) -> Asked:
    _, secret = await world.invited("joana@example.org")
    form = {"name": "Joana", "password": PASSWORD}
    return Asked({"secret": secret}, None, form, openly=True)


async def accept(world: World) -> Asked:
    guest = await a_person(world.runtime, f"rui-{new_id().hex[-6:]}")
    await a_team(world.runtime, "beside")
    _, secret = await world.invited(guest.user.email)
    return Asked({"secret": secret}, None, {}, guest)


async def switch(world: World) -> Asked:
    traveller, beside = await world.member(), await a_team(world.runtime, "Beside")
    await insert_member(Scope(beside), traveller.id, RoleName(Role.VIEWER), world.runtime.clock.now())
    await rows("UPDATE sessions SET team_id = $1 WHERE user_id = $2", world.team, traveller.id)
    return Asked({}, {"team_id": str(beside)}, None, traveller)


async def switch_on_page(world: World) -> Asked:
    asked = await switch(world)
    return Asked({}, None, {"team": asked.json["team_id"]}, asked.who)


async def make_team(world: World) -> Asked:
    """By somebody whose session goes there with it."""
    founder = await world.another_owner()
    await rows("UPDATE users SET operator = true WHERE id = $1", founder.id)
    return Asked({}, {"name": "Second"}, None, founder)


async def make_team_on_page(world: World) -> Asked:
    asked = await make_team(world)
    return Asked({}, None, {"name": "Third"}, asked.who)


async def delete_team(world: World) -> Asked:
    doomed = await a_team(world.runtime, "Doomed")
    return Asked({}, {"name": "Doomed"}, None, await a_member(world.runtime, doomed, Role.OWNER))


async def delete_team_on_page(world: World) -> Asked:
    asked = await delete_team(world)
    return Asked({}, None, asked.json, asked.who)


async def keep_rows(world: World) -> Asked:
    (one, *_) = KEPT
    return Asked({"name": one.name}, {"days": one.days + 1})


async def keep_rows_on_page(_: World) -> Asked:
    (one, *_others) = KEPT
    return Asked({}, None, {"name": one.name, "days": str(one.days + 2)})


async def delete_oneself(world: World) -> Asked:
    leaving = await world.member()
    body = {"email": leaving.user.email}
    return Asked({}, body, body, leaving)


async def delete_somebody(world: World) -> Asked:
    leaving = await world.member()
    return Asked({"user_id": leaving.id}, {"email": leaving.user.email})


async def enrol_agent(world: World) -> Asked:
    invited = await world.runtime.servers.create_token("new")
    said: dict[str, Any] = {}

    async def keep(request: httpx.Request) -> httpx.Response:
        said.update(json.loads(request.content))
        return httpx.Response(201, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(keep), base_url="http://x") as nobody:
        await enrol(nobody, invited.token)
    return Asked({}, said, openly=True)


async def change_password(world: World) -> Asked:
    form = {"current": PASSWORD, "password": OTHER_PASSWORD}
    return Asked({}, None, form, await world.with_password())


async def sign_in(world: World) -> Asked:
    person = await world.with_password()
    return Asked({}, None, {"email": person.user.email, "password": PASSWORD}, openly=True)


async def prove(world: World) -> Asked:
    return Asked({}, None, {"password": PASSWORD}, await world.with_password())


async def reset_asked(world: World) -> Asked:
    person = await world.with_password()
    return Asked({}, None, {"email": person.user.email}, openly=True)


async def reset(world: World) -> Asked:
    person = await world.with_password()
    link = await world.runtime.credentials.reset_link(person.user.email)
    return Asked({"link": link.rsplit("/", 1)[1]}, None, {"password": OTHER_PASSWORD}, openly=True)


async def set_up(world: World) -> Asked:
    await rows("UPDATE users SET operator = false")
    link = await world.runtime.accounts.ensure_setup_link()
    assert link is not None
    form = {"name": "Ada", "email": "ada.first@example.org", "password": PASSWORD}
    return Asked({"link": link.rsplit("/", 1)[1]}, None, form, openly=True)


MEMBER, SENDER = {"role": "viewer"}, {"name": "prom"}
DRIVES: dict[str, Drive] = {
    "POST /account/addresses": Drive("addresses.changed", plain(form={"networks": "0.0.0.0/0\n::/0"}), True),
    "POST /account/teams": Drive("team.created", make_team_on_page),
    "POST /account/password": Drive("password.changed", change_password),
    "POST /account/profile": Drive("profile.changed", plain(form={"name": "Ada L", "language": "", "time_zone": ""})),
    "POST /account/prove": Drive("session.proved", prove),
    "POST /account/sessions/end-others": Drive("session.others_ended", plain(form={})),
    "POST /account/sessions/{session_id}/end": Drive("session.ended", end_session),
    "POST /agent/v1/enrol": Drive("server.enrolled", enrol_agent),
    "PUT /api/v2/addresses": Drive("addresses.changed", plain({"networks": ["203.0.113.0/24"], "confirm": True}), True),
    "POST /api/v2/audit-receivers": Drive("receiver.added", plain(RECEIVER)),
    "DELETE /api/v2/audit-receivers/{receiver_id}": Drive("receiver.removed", of_made("receiver_id", "/api/v2/audit-receivers", RECEIVER)),
    "PUT /api/v2/audit/settings": Drive("audit.retention_changed", plain({"days": 90}), True),
    "POST /api/v2/enrolment-tokens": Drive("server.invited", plain({"name": "new"})),
    "PATCH /api/v2/me": Drive("profile.changed", plain({"name": "Ada M"})),
    "POST /api/v2/me/team": Drive("session.team", switch, True),
    "POST /api/v2/senders": Drive("sender.created", plain(SENDER)),
    "DELETE /api/v2/senders/{sender_id}": Drive("sender.revoked", of_made("sender_id", "/api/v2/senders", SENDER)),
    "PATCH /api/v2/senders/{sender_id}": Drive("sender.caps_changed", of_made("sender_id", "/api/v2/senders", SENDER, {"most_series": 5, "most_servers": 5})),
    "DELETE /api/v2/servers/{server_id}": Drive("server.revoked", of_server()),
    "PATCH /api/v2/servers/{server_id}": Drive("server.changed", of_server({"name": "y"}), True),
    "POST /api/v2/servers/{server_id}/checks": Drive("check.created", of_server(CHECK)),
    "DELETE /api/v2/servers/{server_id}/checks/{check_id}": Drive("check.removed", of_check()),
    "PATCH /api/v2/servers/{server_id}/checks/{check_id}": Drive("check.changed", of_check({"name": "other"}), True),
    "POST /api/v2/sessions/end-others": Drive("session.others_ended", plain()),
    "DELETE /api/v2/sessions/{session_id}": Drive("session.ended", end_session),
    "PUT /api/v2/storage/limits": Drive("retention.changed", plain(LIMITS), True),
    "POST /api/v2/storage/preview": Drive(None, plain(LIMITS)),
    "PATCH /api/v2/team": Drive("team.renamed", plain({"name": "Renamed"}), True),
    "POST /api/v2/team/delete": Drive("team.deleted", delete_team),
    "POST /api/v2/team/grants": Drive("grant.made", grant),
    "DELETE /api/v2/team/grants/{grant_id}": Drive("grant.withdrawn", withdraw_grant),
    "POST /api/v2/team/invitations": Drive("invitation.made", plain({"email": "bo@example.org", **MEMBER})),
    "DELETE /api/v2/team/invitations/{invitation_id}": Drive("invitation.withdrawn", of_invitation),
    "POST /api/v2/team/leave": Drive("member.left", by_another()),
    "DELETE /api/v2/team/members/{user_id}": Drive("member.removed", of_member()),
    "PATCH /api/v2/team/members/{user_id}": Drive("member.changed", of_member({"role": "developer"}), True),
    "POST /api/v2/team/owner": Drive("team.handed_over", hand_over, True),
    "POST /api/v2/team/roles": Drive("role.created", plain({"name": "watch", "permissions": ["servers:read"]})),
    "DELETE /api/v2/team/roles/{role_id}": Drive("role.deleted", of_role()),
    "PATCH /api/v2/team/roles/{role_id}": Drive("role.changed", of_role({"permissions": ["checks:read"]}), True),
    "POST /api/v2/teams": Drive("team.created", make_team),
    "POST /api/v2/tokens": Drive("token.created", plain(TOKEN)),
    "DELETE /api/v2/tokens/{token_id}": Drive("token.revoked", of_made("token_id", "/api/v2/tokens", TOKEN)),
    "PATCH /api/v2/tokens/{token_id}": Drive("token.changed", of_made("token_id", "/api/v2/tokens", TOKEN, {"name": "other"}), True),
    "PUT /api/v2/tokens/{token_id}/addresses": Drive("token.addresses_changed", of_made("token_id", "/api/v2/tokens", TOKEN, {"networks": ["203.0.113.0/24"]}), True),
    "POST /api/v2/tokens/{token_id}/renew": Drive("token.renewed", of_made("token_id", "/api/v2/tokens", TOKEN, {})),
    "POST /audit/receivers": Drive("receiver.added", plain(form={"name": "logs", "kind": "syslog_udp", "where": "logs.example.org:514"})),
    "POST /audit/receivers/{receiver_id}/remove": Drive("receiver.removed", of_made("receiver_id", "/api/v2/audit-receivers", RECEIVER, form={})),
    "POST /audit/retention": Drive("audit.retention_changed", plain(form={"days": "100"}), True),
    "POST /invitations/{secret}/accept": Drive("member.joined", accept),
    "POST /invitations/{secret}/join": Drive("member.joined", join),
    "POST /reset": Drive("password.reset_asked", reset_asked),
    "POST /reset/{link}": Drive("password.reset", reset),
    "POST /senders": Drive("sender.created", plain(form={"name": "otel", "most_series": "", "most_servers": ""})),
    "POST /senders/{sender_id}/revoke": Drive("sender.revoked", of_made("sender_id", "/api/v2/senders", SENDER, form={})),
    "POST /servers/add": Drive("server.invited", plain(form={"name": "new"})),
    "POST /servers/{server_id}/checks": Drive("check.created", of_server(form={"name_of_check": "web", "kind": "http", "url": "https://example.org"})),
    "POST /servers/{server_id}/checks/{check_id}/pause": Drive("check.changed", of_check(form={}), True),
    "POST /servers/{server_id}/checks/{check_id}/remove": Drive("check.removed", of_check(form={})),
    "POST /servers/{server_id}/checks/{check_id}/resume": Drive("check.changed", of_check(form={})),
    "POST /servers/{server_id}/tags": Drive("server.changed", of_server(form={"tags": "a, b"}), True),
    "POST /sign-in": Drive("session.begun", sign_in),
    "POST /sign-out": Drive("session.ended", by_another(form={})),
    "POST /storage": Drive("retention.changed", plain(form={"raw_days": "8", "minute_days": "98", "hour_days": "998", "confirmed": "yes"}), True),
    "POST /team/delete": Drive("team.deleted", delete_team_on_page),
    "POST /team/grants": Drive("grant.made", grant_on_page),
    "POST /team/grants/{grant_id}/withdraw": Drive("grant.withdrawn", withdraw_grant),
    "POST /team/invitations": Drive("invitation.made", plain(form={"email": "cy@example.org", "role": "viewer"})),
    "POST /team/invitations/{invitation_id}/withdraw": Drive("invitation.withdrawn", of_invitation),
    "POST /team/leave": Drive("member.left", by_another(form={})),
    "POST /team/members/{user_id}/owner": Drive("team.handed_over", hand_over_on_page, True),
    "POST /team/members/{user_id}/remove": Drive("member.removed", of_member(form={})),
    "POST /team/members/{user_id}/role": Drive("member.changed", of_member(form={"role": "developer"}), True),
    "POST /team/rename": Drive("team.renamed", plain(form={"name": "Again"}), True),
    "POST /team/roles": Drive("role.created", plain(form={"name": "look", "permissions": "servers:read"})),
    "POST /team/roles/{role_id}": Drive("role.changed", of_role(form={"name": "looked", "permissions": "servers:read"}), True),
    "POST /team/roles/{role_id}/delete": Drive("role.deleted", of_role(form={})),
    "POST /team/switch": Drive("session.team", switch_on_page, True),
    "POST /account/tokens": Drive("token.created", plain(form=TOKEN_FORM)),
    "POST /account/tokens/{token_id}": Drive("token.changed", of_made("token_id", "/api/v2/tokens", TOKEN, form=TOKEN_FORM), True),
    "POST /account/tokens/{token_id}/renew": Drive("token.renewed", of_made("token_id", "/api/v2/tokens", TOKEN, form={"expires_in_days": "90"})),
    "POST /account/tokens/{token_id}/revoke": Drive("token.revoked", of_made("token_id", "/api/v2/tokens", TOKEN, form={"confirm": "yes"})),
    "POST /team/invitations/{invitation_id}/resend": Drive("invitation.resent", of_invitation),
    "POST /api/v2/team/invitations/{invitation_id}/resend": Drive("invitation.resent", of_invitation),
    "PUT /api/v2/retention/{name}": Drive("rows.retention_changed", keep_rows, True),
    "POST /retention": Drive("rows.retention_changed", keep_rows_on_page, True),
    "POST /account/data/deletion": Drive("account.deleted", delete_oneself, forgets=True),
    "POST /api/v2/me/deletion": Drive("account.deleted", delete_oneself, forgets=True),
    "POST /api/v2/people/{user_id}/deletion": Drive("account.deleted", delete_somebody),
    # Last, for nobody operates the installation when its first owner is made.
    "POST /setup/{link}": Drive("account.owner_created", set_up),
}  # fmt: skip


@pytest.fixture
async def world(runtime: Runtime) -> World:
    await runtime.store.prepare(runtime.clock.now())
    team = await runtime.accounts.ensure_team()
    owner = await a_member(runtime, team, Role.OWNER, "ada")
    await rows("UPDATE users SET operator = true WHERE id = $1", owner.id)
    return World(web_application(runtime), runtime, team, owner)


async def driven(world: World, line: str, drive: Drive) -> list[str]:
    """What is wrong with what one route left behind."""
    method, _, template = line.partition(" ")
    asked = await drive.ask(world)
    who = None if asked.openly else asked.who or world.owner
    path = template.format(**asked.parts)
    async with client(world.app, who) as browser:
        tag = (await browser.get(path)).headers.get("etag") if template.startswith("/api/") else None
        headers = {"if-match": tag} if tag else {}
        said = (
            {"data": asked.form}
            if not template.startswith("/api/") and asked.form is not None
            else {"json": asked.json}
        )
        answer = await browser.request(method, path, headers=headers, **said)
    if answer.status_code >= 400:
        return [f"{line}: answered {answer.status_code}: {answer.text[:300]}"]
    left = await rows(
        "SELECT * FROM audit_entries WHERE request_id = $1 ORDER BY chain, sequence",
        answer.headers["x-request-id"],
    )
    if drive.action is None:
        return [f"{line}: left {[one['action'] for one in left]}"] if left else []
    own = [one for one in left if one["action"] == drive.action]
    return (
        [f"{line}: {fault}" for fault in faults(own[0], who, drive)]
        if own
        else [f"{line}: left {[one['action'] for one in left]}, not {drive.action}"]
    )


def faults(entry: dict[str, Any], who: Someone | None, drive: Drive) -> list[str]:
    found = []
    if isinstance(who, Someone) and entry["actor_id"] != str(who.id):
        found.append(f"{entry['actor_name']} did not do it")
    if entry["result"] != "done" or not (drive.forgets or (entry["actor_name"] and entry["address"])):
        found.append("does not say who did it, from where, or that it was done")
    if drive.changes and (
        entry["before"] is None or entry["after"] is None or entry["before"] == entry["after"]
    ):
        found.append(f"tells no change: {entry['before']} {entry['after']}")
    return found


async def test_every_change_leaves_the_entry_of_its_feature(world: World) -> None:
    wrong = [fault for line, drive in DRIVES.items() for fault in await driven(world, line, drive)]
    assert not wrong, "\n".join(wrong)
    assert all(one.broken is None for one in await world.runtime.audit.verify_all())


async def test_no_route_is_left_out(world: World) -> None:
    lines = {f"{method} {path}": handler for method, path, handler in changing(world.app)}
    told = {line for line, handler in lines.items() if UNTOLD not in handler.opt}
    assert told - DRIVES.keys() - ELSEWHERE.keys() == set(), (
        "give DRIVES a request that succeeds, or ELSEWHERE a reason"
    )
    assert DRIVES.keys() | ELSEWHERE.keys() <= lines.keys(), "these routes are gone"


async def test_who_may_not_leaves_a_refusal(world: World) -> None:
    """Each route that a guest is refused, with the permission that he lacks."""
    guest = await world.member(Role.GUEST)
    refused = 0
    for line in (one for one in DRIVES if one.startswith(("POST /api/", "PUT /api/"))):
        method, _, template = line.partition(" ")
        if "{" in template:
            continue
        async with client(world.app, guest) as browser:
            answer = await browser.request(method, template, json={})
        if answer.status_code != 403:
            continue
        refused += 1
        (entry,) = await rows(
            "SELECT * FROM audit_entries WHERE request_id = $1", answer.headers["x-request-id"]
        )
        assert (entry["action"], entry["result"]) == ("access.refused", "refused"), line
        assert (entry["actor_id"], entry["target_name"]) == (str(guest.id), line)
    assert refused > 10
