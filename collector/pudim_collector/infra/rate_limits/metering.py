"""Where requests meet their limits: the address before anybody looks who asks, session or token and team after the gate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Principal, Sender
from pudim_collector.infra.headers import add_missing
from pudim_collector.infra.rate_limits.leases import Leases, LimitsUnavailable
from pudim_collector.infra.rate_limits.rules import FLOOD, LIMITS, Action, Limit, Taken, household
from pudim_collector.infra.rate_limits.stores import LimitStore, LocalStore
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

_OPT = "limited"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_WHO = {"team": "this team", "address": "this address"}
refused = counter("pudim_rate_limited_total", "Requests that were refused by a rate limit.", ["limit"])


class TooManyRequests(PudimError):
    """A rate limit is used up."""

    code = "rate_limited"
    status = 429
    retry = True
    hint = "Wait as long as Retry-After says, and ask for more at once rather than more often."

    def __init__(self, limit: Limit | None = None, taken: Taken | None = None) -> None:
        super().__init__(_sentence(limit) if limit else "")
        self.headers = _headers([(limit, taken)]) if limit and taken else {}
        if taken:
            self.headers["Retry-After"] = str(max(1, math.ceil(taken.wait)))


@dataclass(frozen=True)
class Metered:
    action: Action
    cost: int = 1


def limited(action: Action, cost: int = 1) -> dict[str, Any]:
    """For the `opt` of a handler that is neither a plain read nor a plain write, beside its access: `requires(...) | ...`."""
    return {_OPT: Metered(action, cost)}


def metered(handler: BaseRouteHandler, method: str) -> Metered:
    declared = handler.opt.get(_OPT)
    if isinstance(declared, Metered):
        return declared
    return Metered(Action.READ if method in _SAFE_METHODS else Action.WRITE)


class RateLimits:
    """The process' limits. `scale` makes all of them as many times larger."""

    def __init__(self, store: LimitStore, clock: Clock, scale: float = 1.0) -> None:
        self.store, self.leases, self.addresses = store, Leases(store, clock), LocalStore(clock)
        self._scale = scale

    def flood(self, address: str | None) -> None:
        """Raises TooManyRequests. Asks nobody, so that a flood costs no round trip."""
        limit = FLOOD.scaled(self._scale)
        taken = self.addresses.take_now(household(address), limit, 1)
        if not taken.allowed:
            refused.labels(limit.name).inc()
            raise TooManyRequests(limit, taken)

    async def take(self, asked: Metered, who: object, address: str | None) -> dict[str, str]:
        """The headers that tell what is left. Raises TooManyRequests and LimitsUnavailable."""
        told: list[tuple[Limit, Taken]] = []
        for key, declared in _buckets(asked.action, who, address):
            limit = declared.scaled(self._scale)
            taken = await self.leases.take(f"{limit.name}:{key}", limit, asked.cost)
            if not taken.allowed:
                refused.labels(limit.name).inc()
                raise TooManyRequests(limit, taken)
            told.append((limit, taken))
        return _headers(told)

    async def close(self) -> None:
        await self.leases.close()


def _buckets(action: Action, who: object, address: str | None) -> Iterator[tuple[str, Limit]]:
    levels = LIMITS[action]
    if isinstance(who, Sender):
        yield f"sender:{who.id}", LIMITS[Action.PUSH].caller
    elif isinstance(who, Principal):
        yield f"{who.kind}:{who.session_id or who.id}", levels.caller
        if levels.team is not None:
            yield f"team:{who.team_id}", levels.team
    else:
        yield household(address), levels.address


def _headers(told: list[tuple[Limit, Taken]]) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers-11 has them."""
    return {
        "RateLimit-Policy": ", ".join(f'"{one.name}";q={one.quota};w={one.seconds}' for one, _ in told),
        "RateLimit": ", ".join(
            f'"{one.name}";r={taken.left};t={math.ceil(taken.full_in)}' for one, taken in told
        ),
    }


def _sentence(limit: Limit) -> str:
    who = _WHO.get(limit.name.rpartition("-")[2], "this session or token")
    return f"The limit '{limit.name}' of {limit.quota} in {limit.seconds} seconds is used up for {who}."


@dataclass
class FloodGate(ASGIMiddleware):
    """Stands before the gate."""

    limits: RateLimits
    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        try:
            self.limits.flood(address_of(scope))
        except TooManyRequests as refusal:
            raise _told(scope, refusal) from refusal
        await next_app(scope, receive, send)


@dataclass
class Meter(ASGIMiddleware):
    """Stands behind the gate, which has said who asks."""

    limits: RateLimits
    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        method = scope["method"] if scope["type"] == ScopeType.HTTP else "GET"
        asked = metered(connection.route_handler, method)
        try:
            told = await self.limits.take(asked, scope.get("user"), address_of(scope))
        except (TooManyRequests, LimitsUnavailable) as refusal:
            raise _told(scope, refusal) from refusal
        await next_app(scope, receive, _telling(send, told))


def address_of(scope: Any) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _telling(send: Send, told: Mapping[str, str]) -> Send:
    async def send_told(message: Message) -> None:
        if message["type"] == "http.response.start":
            add_missing(message, ((name.lower().encode(), value.encode()) for name, value in told.items()))
        await send(message)

    return send_told


def _told(scope: Scope, refusal: PudimError) -> Exception:
    if scope["type"] == ScopeType.WEBSOCKET:
        return WebSocketException(detail=refusal.code, code=4000 + refusal.status)
    return refusal
