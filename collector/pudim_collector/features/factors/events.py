"""What happens to second factors. No secret and no code is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class FactorAdded:
    user_id: UUID
    kind: str


@dataclass(frozen=True)
class FactorRemoved:
    user_id: UUID
    kind: str


@dataclass(frozen=True)
class FactorRefused:
    user_id: UUID
    address: str


@dataclass(frozen=True)
class RecoveryCodesMade:
    user_id: UUID


@dataclass(frozen=True)
class RecoveryCodeUsed:
    user_id: UUID
    address: str
    left: int
