"""Deciding here what the store need not be asked for: a process takes a twentieth of a bucket at once, and gives it out.

What is given out was taken before, so no more than the bucket's burst ever passes at once, however many processes. What they hold
and do not use is lost after some seconds: as much may be refused too early, near the limit, for each process. And because it may be
used that late, a caller may get at most one lease a process more within those seconds than the bucket drips.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass, field

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.rate_limits.rules import Limit, Taken
from pudim_collector.infra.rate_limits.stores import LimitStore, LocalStore
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

_log = logging.getLogger(__name__)
LEASE_SECONDS = 5.0
PATIENCE = 1.0
"""Seconds that a request waits for the store."""
AWAY_SECONDS = 2.0
"""For so long the store is not asked again after it failed."""
_MOST_KEYS = 20_000
asked = counter("pudim_rate_limit_store_total", "Times that the store of rate limits was asked.", ["result"])


class LimitsUnavailable(PudimError):
    """How often this was asked cannot be counted now, and without that it is not done."""

    code = "limits_unavailable"
    status = 503
    retry = True
    hint = "Try again in a few seconds."
    headers = {"Retry-After": "5"}  # noqa: RUF012 - a class's words, as code and status are


@dataclass
class _Held:
    """What this process may give out of one bucket, and until when; or until when it need not ask."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tokens: int = 0
    until: float = 0.0
    left: int = 0
    full_in: float = 0.0
    refused_cost: int = 0
    refused_until: float = 0.0


class Leases:
    def __init__(self, store: LimitStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._floor = LocalStore(clock)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._away_until = 0.0

    async def take(self, key: str, limit: Limit, cost: int) -> Taken:
        """Raises LimitsUnavailable for an exact limit while the store is away; others are then kept by each process."""
        cost = min(cost, limit.quota)
        held = self._of(key)
        async with held.lock:
            now = self._clock.monotonic()
            if now < held.refused_until and cost >= held.refused_cost:
                return Taken(False, 0, held.full_in, held.refused_until - now)
            if now >= held.until:
                held.tokens = 0
            if held.tokens >= cost:
                held.tokens -= cost
                return Taken(True, held.left + held.tokens, held.full_in)
            return await self._ask(held, key, limit, cost)

    async def close(self) -> None:
        await self._store.close()

    def _of(self, key: str) -> _Held:
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = _Held()
            if len(self._held) > _MOST_KEYS:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return held

    async def _ask(self, held: _Held, key: str, limit: Limit, cost: int) -> Taken:
        if self._clock.monotonic() < self._away_until:
            return self._without(key, limit, cost)
        try:
            async with asyncio.timeout(PATIENCE):
                wanted = max(cost, limit.lease)
                taken = await self._store.take(key, limit, wanted)
                if not taken.allowed and wanted > cost:
                    wanted = cost
                    taken = await self._store.take(key, limit, cost)
        except Exception as error:  # noqa: BLE001 - whatever the store's driver raises, requests go on
            _log.warning("rate limits cannot be counted together: %s", type(error).__name__)
            asked.labels("failed").inc()
            self._away_until = self._clock.monotonic() + AWAY_SECONDS
            return self._without(key, limit, cost)
        asked.labels("taken" if taken.allowed else "refused").inc()
        return self._settled(held, taken, wanted, cost)

    def _settled(self, held: _Held, taken: Taken, wanted: int, cost: int) -> Taken:
        now = self._clock.monotonic()
        held.full_in = taken.full_in
        if not taken.allowed:
            held.refused_cost, held.refused_until = cost, now + taken.wait
            return taken
        held.tokens, held.until, held.left = wanted - cost, now + LEASE_SECONDS, taken.left
        return Taken(True, taken.left + held.tokens, taken.full_in)

    def _without(self, key: str, limit: Limit, cost: int) -> Taken:
        if limit.exact:
            raise LimitsUnavailable
        return self._floor.take_now(key, limit, cost)
