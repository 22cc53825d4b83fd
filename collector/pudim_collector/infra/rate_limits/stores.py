"""Where buckets are kept: in PostgreSQL, in Redis or Valkey, or in this process alone. Each takes in one step, by its own clock."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.rate_limits.rules import Limit, Taken, judge, left
from pudim_collector.kernel.clock import Clock

_SQL = Path(__file__).parent / "sql"
MIGRATIONS = MigrationApp("rate_limits", _SQL / "migrations")
_TAKE = (_SQL / "take.sql").read_text()
_MOST_KEYS = 20_000
_PREFIX = "pudim:limit:"
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local asked, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = math.max(tonumber(redis.call('GET', KEYS[1]) or now) - now, 0)
if ahead + asked > window + 0.000001 then
    return {0, string.format('%.6f', ahead)}
end
redis.call('SET', KEYS[1], string.format('%.6f', now + ahead + asked), 'PX', math.ceil((ahead + asked) * 1000))
return {1, string.format('%.6f', ahead + asked)}
"""


class LimitStore(Protocol):
    """Raises whatever its server's driver raises when that is away."""

    async def take(self, key: str, limit: Limit, cost: int) -> Taken: ...

    async def close(self) -> None: ...


class LocalStore(LimitStore):
    """This process' own buckets; the least recent keys give way when there are too many."""

    def __init__(self, clock: Clock, most_keys: int = _MOST_KEYS) -> None:
        self._clock, self._most_keys = clock, most_keys
        self._tats: OrderedDict[str, float] = OrderedDict()

    def take_now(self, key: str, limit: Limit, cost: int) -> Taken:
        now = self._clock.monotonic()
        taken = judge(self._tats.get(key, now) - now, limit, cost)
        if taken.allowed:
            self._tats[key] = now + taken.full_in
            self._tats.move_to_end(key)
            if len(self._tats) > self._most_keys:
                self._tats.popitem(last=False)
        return taken

    async def take(self, key: str, limit: Limit, cost: int) -> Taken:
        return self.take_now(key, limit, cost)

    async def close(self) -> None:
        self._tats.clear()


class PostgresStore(LimitStore):
    """One statement; two that come together wait for each other at the row."""

    def __init__(self, database: PsycopgEngine) -> None:
        self._database = database

    async def take(self, key: str, limit: Limit, cost: int) -> Taken:
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                _TAKE, [key, float(cost * limit.interval), float(limit.seconds)]
            )
            row = await cursor.fetchone()
        # No row: it was made by another while this statement ran, and that left too little.
        allowed, ahead = row if row is not None else (False, float(limit.seconds))
        return _taken(bool(allowed), float(ahead), limit, cost)

    async def forget_empty(self) -> None:
        """Buckets that have run empty say nothing any more."""
        async with self._database.connection() as connection:
            await connection.execute(
                "DELETE FROM rate_limits WHERE tat < extract(epoch FROM clock_timestamp())::float8"
            )

    async def close(self) -> None:
        pass


class RedisStore(LimitStore):
    """One script in Redis or Valkey, which runs nothing else meanwhile; keys go by themselves."""

    def __init__(self, url: str) -> None:
        from redis.asyncio import Redis

        self._client: Any = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
        self._script = self._client.register_script(_SCRIPT)

    async def take(self, key: str, limit: Limit, cost: int) -> Taken:
        allowed, ahead = await self._script(
            keys=[_PREFIX + key], args=[f"{cost * limit.interval:.6f}", limit.seconds]
        )
        return _taken(bool(allowed), float(ahead), limit, cost)

    async def close(self) -> None:
        await self._client.aclose()


def _taken(allowed: bool, ahead: float, limit: Limit, cost: int) -> Taken:
    ahead, asked = max(0.0, ahead), cost * limit.interval
    if allowed:
        return Taken(True, left(ahead, limit), ahead)
    # What PostgreSQL reads beside a refusal may be older than what refused.
    return Taken(False, left(ahead, limit), ahead, max(0.0, ahead + asked - limit.seconds) or asked)
