"""What happens to teams, with how it was before and is after, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_TEAM = Target("team", "team_id", "name")


@audited("team.created", "made a team", target=_TEAM)
@dataclass(frozen=True)
class TeamCreated:
    team_id: UUID
    name: str


@audited("team.renamed", "renamed the team", target=Target("team", "team_id"))
@dataclass(frozen=True)
class TeamRenamed:
    team_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("team.deleted", "deleted the team with all its servers", target=_TEAM, of_installation=True)
@dataclass(frozen=True)
class TeamDeleted:
    team_id: UUID
    name: str
    servers: int
