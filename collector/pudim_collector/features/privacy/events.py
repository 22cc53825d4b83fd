"""What happens to people's own data, for the audit log; of who was deleted it holds the pseudonym alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_PERSON = Target("user", "user_id", "name")


@audited("account.exported", "took all that is held about a person", target=_PERSON)
@dataclass(frozen=True)
class PersonExported:
    user_id: UUID
    name: str


@audited("account.deleted", "deleted an account", target=_PERSON, of_installation=True)
@dataclass(frozen=True)
class PersonDeleted:
    user_id: UUID
    name: str
    teams: int


@audited("member.deleted", "deleted a member's account", target=_PERSON)
@dataclass(frozen=True)
class MemberDeleted:
    """The same, for the log of a team that he was in."""

    team_id: UUID
    user_id: UUID
    name: str


@audited("rows.retention_changed", "changed how long rows are kept", of_installation=True)
@dataclass(frozen=True)
class RetentionChanged:
    before: Mapping[str, int]
    after: Mapping[str, int]
