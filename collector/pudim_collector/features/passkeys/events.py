"""What happens to passkeys. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class PasskeyAdded:
    user_id: UUID
    passkey_id: UUID
    name: str


@dataclass(frozen=True)
class PasskeyRemoved:
    user_id: UUID
    passkey_id: UUID


@dataclass(frozen=True)
class PasskeyRefused:
    """`reason` is ours, never the browser's text."""

    address: str
    reason: str
