"""What of the API is going to end: said in each answer (RFC 9745, RFC 8594), counted for each program that still uses it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any, LiteralString
from uuid import UUID

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, Receive, Scope, Send

from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

uses_counted = counter(
    "pudim_api_deprecated_uses_total",
    "Requests for parts of the API that are going to end, by operation and by API token or user.",
    ["operation", "asker"],
)
_OPT = "deprecation"
_USED: LiteralString = (
    "INSERT INTO api_deprecated_uses"
    " (team_id, operation, asker, asker_kind, asker_name, uses, first_at, last_at)"
    " VALUES ($1, $2, $3, $4, $5, 1, $6, $6) ON CONFLICT (team_id, operation, asker) DO UPDATE"
    " SET uses = api_deprecated_uses.uses + 1, last_at = $6, asker_name = $5"
)
_USES: LiteralString = (
    "SELECT operation, asker_kind, asker, asker_name, uses, first_at, last_at FROM api_deprecated_uses"
    " WHERE team_id = $1 ORDER BY last_at DESC, asker"
)


@dataclass(frozen=True)
class Deprecation:
    """`since` when it is deprecated, when it ends if that is known, and the path of what to use instead."""

    since: datetime
    ends: datetime | None
    instead: str | None

    def headers(self) -> Iterator[tuple[str, str]]:
        yield "Deprecation", f"@{int(self.since.timestamp())}"
        if self.ends is not None:
            yield "Sunset", format_datetime(self.ends, usegmt=True)


@dataclass(frozen=True)
class Deprecated:
    """An operation that is going to end."""

    operation: str
    method: str
    path: str
    said: Deprecation


@dataclass(frozen=True)
class Use:
    """How often one token or user asked for it, and when."""

    operation: str
    asker_kind: str
    asker: UUID
    asker_name: str
    uses: int
    first_at: datetime
    last_at: datetime


def deprecated(
    since: datetime, *, ends: datetime | None = None, instead: str | None = None
) -> dict[str, Any]:
    """For a handler's `opt`, beside its access; times are in UTC."""
    return {_OPT: Deprecation(since, ends, instead)}


def deprecation_of(handler: BaseRouteHandler) -> Deprecation | None:
    found = handler.opt.get(_OPT)
    return found if isinstance(found, Deprecation) else None


def deprecated_operations(app: Litestar) -> Sequence[Deprecated]:
    """All that are going to end, by path."""
    found = (
        Deprecated(str(handler.operation_id or handler), method, route.path_format, said)
        for route, handler in _handlers(app.routes)
        if (said := deprecation_of(handler)) is not None
        for method in sorted(handler.http_methods)
    )
    return sorted(found, key=lambda one: (one.path, one.method))


async def uses_of(team_id: UUID) -> list[Use]:
    async with database.connection() as connection:
        cursor = await connection.execute(_USES, [team_id])
        return [Use(*row) for row in await cursor.fetchall()]


@dataclass
class DeprecatedUses(ASGIMiddleware):
    """Counts each request for what is going to end."""

    clock: Clock

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        handler, principal = scope["route_handler"], scope["user"]
        if (
            isinstance(handler, HTTPRouteHandler)
            and deprecation_of(handler)
            and isinstance(principal, Principal)
        ):
            operation = str(handler.operation_id or handler)
            uses_counted.labels(operation, str(principal.id)).inc()
            await _count(operation, principal, self.clock.now())
        await next_app(scope, receive, send)


async def _count(operation: str, principal: Principal, now: datetime) -> None:
    parameters = [
        principal.team_id,
        operation,
        principal.id,
        principal.kind.value,
        principal.name,
        now,
    ]
    async with database.connection() as connection:
        await connection.execute(_USED, parameters)


def _handlers(routes: Iterable[Any]) -> Iterator[tuple[HTTPRoute, HTTPRouteHandler]]:
    for route in routes:
        if isinstance(route, HTTPRoute):
            yield from ((route, handler) for handler in route.route_handlers)
