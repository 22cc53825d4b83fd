"""What happens to accounts, for the security log and for whoever listens. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class OwnerCreated:
    user_id: UUID
    address: str


@dataclass(frozen=True)
class SignedIn:
    user_id: UUID
    session_id: UUID
    address: str


@dataclass(frozen=True)
class SignInRefused:
    """`account` is a digest of what was typed: people type passwords into the wrong field."""

    account: str
    address: str
    reason: str


@dataclass(frozen=True)
class SignedOut:
    session_id: UUID


@dataclass(frozen=True)
class TokenCreated:
    token_id: UUID
    name: str


@dataclass(frozen=True)
class TokenRevoked:
    token_id: UUID
