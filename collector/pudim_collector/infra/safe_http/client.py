"""The client itself: judge, connect to what was judged, follow if asked to and judge again, count what became of it."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from pudim.checks import Resolve
from pudim.checks.http_client import Target
from pudim_collector.infra.safe_http import targets
from pudim_collector.infra.safe_http.allowing import Allowed
from pudim_collector.infra.safe_http.errors import (
    AddressRefused,
    BadRedirect,
    OutboundError,
    TooManyRedirects,
    TooSlow,
)
from pudim_collector.infra.safe_http.proxy import Proxy
from pudim_collector.infra.safe_http.requests import Answer, Request, redirected
from pudim_collector.infra.safe_http.resolving import Resolving, SystemNames
from pudim_collector.infra.telemetry import counter, histogram
from pudim_collector.kernel.clock import Clock

MOST_AT_ONCE = 32
CONNECT_PATIENCE = 5.0
"""Seconds for all addresses of one name."""
_LEADS_ELSEWHERE = frozenset({301, 302, 303, 307, 308})
_TRANSPORT = "pudim_collector.infra.safe_http.transport"
Ready: TypeAlias = tuple[Any, ssl.SSLContext]
"""The module that connects, and whom it trusts."""

asked = counter(
    "pudim_outbound_requests",
    "Requests to other machines, by what they were for and what became of them.",
    ["purpose", "outcome"],
)
refused = counter(
    "pudim_outbound_refused", "Addresses that were not connected to, by the reason.", ["reason"]
)
durations = histogram(
    "pudim_outbound_seconds", "Time of requests to other machines, to the last byte.", ["purpose"]
)


class Outbound:
    """`ca_file` holds authorities that are trusted besides the system's; `resolve` is how names are asked for, the system's way by default.

    Through `proxy` goes what is public; what the operator allowed inside is asked directly.
    """

    def __init__(
        self,
        clock: Clock,
        allowed: Allowed | None = None,
        *,
        ca_file: Path | None = None,
        proxy: Proxy | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self._resolving = Resolving(resolve or SystemNames(), allowed or Allowed(), clock)
        self._ca_file, self._proxy = ca_file, proxy
        self._ready: Ready | None = None
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    async def send(self, request: Request, *, purpose: str) -> Answer:
        """`purpose` is one word of ours, for the figures. Any status is an answer.

        Raises OutboundError, in words that repeat neither the URL nor what the other side said.
        """
        started, outcome = perf_counter(), "cancelled"
        try:
            answer = await self._in_time(request)
            outcome = "answered"
        except OutboundError as error:
            outcome = error.code
            if isinstance(error, AddressRefused):
                refused.labels(error.reason).inc()
            raise
        else:
            return answer
        finally:
            asked.labels(purpose, outcome).inc()
            durations.labels(purpose).observe(perf_counter() - started)

    async def _in_time(self, request: Request) -> Answer:
        request.check()
        ready = await self._made_ready()
        try:
            async with asyncio.timeout(request.patience), self._turns:
                return await self._followed(request, ready)
        except TimeoutError:
            raise TooSlow(f"There was no whole answer within {request.patience:g} seconds.") from None

    async def _followed(self, request: Request, ready: Ready) -> Answer:
        target = targets.target(request.url)
        for hop in range(request.redirects + 1):
            answer = await self._exchanged(target, request, ready)
            if not request.redirects or answer.status not in _LEADS_ELSEWHERE:
                return answer
            if hop < request.redirects:
                target, request = self._led(target, request, answer)
        raise TooManyRedirects(f"The server leads elsewhere more than {request.redirects} times.")

    def _led(self, before: Target, request: Request, answer: Answer) -> tuple[Target, Request]:
        if "location" not in answer.headers:
            raise BadRedirect("The server leads elsewhere and does not say where.")
        after = targets.follow(before, answer.headers["location"])
        return after, redirected(request, before, after, answer.status)

    async def _exchanged(self, target: Target, request: Request, ready: Ready) -> Answer:
        transport, context = ready
        addresses, are_public = await self._resolving.judged(target)
        proxy = self._proxy if are_public else None
        answer: Answer = await transport.exchange(
            target, request, addresses, context, CONNECT_PATIENCE, proxy=proxy
        )
        return answer

    async def _made_ready(self) -> Ready:
        """Once, in a thread, for it takes longer than the event loop may be held up; no request's patience is spent on it."""
        if self._ready is None:
            self._ready = await asyncio.to_thread(_prepared, self._ca_file)
        return self._ready


def _prepared(ca_file: Path | None) -> Ready:
    return importlib.import_module(_TRANSPORT), trust(ca_file)


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """The system's certificate authorities, and those of the file; TLS 1.2 or newer, names checked."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
