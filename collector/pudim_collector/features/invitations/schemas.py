"""Invitations at the HTTP edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.invitations.queries import InvitationRecord
from pudim_collector.features.roles.service import RoleName, TeamRole, described


class TeamInvitation(Struct):
    """Somebody who may join, and as what."""

    id: UUID
    email: str
    role: TeamRole
    role_id: UUID | None
    role_name: str
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, record: InvitationRecord, names: Mapping[UUID, str]) -> TeamInvitation:
        return cls(
            record.id, record.email, *described(record.role, names), record.created_at, record.expires_at
        )


class TeamInvitationPage(Struct):
    items: list[TeamInvitation]
    next_cursor: str | None = None


class NewTeamInvitation(Struct, forbid_unknown_fields=True):
    """Whom to invite, and as what."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    role: TeamRole
    role_id: UUID | None = None

    def chosen(self) -> RoleName:
        return RoleName(self.role.value, self.role_id)


class MadeTeamInvitation(Struct):
    """`link` is shown this once; whoever has that address opens it. `mailed`: whether it is on its way to him."""

    link: str
    mailed: bool
    invitation: TeamInvitation


class InviteForm(Struct):
    email: str = ""
    role: str = ""


class JoinForm(Struct):
    name: str = ""
    password: str = ""
