"""What happens to teams, with how it was before and is after, for the security log. No secret is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_MEMBER = Target("user", "user_id")
_ROLE = Target("role", "role_id", "name")
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


@audited("member.joined", "joined the team", target=_MEMBER)
@dataclass(frozen=True)
class MemberJoined:
    user_id: UUID
    team_id: UUID
    role: str
    invited_by: UUID | None


@audited("member.changed", "changed a member's role", target=_MEMBER)
@dataclass(frozen=True)
class MemberChanged:
    user_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("member.removed", "removed a member", target=_MEMBER)
@dataclass(frozen=True)
class MemberRemoved:
    user_id: UUID
    before: Mapping[str, Any]


@audited("member.left", "left the team", target=_MEMBER)
@dataclass(frozen=True)
class MemberLeft:
    user_id: UUID
    before: Mapping[str, Any]


@audited("team.handed_over", "handed the team over", target=_MEMBER)
@dataclass(frozen=True)
class TeamHandedOver:
    user_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("invitation.made", "invited somebody", target=Target("invitation", "invitation_id", "email"))
@dataclass(frozen=True)
class InvitationMade:
    invitation_id: UUID
    email: str
    role: str


@audited(
    "invitation.withdrawn", "withdrew an invitation", target=Target("invitation", "invitation_id", "email")
)
@dataclass(frozen=True)
class InvitationWithdrawn:
    invitation_id: UUID
    email: str


@audited("role.created", "made a role", target=_ROLE)
@dataclass(frozen=True)
class RoleCreated:
    role_id: UUID
    name: str
    permissions: tuple[str, ...]


@audited("role.changed", "changed a role", target=_ROLE)
@dataclass(frozen=True)
class RoleChanged:
    role_id: UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("role.deleted", "deleted a role", target=_ROLE)
@dataclass(frozen=True)
class RoleDeleted:
    role_id: UUID
    name: str
    before: Mapping[str, Any]


@audited("grant.made", "granted a role", target=Target("grant", "grant_id"))
@dataclass(frozen=True)
class GrantMade:
    grant_id: UUID
    role: str
    user_id: UUID | None
    token_id: UUID | None
    server_id: UUID | None
    tag: str | None


@audited("grant.withdrawn", "withdrew a grant", target=Target("grant", "grant_id"))
@dataclass(frozen=True)
class GrantWithdrawn:
    grant_id: UUID
    role: str
    user_id: UUID | None
    token_id: UUID | None
    server_id: UUID | None
    tag: str | None
