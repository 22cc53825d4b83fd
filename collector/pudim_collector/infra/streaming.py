"""Live streams end when whoever opened them may not see them any more: the gate alone looks only at the beginning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

from litestar.connection import ASGIConnection

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.gate import admit_again
from pudim_collector.kernel.clock import Clock, SystemClock

T = TypeVar("T")
ADMITTED_FOR = 10.0
"""Seconds after which the gate is asked again, at the next event."""


async def while_admitted(
    connection: ASGIConnection[Any, Any, Any, Any], events: AsyncIterator[T], clock: Clock | None = None
) -> AsyncIterator[T]:
    """`events` until their session or token ends; the browser then asks anew and is refused by name."""
    clock = clock or SystemClock()
    admitted = clock.monotonic()
    async for event in events:
        if clock.monotonic() - admitted >= ADMITTED_FOR:
            try:
                await admit_again(connection)
            except PudimError:
                return
            admitted = clock.monotonic()
        yield event
