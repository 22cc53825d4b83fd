"""The HTTP server of a collector process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from litestar.types import ASGIApp

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.settings import Settings
from pudim_collector.infra.connections import BoundedHttp
from pudim_collector.infra.proxies import BehindProxies
from pudim_collector.infra.request_limits import Bounded

MAX_WEBSOCKET_MESSAGE = 4 << 20
"""Above this the websocket layer hangs up by itself; ingest refuses by name what is over its own limit."""
_PATIENCE = 3


class PortTaken(PudimError):
    """Another program listens on this address."""

    code = "port_taken"
    hint = "Choose another one with --port."


class Server(uvicorn.Server):
    """Ends by returning: uvicorn's own raises the signal again, which would skip all that stops after it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def http_server(app: ASGIApp, settings: Settings) -> Server:
    config = uvicorn.Config(
        BehindProxies(Bounded(app), settings.proxies),
        proxy_headers=False,  # uvicorn's own believes loopback
        host=settings.host,
        port=settings.port,
        uds=str(settings.socket) if settings.socket else None,
        http=BoundedHttp,
        loop="uvloop",
        ws="websockets-sansio",
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        # Frames are dense floats: deflating them costs more than it saves.
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=_PATIENCE,
        backlog=4096,
    )
    return Server(config)
