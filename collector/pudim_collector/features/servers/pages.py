"""Pages of all servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect, ServerSentEvent, ServerSentEventMessage

from pudim_collector.features.servers.rules import reach
from pudim_collector.features.servers.schemas import Name, Server
from pudim_collector.features.servers.service import Changes, Invitation, Invitations, Servers
from pudim_collector.infra.auth import public, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.streaming import while_admitted

Page = Request[Any, Any, Any]
_PAUSE = 2.0


class AddForm(msgspec.Struct):
    """csrf_token is checked by the gate."""

    name: Name = ""
    csrf_token: str = ""


class ServerPages(Controller):
    include_in_schema = False

    @get("/", opt=public("leads to the servers, which need a permission"))
    async def home(self) -> Redirect:
        return Redirect("/servers", status_code=303)

    @get("/servers", opt=requires("servers:read"))
    async def servers(self, request: Page, servers: NamedDependency[Servers]) -> Response[str]:
        return render(request, "servers/list.html", title="Servers", servers=await _plain(servers))

    @get("/servers/add", opt=requires("servers:enrol"))
    async def form(self, request: Page, invitations: NamedDependency[Invitations]) -> Response[str]:
        return _add_page(request, invitations, None)

    @post("/servers/add", opt=requires("servers:enrol"), status_code=200)
    async def add(
        self,
        request: Page,
        invitations: NamedDependency[Invitations],
        data: URLEncodedBody[AddForm],
    ) -> Response[str]:
        return _add_page(request, invitations, await invitations.invite(data.name.strip() or None))

    @get("/live/servers", opt=requires("servers:read"))
    async def live(
        self, request: Page, servers: NamedDependency[Servers], changes: NamedDependency[Changes]
    ) -> ServerSentEvent:
        return ServerSentEvent(while_admitted(request, _states(servers, changes)))


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


async def _plain(servers: Servers) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.to_builtins([Server.of(view) for view in await servers.all()])
    return found


async def _states(servers: Servers, changes: Changes) -> AsyncIterator[ServerSentEventMessage]:
    wanted = ("id", "name", "state", "last_seen_at", "cpu", "memory", "disk")
    async for _ in changes.ticks(_PAUSE):
        states = [{name: server[name] for name in wanted} for server in await _plain(servers)]
        yield ServerSentEventMessage(event="servers", data=msgspec.json.encode(states).decode())
