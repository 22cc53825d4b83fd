"""What happens to accounts, for the security log and for whoever listens. No secret is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited

_USER = Actor("user", "user_id")


@audited(
    "account.owner_created",
    "became the first owner",
    actor=_USER,
    target=Target("user", "user_id"),
    of_person=True,
)
@dataclass(frozen=True)
class OwnerCreated:
    user_id: UUID
    address: str


@audited("session.begun", "signed in", actor=_USER, target=Target("session", "session_id"), of_person=True)
@dataclass(frozen=True)
class SignedIn:
    user_id: UUID
    session_id: UUID
    address: str


@audited(
    "session.refused",
    "could not sign in",
    actor=Actor("unknown", None, "account"),
    target=Target("user", "user_id"),
    result=Result.REFUSED,
    of_installation=True,
    of_person=True,
)
@dataclass(frozen=True)
class SignInRefused:
    """`account` is a digest of what was typed: people type passwords into the wrong field. `user_id` is whose account it is."""

    account: str
    address: str
    reason: str
    user_id: UUID | None = None


@audited(
    "account.created",
    "made an account",
    actor=_USER,
    target=Target("user", "user_id", "name"),
    of_person=True,
)
@dataclass(frozen=True)
class PersonAdded:
    user_id: UUID
    name: str


@audited("session.team", "went to another team", target=Target("session", "session_id"), of_person=True)
@dataclass(frozen=True)
class TeamSwitched:
    session_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("session.ended", "signed out", target=Target("session", "session_id"), of_person=True)
@dataclass(frozen=True)
class SignedOut:
    session_id: UUID


@audited(
    "profile.changed", "changed the own profile", target=Target("user", "user_id", "name"), of_person=True
)
@dataclass(frozen=True)
class ProfileChanged:
    """`language` and `time_zone` are empty where the browser's count."""

    user_id: UUID
    name: str
    name_before: str
    language: str
    time_zone: str
