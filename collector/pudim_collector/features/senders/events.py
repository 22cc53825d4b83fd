"""What happens to senders, for the security log. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited


@audited("sender.created", "made a sender's token", target=Target("sender", "sender_id", "name"))
@dataclass(frozen=True)
class SenderCreated:
    sender_id: UUID
    name: str


@audited("sender.caps_changed", "changed what a sender may bring", target=Target("sender", "sender_id"))
@dataclass(frozen=True)
class SenderCapsChanged:
    sender_id: UUID
    most_series: int
    most_servers: int


@audited("sender.revoked", "revoked a sender's token", target=Target("sender", "sender_id"))
@dataclass(frozen=True)
class SenderRevoked:
    sender_id: UUID


@audited(
    "sender.refused",
    "showed a token that no sender has",
    actor=Actor("sender"),
    result=Result.REFUSED,
    of_installation=True,
)
@dataclass(frozen=True)
class SenderTokenRefused:
    address: str
