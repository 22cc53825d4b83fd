"""Every route of the real application, met by everybody: what each may is worked out from the declarations alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar, Request
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.features import PERMISSIONS
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.members import queries as members
from pudim_collector.features.members.queries import GrantRecord
from pudim_collector.features.roles import queries as roles
from pudim_collector.features.roles.queries import RoleName, RoleRecord
from pudim_collector.features.tokens.rules import Kind
from pudim_collector.infra.api.token_scopes import ALWAYS
from pudim_collector.infra.auth import Requires, access_of
from pudim_collector.infra.gate import Gate
from pudim_collector.infra.permissions import BUILT_IN, Rights, Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.teams.people import Someone, a_member, a_server, a_team, a_token, a_token_of, client

RIGHTS = Rights(PERMISSIONS)
STRANGER = UUID(int=7)
SAMPLES: dict[str, object] = {
    "check_id": STRANGER,
    "command_id": STRANGER,
    "entry_id": STRANGER,
    "form": "csv",
    "grant_id": STRANGER,
    "invitation_id": STRANGER,
    "link": "x",
    "name": "system.cpu.utilization",
    "part": "facts",
    "passkey_id": STRANGER,
    "receiver_id": STRANGER,
    "role_id": STRANGER,
    "secret": "x",
    "sender_id": STRANGER,
    "sequence": 1,
    "session_id": STRANGER,
    "token_id": STRANGER,
    "user_id": STRANGER,
}
"""What stands in a path beside a server's id; a new name there wants a line here."""


@dataclass(frozen=True)
class Actor:
    """Somebody, what he holds for the team, and what on which servers."""

    who: Someone | str | None
    held: frozenset[str]
    on: dict[UUID, frozenset[str]]


@dataclass(frozen=True)
class Town:
    """Two teams with two servers and one, and everybody."""

    mine: UUID
    beside: UUID
    foreign: UUID
    actors: dict[str, Actor]


def demands(app: Litestar) -> Iterator[tuple[BaseRoute, BaseRouteHandler, str, Requires]]:
    """Each handler with a permission, by method; sockets have none."""
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            access = access_of(handler)
            if isinstance(access, Requires):
                for method in sorted(getattr(handler, "http_methods", {"SOCKET"})):
                    yield route, handler, method, access


def expected(actor: Actor, access: Requires, server: UUID) -> str:
    """What the declaration says: `in`, or the code of the refusal."""
    if actor.who is None:
        return "not_signed_in"
    if access.on:
        if not actor.on.get(server):
            return "no_such_server"
        held = access.permission in actor.on[server]
    elif access.each:
        held = access.permission in actor.held.union(*actor.on.values())
    else:
        held = access.permission in actor.held
    return "in" if held else "permission_missing"


async def found(
    app: Litestar, route: BaseRoute, handler: BaseRouteHandler, actor: Actor, server: UUID
) -> str:
    """What the gate itself decides; nothing behind it runs, so that nobody's walk changes another's."""
    (gate,) = [one for one in app.middleware if isinstance(one, Gate)]
    if isinstance(actor.who, Someone):
        shown = actor.who.headers
    else:
        shown = {"authorization": f"Bearer {actor.who}"} if actor.who else {}
    scope: Any = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": route.path,
        "query_string": b"",
        "headers": [
            (name.encode(), value.encode()) for name, value in ({"host": "pudim.test"} | shown).items()
        ],
        "client": ("203.0.113.7", 1),
        "route_handler": handler,
        "path_params": {name: SAMPLES.get(name, server) for name in route.path_parameters},
        "litestar_app": app,
        "app": app,
        "state": {},
        "user": None,
    }
    try:
        await gate.admit(Request(scope))
    except PudimError as refusal:
        return refusal.code
    return "in"


@pytest.fixture
async def town(app: Litestar, runtime: Runtime, team: UUID) -> Town:
    other, now = await a_team(runtime, "Other"), runtime.clock.now()
    mine, beside = await a_server(runtime, team, "mine", "web"), await a_server(runtime, team, "beside", "db")
    foreign = await a_server(runtime, other, "mine", "web")

    def whole(held: frozenset[str]) -> dict[UUID, frozenset[str]]:
        return dict.fromkeys((mine, beside), held & RIGHTS.on_servers)

    actors = {"nobody": Actor(None, frozenset(), {})}
    for role in BUILT_IN:
        held = RIGHTS.of(role)
        actors[role.value] = Actor(await a_member(runtime, team, role), held, whole(held))
    stranger, all_ = await a_member(runtime, other, Role.OWNER), RIGHTS.of(Role.OWNER)
    actors["owner of another team"] = Actor(stranger, all_, {foreign: all_ & RIGHTS.on_servers})
    granted = RIGHTS.of(Role.DEVELOPER) & RIGHTS.on_servers
    for name, server, tag in (("granted on a server", mine, None), ("granted on a tag", None, "web")):
        guest = await a_member(runtime, team, Role.GUEST)
        grant = GrantRecord(new_id(), guest.id, None, RoleName(Role.DEVELOPER), server, tag, now)
        await members.insert_grant(Scope(team), grant)
        actors[name] = Actor(guest, RIGHTS.of(Role.GUEST), {mine: granted})
    for permission in sorted(RIGHTS.grantable - RIGHTS.of(Role.GUEST)):
        own = RoleRecord(new_id(), permission, [permission], now)
        await roles.insert_role(Scope(team), own)
        token = await a_token(runtime, team, RoleName(Role.OWN, own.id))
        held = RIGHTS.of(Role.OWN, [permission])
        actors[f"token with {permission}"] = Actor(token, held, whole(held))
    for role, kind, scopes in (
        (Role.VIEWER, Kind.PERSONAL, None),
        (Role.OWNER, Kind.SERVICE, ["servers:read"]),
    ):
        made = await a_token_of(runtime, await a_member(runtime, team, role), kind, scopes)
        held = RIGHTS.of(role) if scopes is None else ALWAYS | frozenset(scopes)
        actors[f"{kind} token of the {role}"] = Actor(made, held, whole(held))
    return Town(mine, beside, foreign, actors)


def test_every_name_in_a_path_has_a_sample(app: Litestar) -> None:
    names = {name for route, *_ in demands(app) for name in route.path_parameters}
    assert names - {"server_id"} <= SAMPLES.keys(), "give SAMPLES what stands for it"


def test_a_path_with_a_server_asks_for_it(app: Litestar) -> None:
    checked = 0
    for route, _, _, access in demands(app):
        if "server_id" in route.path_parameters:
            assert access.on == "server_id", route.path
            checked += 1
    assert checked > 20


async def test_everybody_meets_at_each_route_what_it_declares(app: Litestar, town: Town) -> None:
    met = set()
    for route, handler, method, access in demands(app):
        for name, actor in town.actors.items():
            for server in (town.mine, town.beside, town.foreign, STRANGER) if access.on else (town.mine,):
                wanted = expected(actor, access, server)
                assert await found(app, route, handler, actor, server) == wanted, (method, route.path, name)
                met.add((wanted, access.on is not None, access.each))
    for how in ((True, False), (False, True), (False, False)):
        assert {wanted for wanted, *rest in met if tuple(rest) == how} >= {
            "in",
            "permission_missing",
            "not_signed_in",
        }
    assert ("no_such_server", True, False) in met


async def test_who_is_refused_at_the_gate_is_refused_over_http(app: Litestar, town: Town) -> None:
    """The same over HTTP, for roles that may little: nothing behind the gate runs for them."""
    for name in ("nobody", "guest", "viewer", "granted on a server", "owner of another team"):
        actor = town.actors[name]
        async with client(app, actor.who) as program:
            for route, _, method, access in demands(app):
                wanted = expected(actor, access, town.mine)
                if wanted == "in":
                    continue
                path = route.path_format
                for part in route.path_parameters:
                    path = path.replace(f"{{{part}}}", str(SAMPLES.get(part, town.mine)))
                answer = await program.request(method, path)
                assert answer.json()["code"] == wanted, (method, path, name)
                assert wanted != "permission_missing" or access.permission in answer.json()["detail"]
                assert answer.status_code == {"not_signed_in": 401, "no_such_server": 404}.get(wanted, 403)
