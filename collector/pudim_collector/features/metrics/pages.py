"""A server's page and the stream of its frames."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import ServerSentEvent, ServerSentEventMessage

from pudim_collector.features.completeness.service import DayLedger
from pudim_collector.features.metrics.rules import Place, parse_place
from pudim_collector.features.metrics.schemas import LatestSample
from pudim_collector.features.metrics.service import Metrics
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers.service import Servers
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.streaming import while_admitted
from pudim_collector.series.reading import StoredFrame

_EMBEDDED = (("checks", "Checks", "checks:read"), ("commands", "Commands", "commands:read"))
"""Pages of a server that are shown on its own too: their names, titles and permissions."""


class MetricPages(Controller):
    include_in_schema = False

    @get("/servers/{server_id:uuid}", opt=requires("servers:read", on="server_id"))
    async def server(  # noqa: PLR0917 - one argument a part of the page
        self,
        request: Request[Any, Any, Any],
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        metrics: NamedDependency[Metrics],
        ledger: NamedDependency[DayLedger],
        notices: NamedDependency[HostNotices],
        principal: NamedDependency[Principal],
    ) -> Response[str]:
        view = await servers.one(within, server_id)
        latest = [LatestSample.of(one) for one in await metrics.latest(within, server_id)]
        return render(
            request,
            "metrics/server.html",
            title=view.name,
            server=msgspec.to_builtins(view),
            latest=msgspec.to_builtins(latest),
            strip=msgspec.to_builtins(await ledger.strip(within, server_id)),
            groups=await metrics.groups(server_id),
            host=await notices.shown(within, view),
            embedded=[
                (name, title)
                for name, title, permission in _EMBEDDED
                if principal.may_on(permission, server_id)
            ],
        )

    @get("/live/servers/{server_id:uuid}", opt=requires("servers:read", on="server_id"))
    async def live(
        self,
        request: Request[Any, Any, Any],
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        metrics: NamedDependency[Metrics],
    ) -> ServerSentEvent:
        """Events `layout` (what a source's values are) and `frame`; the id of a frame is where to resume."""
        await servers.one(within, server_id)
        after = parse_place(request.headers.get("last-event-id"))
        return ServerSentEvent(while_admitted(request, live_events(metrics, within, server_id, after)))


async def live_events(
    metrics: Metrics, within: Scope, server_id: UUID, after: Place | None
) -> AsyncIterator[ServerSentEventMessage]:
    known: set[int] = set()
    async for frames in metrics.watch(within, server_id, after):
        if not frames:
            yield ServerSentEventMessage(comment="still here")
        for frame in frames:
            if frame.source_id not in known:
                known.add(frame.source_id)
                yield _layout(frame)
            yield _frame(frame)


def _layout(frame: StoredFrame) -> ServerSentEventMessage:
    series = [{"metric": one.metric, "labels": dict(one.labels), "unit": one.unit} for one in frame.series]
    return _event("layout", {"source": frame.source_id, "name": frame.source, "series": series})


def _frame(frame: StoredFrame) -> ServerSentEventMessage:
    values = [value if math.isfinite(value) else None for value in frame.values]
    said = {"source": frame.source_id, "time": frame.time.timestamp(), "values": values}
    return _event("frame", said, Place(frame.time, frame.source_id).event_id)


def _event(name: str, said: dict[str, Any], event_id: str | None = None) -> ServerSentEventMessage:
    return ServerSentEventMessage(event=name, data=msgspec.json.encode(said).decode(), id=event_id)
