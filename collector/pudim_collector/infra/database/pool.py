"""The psycopg pool, with every connection returned on every path, also when a task is cancelled while it waits."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg.adapt import AdaptersMap
from psycopg.rows import TupleRow
from psycopg.types.string import TextLoader
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from pudim_collector.infra.database.errors import (
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseUnreachableError,
)
from pudim_collector.infra.database.figures import pools

Connection: TypeAlias = AsyncConnection[TupleRow]
T = TypeVar("T")

_PATIENCE = 30.0
# A peer that vanished without a word is noticed within a minute; unix sockets ignore these.
_LIVENESS: dict[str, Any] = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 45_000,
}
_LIFETIME = 3600.0
_RECONNECT = 8.0
"""After so long without success an attempt is given up, and the next taker begins a new one at once: the pool's own
pauses double for five minutes, and a server that came back would not be noticed for as long."""

_RESTED = 2.0
_answered: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

# JSON comes as text: Piccolo expects it so, and msgspec decodes it into types anyway.
ADAPTERS = AdaptersMap(psycopg.adapters)
for _name in ("json", "jsonb"):
    ADAPTERS.register_loader(_name, TextLoader)


@dataclass(frozen=True)
class SessionSettings:
    """What every connection of a process is told once it is made."""

    application_name: str = "pudim"
    statement_timeout: timedelta = timedelta(seconds=30)

    async def apply(self, connection: Connection) -> None:
        milliseconds = int(self.statement_timeout / timedelta(milliseconds=1))
        await connection.execute(
            "SELECT set_config('application_name', $1, false), set_config('statement_timeout', $2, false),"
            " set_config('TimeZone', 'UTC', false)",
            [self.application_name, str(milliseconds)],
        )


async def connect(conninfo: str, settings: SessionSettings) -> Connection:
    """One connection outside of the pool, of the same kind, for LISTEN, advisory locks and migrations."""
    try:
        connection: Connection = await AsyncConnection.connect(
            conninfo, autocommit=True, cursor_factory=AsyncRawCursor, context=_Adapting(), **_LIVENESS
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnreachableError(str(error)) from error
    try:
        await settings.apply(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _check_after_rest(connection: Connection) -> None:
    """Asking whether it lives costs a round trip, so one that answered a moment ago is not asked again."""
    now = time.monotonic()
    if now - _answered.get(connection, float("-inf")) > _RESTED:
        await AsyncConnectionPool.check_connection(connection)
        _answered[connection] = now


class _Adapting:
    """What psycopg takes adapters from."""

    adapters = ADAPTERS
    connection = None


class Pool:
    """Leases connections in autocommit mode, with $1 placeholders and tuple rows."""

    def __init__(
        self, conninfo: str, *, min_size: int, max_size: int, settings: SessionSettings, check: bool = True
    ) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            kwargs={
                "autocommit": True,
                "cursor_factory": AsyncRawCursor,
                "context": _Adapting(),
                **_LIVENESS,
            },
            min_size=min_size,
            max_size=max_size,
            configure=settings.apply,
            check=_check_after_rest if check else None,
            timeout=_PATIENCE,
            max_lifetime=_LIFETIME,
            reconnect_timeout=_RECONNECT,
            name=settings.application_name,
            open=False,
        )
        self._unfinished: set[asyncio.Task[Any]] = set()
        self.name = settings.application_name

    async def open(self) -> None:
        try:
            await self._pool.open(wait=True, timeout=_PATIENCE)
        except PoolTimeout as error:
            await self._pool.close()
            raise DatabaseUnreachableError from error
        except BaseException:
            await self._pool.close()
            raise
        pools.add(self)

    async def close(self) -> None:
        pools.remove(self)
        await self._pool.close()
        if self._unfinished:
            await asyncio.wait(self._unfinished)

    async def check(self) -> None:
        """Replace the connections that the server has ended."""
        await self._pool.check()

    @property
    def statistics(self) -> Mapping[str, int]:
        return self._pool.get_stats()

    async def take(self) -> Connection:
        """A connection, to be given back. Psycopg's pool can lose one that arrives as its taker is cancelled."""
        taking = self._keep(self._pool.getconn())
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._return_unwanted)
            raise
        except PoolTimeout as error:
            raise DatabaseBusyError from error
        except PoolClosed as error:
            raise DatabaseClosedError from error

    async def give_back(self, connection: Connection) -> None:
        """Return a connection whatever its state; the pool rolls back or replaces what is not idle."""
        await self.finish(self._pool.putconn(connection))

    def give_back_soon(self, connection: Connection) -> None:
        """As `give_back`, for a user whose work is done and who waits for nothing: who asked is answered first."""
        self._keep(self._pool.putconn(connection))

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` to its end even if the caller is cancelled, who hears of it afterwards."""
        task = self._keep(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _return_unwanted(self, taking: asyncio.Task[Connection]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            self._keep(self._pool.putconn(taking.result()))

    def _keep(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return task
