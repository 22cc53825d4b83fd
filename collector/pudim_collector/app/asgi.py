"""What uvicorn calls: the agents' stream goes straight to ingest, everything else to Litestar."""

from __future__ import annotations

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from pudim.wire.enrolment import STREAM_PATH


class Entrance:
    def __init__(self, stream: ASGIApp | None, everything_else: ASGIApp) -> None:
        self._stream, self._everything_else = stream, everything_else

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stream is not None and scope["type"] == ScopeType.WEBSOCKET and scope["path"] == STREAM_PATH:
            await self._stream(scope, receive, send)
        else:
            await self._everything_else(scope, receive, send)
