"""What happens to passkeys. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited


@audited("passkey.added", "added a passkey", target=Target("passkey", "passkey_id", "name"), of_person=True)
@dataclass(frozen=True)
class PasskeyAdded:
    user_id: UUID
    passkey_id: UUID
    name: str


@audited("passkey.removed", "removed a passkey", target=Target("passkey", "passkey_id"), of_person=True)
@dataclass(frozen=True)
class PasskeyRemoved:
    user_id: UUID
    passkey_id: UUID


@audited(
    "passkey.refused",
    "could not use a passkey",
    actor=Actor("unknown"),
    result=Result.REFUSED,
    of_installation=True,
)
@dataclass(frozen=True)
class PasskeyRefused:
    """`reason` is ours, never the browser's text."""

    address: str
    reason: str
