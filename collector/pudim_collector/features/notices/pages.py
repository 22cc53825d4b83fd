"""The parts of a server's page that show what its agent said, and when there is something new in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage

from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers.service import Servers
from pudim_collector.infra.auth import requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.streaming import while_admitted

_PAUSE = 2.0
Page = Request[Any, Any, Any]


class Part(StrEnum):
    """A template web/pudim_web/templates/notices/_<part>.html each."""

    FACTS = "facts"
    CONTAINERS = "containers"
    UNITS = "units"
    PROCESSES = "processes"
    DISKS = "disks"
    CUSTOM = "custom"


class NoticePages(Controller):
    include_in_schema = False

    @get("/servers/{server_id:uuid}/parts/{part:str}", opt=requires("servers:read", on="server_id"))
    async def part(  # noqa: PLR0917 - each by its name
        self,
        request: Page,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        part: FromPath[Part],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> Response[str]:
        """One part alone, to take the place of an older one in a page that is open."""
        view = await servers.one(within, server_id)
        return render(
            request,
            f"notices/_{part}.html",
            title=view.name,
            server=msgspec.to_builtins(view),
            host=await notices.shown(within, view),
        )

    @get("/live/servers/{server_id:uuid}/notices", opt=requires("servers:read", on="server_id"))
    async def live(
        self,
        request: Page,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> ServerSentEvent:
        """Events `notices`: when each kind was heard of last."""
        await servers.one(within, server_id)
        return ServerSentEvent(while_admitted(request, _news(notices, within, server_id)))


async def _news(
    notices: HostNotices, within: Scope, server_id: UUID
) -> AsyncIterator[ServerSentEventMessage]:
    async for heads in notices.watch(within, server_id, _PAUSE):
        if heads:
            yield ServerSentEventMessage(event="notices", data=msgspec.json.encode(heads).decode())
        else:
            yield ServerSentEventMessage(comment="still here")
