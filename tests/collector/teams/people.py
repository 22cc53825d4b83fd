"""People with sessions in teams of a real collector, made where the services would make them, but without slow hashes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from litestar import Litestar

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.accounts import queries as accounts
from pudim_collector.features.accounts.queries import UserRecord
from pudim_collector.features.accounts.rules import csrf_token, digest
from pudim_collector.features.invitations import queries as invitations
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.features.servers import queries as servers
from pudim_collector.features.teams import queries
from pudim_collector.features.teams.queries import TeamRecord
from pudim_collector.features.tokens.rules import Kind
from pudim_collector.features.tokens.service import Ends, WantedToken
from pudim_collector.infra.api.token_scopes import Narrowing
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.conventions.described import as_described


@dataclass(frozen=True)
class Someone:
    """A person's browser."""

    user: UserRecord
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {
            "cookie": f"pudim={self.secret}",
            "x-csrf-token": csrf_token(self.secret),
            "sec-fetch-site": "same-origin",
        }

    @property
    def id(self) -> UUID:
        return self.user.id


def client(app: Litestar, who: Someone | str | None) -> httpx.AsyncClient:
    """A browser, or a program with a token; None for nobody."""
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    headers = who.headers if isinstance(who, Someone) else {"authorization": f"Bearer {who}"} if who else {}
    hooks = {"response": [as_described]}
    return httpx.AsyncClient(
        transport=transport, base_url="http://pudim.test", headers=headers, event_hooks=hooks
    )


async def ask(
    app: Litestar, who: Someone | str | None, method: str, path: str, body: Any = None
) -> httpx.Response:
    async with client(app, who) as program:
        return await program.request(method, path, json=body)


async def code(app: Litestar, who: Someone | str | None, method: str, path: str, body: Any = None) -> Any:
    """The status, or the refusal's code."""
    answer = await ask(app, who, method, path, body)
    return answer.json()["code"] if answer.status_code >= 400 else answer.status_code


async def a_person(runtime: Runtime, name: str) -> Someone:
    """Somebody in no team."""
    user = UserRecord(new_id(), name, f"{name}@example.org", "no hash: no password fits")
    await accounts.add_user(user, user.email, runtime.clock.now())
    opened = await runtime.accounts.open_session(user, Visitor("203.0.113.7"))
    return Someone(user, opened.secret)


async def back_again(runtime: Runtime, someone: Someone) -> Someone:
    """The same person, who has just signed in anew."""
    opened = await runtime.accounts.open_session(someone.user, Visitor("203.0.113.7"))
    return Someone(someone.user, opened.secret)


async def a_member(
    runtime: Runtime, team_id: UUID, role: Role | RoleName, name: str | None = None
) -> Someone:
    chosen = role if isinstance(role, RoleName) else RoleName(role)
    someone = await a_person(runtime, name or f"{chosen.role}-{new_id().hex[-8:]}")
    await invitations.insert_member(Scope(team_id), someone.id, chosen, runtime.clock.now())
    return someone


async def a_team(runtime: Runtime, name: str) -> UUID:
    team = TeamRecord(new_id(), name)
    await queries.insert_team(team, runtime.clock.now())
    return team.id


async def a_server(runtime: Runtime, team_id: UUID, name: str, *tags: str) -> UUID:
    server_id = new_id()
    await servers.insert_server(server_id, name, server_id.bytes * 2, {}, runtime.clock.now(), team_id)
    await servers.set_name_and_tags(Scope(team_id), server_id, None, list(tags))
    return server_id


async def a_token_of(runtime: Runtime, who: Someone, kind: Kind, scopes: list[str] | None) -> str:
    """An API token that somebody made."""
    principal = await runtime.accounts.by_session(who.secret)
    assert principal is not None
    wanted = WantedToken(f"{kind} of a test", kind=kind, narrowing=Narrowing.to(scopes, None, None))
    return (await runtime.tokens.create(principal, wanted)).secret


async def a_token(runtime: Runtime, team_id: UUID, role: RoleName) -> str:
    """An API token that nobody made, with exactly this role."""
    principal = await runtime.tokens.by_token(await runtime.tokens.local_access_token())
    assert principal is not None
    made = await runtime.tokens.create(principal, WantedToken("of a test", Ends()))
    async with queries.database.connection() as connection:
        await connection.execute(
            "UPDATE api_tokens SET team = $2, role = $3, own_role = $4, operator = false WHERE secret_hash = $1",
            [digest(made.secret), team_id, *role],
        )
    return made.secret
