"""What happens to receivers of audit entries."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_RECEIVER = Target("receiver", "receiver_id", "name")


@audited("receiver.added", "let entries be sent to a receiver", target=_RECEIVER)
@dataclass(frozen=True)
class ReceiverAdded:
    receiver_id: UUID
    name: str
    kind: str
    address: str


@audited("receiver.removed", "stopped sending entries to a receiver", target=_RECEIVER)
@dataclass(frozen=True)
class ReceiverRemoved:
    receiver_id: UUID
    name: str
