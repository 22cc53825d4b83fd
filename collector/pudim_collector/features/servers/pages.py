"""Pages of all servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, ServerSentEvent, ServerSentEventMessage

from pudim_collector.features.servers.rules import reach
from pudim_collector.features.servers.schemas import Name, Server, Tags
from pudim_collector.features.servers.service import Changes, Invitation, Invitations, Servers
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.gate import scope_now
from pudim_collector.infra.pages import render
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.streaming import while_admitted

Page = Request[Any, Any, Any]
_PAUSE = 2.0


class AddForm(msgspec.Struct):
    """csrf_token is checked by the gate."""

    name: Name = ""
    csrf_token: str = ""


class TagsForm(msgspec.Struct):
    """Tags with commas between them; csrf_token is checked by the gate."""

    tags: Annotated[str, msgspec.Meta(max_length=4096)] = ""
    csrf_token: str = ""


class ServerPages(Controller):
    include_in_schema = False

    @get("/", opt=public("leads to the servers, which need a permission"))
    async def home(self) -> Redirect:
        return Redirect("/servers", status_code=303)

    @get("/servers", opt=requires("servers:read", each=True))
    async def servers(
        self,
        request: Page,
        servers: NamedDependency[Servers],
        within: NamedDependency[Scope],
        tag: Tags = None,
    ) -> Response[str]:
        found = await _plain(servers, within, tag or ())
        return render(request, "servers/list.html", title="Servers", servers=found, chosen=tag or [])

    @get("/servers/add", opt=requires("servers:enrol"))
    async def form(self, request: Page, invitations: NamedDependency[Invitations]) -> Response[str]:
        return _add_page(request, invitations, None)

    @post("/servers/add", opt=requires("servers:enrol"), status_code=200)
    async def add(
        self,
        request: Page,
        principal: NamedDependency[Principal],
        invitations: NamedDependency[Invitations],
        data: URLEncodedBody[AddForm],
    ) -> Response[str]:
        made = await invitations.invite(data.name.strip() or None, principal.team_id)
        return _add_page(request, invitations, made)

    @post("/servers/{server_id:uuid}/tags", opt=requires("servers:change", on="server_id"))
    async def tag(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        data: URLEncodedBody[TagsForm],
    ) -> Redirect:
        await servers.change(within, server_id, tags=[one for one in data.tags.split(",") if one.strip()])
        return Redirect(f"/servers/{server_id}", status_code=303)

    @get("/live/servers", opt=requires("servers:read", each=True))
    async def live(
        self,
        request: Page,
        servers: NamedDependency[Servers],
        changes: NamedDependency[Changes],
        within: NamedDependency[Scope],
        tag: Tags = None,
    ) -> ServerSentEvent:
        return ServerSentEvent(while_admitted(request, _states(request, servers, changes, within, tag or ())))


def _add_page(request: Page, invitations: Invitations, made: Invitation | None) -> Response[str]:
    return render(
        request,
        "servers/add.html",
        title="Add a server",
        url=invitations.url,
        reach=str(reach(invitations.url)),
        enrolment=msgspec.to_builtins(made) if made else None,
        errors={},
        values={},
    )


async def _plain(servers: Servers, within: Scope, tags: Sequence[str]) -> list[dict[str, Any]]:
    views = await servers.all(within, tags)
    found: list[dict[str, Any]] = msgspec.to_builtins([Server.of(view) for view in views])
    return found


async def _states(
    request: Page, servers: Servers, changes: Changes, within: Scope, tags: Sequence[str]
) -> AsyncIterator[ServerSentEventMessage]:
    """Of the servers that are within reach now, which may be others than when the stream began."""
    wanted = ("id", "name", "state", "last_seen_at", "cpu", "memory", "disk", "signs")
    async for _ in changes.ticks(_PAUSE):
        states = [
            {name: server[name] for name in wanted}
            for server in await _plain(servers, scope_now(request, within), tags)
        ]
        yield ServerSentEventMessage(event="servers", data=msgspec.json.encode(states).decode())
