"""What is told of while something is done: kept until its transaction commits, or until the request is answered."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim_collector.infra.auditing import Action, action_of, undeclared
from pudim_collector.infra.auth import Principal, Sender
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.database.errors import ForeignTransactionError
from pudim_collector.infra.request_ids import Asked, asked
from pudim_collector.infra.telemetry import counter

lost = counter(
    "pudim_audit_entries_lost_total", "Entries that were told outside of requests faster than written."
)
MOST_LEFT = 10_000
"""Events of what happens outside of requests and transactions that wait to be written."""
_MOST_AT_ONCE = 100


@dataclass(frozen=True)
class Told:
    """An event with what was known of who asked as it was told."""

    event: object
    action: Action
    at: datetime
    request: Asked | None
    who: Principal | Sender | None


@dataclass
class _Journal:
    """What one request told: what still has to be written, and how much that was or will be."""

    waiting: list[Told] = field(default_factory=list)
    told: int = 0


_journal: ContextVar[_Journal | None] = ContextVar("pudim_audit_journal", default=None)


class Telling(ABC):
    """Takes events. In a transaction they are written as the last of it; else before the request is answered.

    What happens outside of both waits for the loop `run`.
    """

    def __init__(self) -> None:
        self._left: deque[Told] = deque()
        self._arrived = asyncio.Event()

    @abstractmethod
    async def write(self, told: Sequence[Told], connection: Connection) -> None:
        """Within the connection's transaction, in their order."""

    @abstractmethod
    async def judge(self, scope: Scope, status: int, *, untold: bool) -> None:
        """What a request is worth an event for, by how it ended and whether nobody told of it."""

    def take(self, event: object, at: datetime) -> None:
        request = asked.get()
        who = request.scope.get("user") if request else None
        known = who if isinstance(who, Principal | Sender) else None
        told = Told(event, action_of(event) or undeclared(event), at, request, known)
        journal = _journal.get()
        if journal is not None:
            journal.told += 1
        try:
            transaction = database.active_transaction()
        except ForeignTransactionError:  # told by a task of its own: not part of that transaction
            transaction = None
        if transaction is not None:
            transaction.before_commit(self.write, told)
        elif journal is not None:
            journal.waiting.append(told)
        else:
            self._leave([told])

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application, whose answers wait until what they tell of is written."""

        async def audited(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            journal = _Journal()
            token = _journal.set(journal)
            begun = False

            async def send_when_written(message: Message) -> None:
                nonlocal begun
                if message["type"] == "http.response.start" and not begun:
                    begun = True
                    await self._before_answer(scope, message["status"], journal)
                await send(message)

            try:
                await app(scope, receive, send_when_written)
            finally:
                _journal.reset(token)
                self._leave(journal.waiting)

        return audited

    async def run(self) -> None:
        """Write what is told outside of requests and transactions."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.settle()

    async def settle(self) -> None:
        """Write what waits."""
        while self._left:
            some = [self._left[number] for number in range(min(len(self._left), _MOST_AT_ONCE))]
            await self._write(some)
            for _ in some:
                self._left.popleft()

    def _leave(self, told: Iterable[Told]) -> None:
        for one in told:
            if len(self._left) >= MOST_LEFT:
                lost.inc()
                continue
            self._left.append(one)
            self._arrived.set()

    async def _before_answer(self, scope: Scope, status: int, journal: _Journal) -> None:
        await self.judge(scope, status, untold=not journal.told)
        waiting, journal.waiting = journal.waiting, []
        if waiting:
            await self._write(waiting)

    async def _write(self, told: Sequence[Told]) -> None:
        """In a transaction of their own."""
        async with database.transaction() as transaction:
            await self.write(told, transaction.connection)
