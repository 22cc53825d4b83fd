"""What happens to senders, for the security log. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class SenderCreated:
    sender_id: UUID
    name: str


@dataclass(frozen=True)
class SenderRevoked:
    sender_id: UUID


@dataclass(frozen=True)
class SenderTokenRefused:
    address: str
