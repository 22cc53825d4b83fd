"""What happens to second factors. No secret and no code is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited

_USER = Actor("user", "user_id")


@audited("factor.added", "added a second factor", actor=_USER, of_person=True)
@dataclass(frozen=True)
class FactorAdded:
    user_id: UUID
    kind: str


@audited("factor.removed", "removed a second factor", of_person=True)
@dataclass(frozen=True)
class FactorRemoved:
    user_id: UUID
    kind: str


@audited(
    "factor.refused",
    "could not show a second factor",
    actor=_USER,
    result=Result.REFUSED,
    of_person=True,
)
@dataclass(frozen=True)
class FactorRefused:
    user_id: UUID
    address: str


@audited("factor.codes_made", "made new recovery codes", actor=_USER, of_person=True)
@dataclass(frozen=True)
class RecoveryCodesMade:
    user_id: UUID


@audited("factor.code_used", "used a recovery code", actor=_USER, of_person=True)
@dataclass(frozen=True)
class RecoveryCodeUsed:
    user_id: UUID
    address: str
    left: int


@audited(
    "team.second_factor_changed",
    "changed whether the team demands a second factor of its members",
    target=Target("team", "team_id"),
)
@dataclass(frozen=True)
class TeamDemandChanged:
    team_id: UUID
    before: Mapping[str, bool]
    after: Mapping[str, bool]
