"""Keeps the parts of the agent going: one that fails is started again, and the others never notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pudim_agent.backoff import Backoff

_log = logging.getLogger(__name__)


async def supervised(name: str, part: Callable[[], Awaitable[None]], backoff: Backoff | None = None) -> None:
    """Start `part` again, ever more slowly, whatever breaks it: half an agent is better than none.

    One that ends by itself has nothing (more) to do and stays ended.
    """
    backoff = backoff or Backoff(1.0, 60.0)
    while True:
        try:
            await part()
        except Exception:  # noqa: BLE001 - whatever it is, the other parts go on
            _log.exception("%s stopped and is started again", name)
        else:
            return
        await asyncio.sleep(backoff.next())
