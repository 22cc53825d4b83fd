"""What happens to passwords and addresses. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, audited

_USER = Actor("user", "user_id")


@audited("password.changed", "changed the password", actor=_USER, of_person=True)
@dataclass(frozen=True)
class PasswordChanged:
    user_id: UUID
    address: str


@audited(
    "password.reset_asked",
    "asked for a link to set a new password",
    actor=Actor("unknown", None, "account"),
    of_installation=True,
)
@dataclass(frozen=True)
class PasswordResetAsked:
    """`account` is a digest of what was typed, whether there is such an account or not."""

    account: str
    address: str


@audited("password.reset", "set a new password through a link", actor=_USER, of_person=True)
@dataclass(frozen=True)
class PasswordReset:
    user_id: UUID
    address: str


@audited("account.email_changed", "changed the address of the account", actor=_USER, of_person=True)
@dataclass(frozen=True)
class EmailChanged:
    user_id: UUID
