"""What happens to passwords and addresses. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class PasswordChanged:
    user_id: UUID
    address: str


@dataclass(frozen=True)
class PasswordResetAsked:
    """`account` is a digest of what was typed, whether there is such an account or not."""

    account: str
    address: str


@dataclass(frozen=True)
class PasswordReset:
    user_id: UUID
    address: str


@dataclass(frozen=True)
class EmailChanged:
    user_id: UUID
