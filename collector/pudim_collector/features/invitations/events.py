"""What happens to invitations, for the audit log. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited


@audited("invitation.made", "invited somebody", target=Target("invitation", "invitation_id", "email"))
@dataclass(frozen=True)
class InvitationMade:
    invitation_id: UUID
    email: str
    role: str


@audited(
    "invitation.resent", "sent an invitation again", target=Target("invitation", "invitation_id", "email")
)
@dataclass(frozen=True)
class InvitationResent:
    invitation_id: UUID
    email: str


@audited(
    "invitation.withdrawn", "withdrew an invitation", target=Target("invitation", "invitation_id", "email")
)
@dataclass(frozen=True)
class InvitationWithdrawn:
    invitation_id: UUID
    email: str


@audited("member.joined", "joined the team", target=Target("user", "user_id"))
@dataclass(frozen=True)
class MemberJoined:
    user_id: UUID
    team_id: UUID
    role: str
    invited_by: UUID | None
