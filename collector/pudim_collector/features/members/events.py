"""What happens to members of a team and what is granted to them, with how it was before and is after, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_MEMBER = Target("user", "user_id")


@audited("member.changed", "changed a member's role", target=_MEMBER)
@dataclass(frozen=True)
class MemberChanged:
    user_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("owner.made", "made somebody an owner on the machine", target=_MEMBER)
@dataclass(frozen=True)
class OwnerMade:
    user_id: UUID
    team_id: UUID
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
