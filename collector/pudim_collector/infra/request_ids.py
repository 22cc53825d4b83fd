"""One name for each request, by which an answer, a line of the log and an entry of the audit log are found together."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim_collector.kernel.ids import new_id

HEADER = "X-Request-Id"
STATE = "request_id"
_WELL_FORMED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")
_WANTED = HEADER.lower().encode()
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Asked:
    """The request that is being answered. Who asks stands in the scope as soon as the gate knows it."""

    request_id: str
    scope: Scope


asked: ContextVar[Asked | None] = ContextVar("pudim_asked", default=None)


def nobody_trusted(_: Scope) -> bool:
    return False


class RequestIds:
    """Wraps an application. `trusted` says of a request whether what sent it may name it: a proxy of ours."""

    def __init__(self, app: ASGIApp, trusted: Callable[[Scope], bool] = nobody_trusted) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {ScopeType.HTTP, ScopeType.WEBSOCKET}:
            await self._app(scope, receive, send)
            return
        name = (self._given(scope) if self._trusted(scope) else None) or str(new_id())
        scope.setdefault("state", {})[STATE] = name

        async def send_named(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.accept"}:
                message.setdefault("headers", [])
                MutableScopeHeaders.from_message(message)[HEADER] = name
            await send(message)

        token = asked.set(Asked(name, scope))
        try:
            await self._app(scope, receive, send_named)
        finally:
            asked.reset(token)

    @staticmethod
    def _given(scope: Scope) -> str | None:
        """None where there is none, several, or one that is not well formed."""
        found = [value for name, value in scope["headers"] if name.lower() == _WANTED]
        if len(found) != 1 or not _WELL_FORMED.fullmatch(found[0]):
            return None
        return found[0].decode("ascii")


class NamingFormatter(logging.Formatter):
    """Ends what was logged for a request with its name. No text of a stranger begins a line or steers a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        text, request = super().format(record), asked.get()
        named = f"{text} [request {request.request_id}]" if request else text
        return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", named).replace("\n", "\n    ")
