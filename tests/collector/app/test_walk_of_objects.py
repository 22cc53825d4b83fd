"""One object of each kind of one team, asked for by its id by the owner of another: there is no such thing for him."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.features import PERMISSIONS
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.commands import queries as commands
from pudim_collector.features.commands.queries import CommandRecord
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.infra.api.conventions import API
from pudim_collector.infra.api.examples import example_of
from pudim_collector.infra.auth import Requires, access_of
from pudim_collector.infra.permissions import Rights, Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import clock, runtime
from tests.collector.app.test_walk import routes
from tests.collector.teams.people import Someone, a_member, a_server, a_team, a_token, client

__all__ = ["clock", "runtime"]
RIGHTS = Rights(PERMISSIONS)
TEAM = f"{API}/team"
ONES_OWN = {"session_id", "passkey_id"}
"""What is found among one's own and nobody else's; its own tests say so."""
OPERATORS = {"receiver_id", "sequence"}
"""What is told by numbers of its own, or is the installation's."""
NO_OBJECTS = {"name", "form"}
"""Words, no ids."""
FORBIDDEN = {
    "id": str(UUID(int=1)),
    "team_id": str(UUID(int=2)),
    "operator": True,
    "made_by": None,
    "role_name": "owner",
}
"""Fields that nobody may set by a body; where an operation takes one, that is what it is for."""
NEVER_SHOWN = {
    "password",
    "password_hash",
    "secret_hash",
    "token_hash",
    "csrf_token",
    "secrets_sealed",
    "email_key",
}


@pytest.fixture
async def app(runtime: Runtime) -> Litestar:
    await runtime.store.prepare(runtime.clock.now())
    return web_application(runtime)


async def objects(app: Litestar, runtime: Runtime, team: UUID, owner: Someone) -> dict[str, str]:
    """The ids of one of each kind, by the names that paths give them."""
    now, server = runtime.clock.now(), await a_server(runtime, team, "web-1", "web")
    member = await a_member(runtime, team, Role.VIEWER)
    command = CommandRecord(new_id(), server, "refresh", {}, "ada", now, now)
    await commands.insert(Scope(team), command)
    await a_token(runtime, team, RoleName("viewer"))
    async with client(app, owner) as browser:

        async def made(path: str, body: dict[str, Any], *inside: str) -> str:
            answer = await browser.post(path, json=body)
            assert answer.status_code == 201, answer.text
            found = answer.json()
            for name in inside:
                found = found[name]
            return str(found["id"])

        check = {"name": "shop", "kind": "tcp", "settings": {"host": "127.0.0.1", "port": 443}}
        invited = {"email": "x@example.org", "role": "viewer"}
        granted = {"role": "viewer", "user_id": str(member.id), "tag": "web"}
        return {
            "server_id": str(server),
            "user_id": str(member.id),
            "command_id": str(command.id),
            "token_id": (await browser.get(f"{API}/tokens")).json()["items"][0]["id"],
            "check_id": await made(f"{API}/servers/{server}/checks", check),
            "sender_id": await made(f"{API}/senders", {"name": "otel"}, "sender"),
            "role_id": await made(f"{TEAM}/roles", {"name": "R", "permissions": []}),
            "grant_id": await made(f"{TEAM}/grants", granted),
            "invitation_id": await made(f"{TEAM}/invitations", invited, "invitation"),
        }


def addressed(app: Litestar) -> Iterator[tuple[str, str, Any, set[str]]]:
    """Every operation of the API on one object, with the names in its path."""
    for method, path, handler in routes(app):
        names = {part.strip("{}") for part in path.split("/") if part.startswith("{")} - NO_OBJECTS
        access = access_of(handler)
        of_team = isinstance(access, Requires) and not access.permission.startswith("installation:")
        if path.startswith(f"{API}/") and names and of_team:
            yield method, path, handler, names


def body_of(handler: Any) -> Any:
    field = handler.parsed_data_field
    return None if field is None else example_of(field.annotation, whole=False)


async def test_another_teams_objects_do_not_exist(app: Litestar, runtime: Runtime) -> None:
    team, other = await runtime.accounts.ensure_team(), await a_team(runtime, "Other")
    owner, stranger = await a_member(runtime, team, Role.OWNER), await a_member(runtime, other, Role.OWNER)
    own_server = await a_server(runtime, other, "theirs")
    ids = await objects(app, runtime, team, owner)
    asked: set[str] = set()
    async with client(app, stranger) as browser, client(app, owner) as insider:
        for method, path, handler, names in addressed(app):
            if names & (ONES_OWN | OPERATORS):
                continue
            assert names <= ids.keys(), f"{path}: make one of these in `objects`"
            for known in (ids, ids | {"server_id": str(own_server)}):
                if known is not ids and not ("server_id" in names and len(names) > 1):
                    continue
                answer = await browser.request(method, path.format(**known), json=body_of(handler))
                assert answer.status_code == 404, (method, path, answer.text)
                assert answer.json()["code"].startswith("no_such_"), (method, path)
            asked |= names
        assert asked == ids.keys()
        for method, path, _, names in addressed(app):
            if method == "GET" and names <= ids.keys():
                there = await insider.get(path.format(**ids))
                assert there.status_code == 200, f"{path} of one's own team: {there.text}"


async def test_nobody_sets_what_a_body_does_not_offer(app: Litestar, runtime: Runtime) -> None:
    """Not even an owner: a row's id, its team and who made it are not his to say."""
    team = await runtime.accounts.ensure_team()
    owner = await a_member(runtime, team, Role.OWNER)
    ids = await objects(app, runtime, team, owner)
    met = 0
    async with client(app, owner) as browser:
        for method, path, handler in routes(app):
            field, access = handler.parsed_data_field, access_of(handler)
            names = {part.strip("{}") for part in path.split("/") if part.startswith("{")}
            if field is None or not path.startswith(f"{API}/") or not isinstance(access, Requires):
                continue
            if access.permission.startswith("installation:") or not names <= ids.keys():
                continue
            offered = set(getattr(field.annotation, "__struct_fields__", ()))
            for name in FORBIDDEN.keys() - offered:
                body = body_of(handler) | {name: FORBIDDEN[name]}
                answer = await browser.request(method, path.format(**ids), json=body)
                assert answer.status_code in {400, 403}, (method, path, name, answer.text)
                if answer.status_code == 400:
                    assert answer.json()["code"] == "invalid_request"
                met += 1
    assert met > 40


def test_no_answer_has_what_is_kept_to_know_somebody_by(app: Litestar) -> None:
    schemas = app.openapi_schema.to_schema()["components"]["schemas"]
    shown = {(name, field) for name, said in schemas.items() for field in said.get("properties", {})}
    taken = {name for name in schemas if name.startswith(("New", "Wanted"))}
    assert len(shown) > 200
    assert not {(name, field) for name, field in shown if field in NEVER_SHOWN and name not in taken}


async def test_who_sees_a_server_alone_sees_nothing_of_the_team(app: Litestar, runtime: Runtime) -> None:
    """A guest with a grant meets lists that hold his server and no other, and none of people, tokens or senders."""
    team = await runtime.accounts.ensure_team()
    owner, guest = await a_member(runtime, team, Role.OWNER), await a_member(runtime, team, Role.GUEST)
    mine, beside = await a_server(runtime, team, "mine"), await a_server(runtime, team, "beside")
    async with client(app, owner) as browser:
        grant = {"role": "viewer", "user_id": str(guest.id), "server_id": str(mine)}
        assert (await browser.post(f"{TEAM}/grants", json=grant)).status_code == 201
    async with client(app, guest) as browser:
        for method, path, handler in routes(app):
            access = access_of(handler)
            if (
                method != "GET"
                or not path.startswith(f"{API}/")
                or "{" in path
                or not isinstance(access, Requires)
            ):
                continue
            asked = (
                {"metric": "system.cpu.utilization"} if path.endswith(("/series", "/charts", "/top")) else {}
            )
            answer = await browser.get(path, params=asked)
            if path == f"{API}/token":
                continue  # a person shows none
            assert answer.status_code in {200, 403}, (path, answer.text)
            assert str(beside) not in answer.text, path
            assert (answer.status_code == 200) == (
                access.permission in RIGHTS.of(Role.GUEST)
                or (access.each and access.permission in RIGHTS.of(Role.VIEWER))
            ), path
