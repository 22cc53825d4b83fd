"""Use cases of receivers: where a team's audit entries are sent to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.audit.service import AuditLog
from pudim_collector.features.receivers import events, queries, rules
from pudim_collector.features.receivers.queries import Receiver
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id


class NoSuchReceiver(PudimError):
    """There is no such receiver."""

    code = "no_such_receiver"
    status = 404


class TooManyReceivers(PudimError):
    """Entries are sent to at most 8 receivers."""

    code = "too_many_receivers"
    status = 409


@dataclass(frozen=True)
class Receivers:
    """`chain` is whose entries are sent; who may ask for which was decided before."""

    audit: AuditLog
    clock: Clock
    emit: Callable[[object], None]

    async def all(self, chain: UUID) -> Sequence[Receiver]:
        return await queries.receivers(chain)

    async def add(
        self, chain: UUID, name: str, kind: str, settings: Mapping[str, Any], *, from_now: bool = True
    ) -> Receiver:
        """Send it everything from now on, or all that is kept. Raises TooManyReceivers or BadReceiver."""
        name, settings = rules.check_receiver(name, kind, settings)
        begin = await self.audit.newest(chain) if from_now else 0
        made = Receiver(
            new_id(), chain, name, kind, settings, begin, self.clock.now(), None, None, 0, None, None
        )
        async with database.transaction():
            if len(await queries.receivers(chain)) >= rules.MOST_RECEIVERS:
                raise TooManyReceivers
            await queries.add_receiver(made)
            self.emit(events.ReceiverAdded(made.id, name, kind, rules.address_of(kind, settings)))
        return made

    async def remove(self, chain: UUID, receiver_id: UUID) -> None:
        """Raises NoSuchReceiver."""
        async with database.transaction():
            name = await queries.remove_receiver(chain, receiver_id)
            if name is None:
                raise NoSuchReceiver
            self.emit(events.ReceiverRemoved(receiver_id, name))
