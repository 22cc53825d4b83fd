"""Teams at the HTTP edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.factors.service import TeamDemand
from pudim_collector.features.teams.queries import (
    GrantRecord,
    InvitationRecord,
    MemberRecord,
    RoleName,
    RoleRecord,
    TeamRecord,
)
from pudim_collector.features.teams.service import Held
from pudim_collector.infra.permissions import Permission, Rights

ShortName = Annotated[str, Meta(min_length=1, max_length=128)]
PermissionNames = Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=500)]


class TeamRole(StrEnum):
    """A built-in role; `own` is one that the team made itself, which `role_id` names."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    GUEST = "guest"
    OWN = "own"


class Team(Struct):
    """A team; what there is belongs to one."""

    id: UUID
    name: str

    @classmethod
    def of(cls, record: TeamRecord) -> Team:
        return cls(record.id, record.name)


class TeamPage(Struct):
    items: list[Team]
    next_cursor: str | None = None


class TeamWish(Struct, forbid_unknown_fields=True):
    """What the team is called; to delete it, its name as it is written."""

    name: ShortName


class TeamChoice(Struct, forbid_unknown_fields=True):
    """The team to go to."""

    team_id: UUID


class Member(Struct):
    """A person in a team, and what he is there."""

    user_id: UUID
    name: str
    email: str
    role: TeamRole
    role_id: UUID | None
    role_name: str
    since: datetime

    @classmethod
    def of(cls, record: MemberRecord, names: Mapping[UUID, str]) -> Member:
        role, role_id, role_name = _role(record.role, names)
        return cls(record.user_id, record.name, record.email, role, role_id, role_name, record.since)


class MemberPage(Struct):
    items: list[Member]
    next_cursor: str | None = None


class RoleChoice(Struct, forbid_unknown_fields=True):
    """A built-in role, or `own` with the id of one of the team's own."""

    role: TeamRole
    role_id: UUID | None = None

    def name(self) -> RoleName:
        return RoleName(self.role.value, self.role_id)


class NewOwner(Struct, forbid_unknown_fields=True):
    """The member who becomes an owner in your place."""

    user_id: UUID


class HeldPermission(Struct):
    """A permission and why it is held."""

    permission: str
    why: list[str]

    @classmethod
    def of(cls, held: Held) -> HeldPermission:
        return cls(held.permission, list(held.why))


class HeldPermissionPage(Struct):
    items: list[HeldPermission]
    next_cursor: str | None = None


class OwnRole(Struct):
    """A role that a team made of named permissions."""

    id: UUID
    name: str
    permissions: list[str]
    created_at: datetime

    @classmethod
    def of(cls, record: RoleRecord) -> OwnRole:
        return cls(record.id, record.name, list(record.permissions), record.created_at)


class OwnRolePage(Struct):
    items: list[OwnRole]
    next_cursor: str | None = None


class NewRole(Struct, forbid_unknown_fields=True):
    """Its permissions are among those that you have yourself."""

    name: ShortName
    permissions: PermissionNames


class RoleChanges(Struct, forbid_unknown_fields=True):
    """What is left out stays; `permissions` replace all that it had."""

    name: ShortName | None = None
    permissions: PermissionNames | None = None


class PermissionKind(Struct):
    """Something that can be permitted, and which built-in roles have it."""

    name: str
    allows: str
    on_server: bool
    installation: bool
    roles: list[TeamRole]

    @classmethod
    def of(cls, name: str, permission: Permission, rights: Rights) -> PermissionKind:
        roles: list[TeamRole] = [role for role in TeamRole if name in rights.of(role.value)]
        return cls(name, permission.words, permission.on_server, name in rights.operators, roles)


class PermissionKindPage(Struct):
    items: list[PermissionKind]
    next_cursor: str | None = None


class RoleGrant(Struct):
    """A role for a member or an API token, on one server or on all with a tag."""

    id: UUID
    user_id: UUID | None
    token_id: UUID | None
    role: TeamRole
    role_id: UUID | None
    role_name: str
    server_id: UUID | None
    tag: str | None
    made_at: datetime

    @classmethod
    def of(cls, record: GrantRecord, names: Mapping[UUID, str]) -> RoleGrant:
        role = _role(record.role, names)
        return cls(
            record.id, record.user_id, record.token_id, *role, record.server_id, record.tag, record.made_at
        )


class RoleGrantPage(Struct):
    items: list[RoleGrant]
    next_cursor: str | None = None


class NewGrant(Struct, forbid_unknown_fields=True):
    """One of `user_id` and `token_id`, and one of `server_id` and `tag`."""

    role: TeamRole
    role_id: UUID | None = None
    user_id: UUID | None = None
    token_id: UUID | None = None
    server_id: UUID | None = None
    tag: Annotated[str, Meta(max_length=64)] | None = None


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
        return cls(record.id, record.email, *_role(record.role, names), record.created_at, record.expires_at)


class TeamInvitationPage(Struct):
    items: list[TeamInvitation]
    next_cursor: str | None = None


class NewTeamInvitation(Struct, forbid_unknown_fields=True):
    """Whom to invite, and as what."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    role: TeamRole
    role_id: UUID | None = None


class MadeTeamInvitation(Struct):
    """`link` is shown this once; whoever has that address opens it."""

    link: str
    invitation: TeamInvitation


class TeamSecondFactor(Struct):
    """Whether a team demands a second factor of its members, and how many of them have none."""

    demanded: bool
    members: int
    without: int

    @classmethod
    def of(cls, demand: TeamDemand) -> TeamSecondFactor:
        return cls(demand.demanded, demand.members, demand.without)


class SecondFactorWish(Struct, forbid_unknown_fields=True):
    """Whether to demand it from now on."""

    demanded: bool


class DemandForm(Struct):
    """`demanded` is "yes", or anything else."""

    demanded: str = ""


class SwitchForm(Struct):
    """`team` is the id of the one to go to."""

    team: str = ""


class TeamNameForm(Struct):
    name: str = ""


class RoleForm(Struct):
    """`role` is a built-in role's name, or the id of one of the team's own."""

    role: str = ""

    def chosen(self) -> RoleName:
        return chosen_role(self.role)


class InviteForm(Struct):
    email: str = ""
    role: str = ""


class JoinForm(Struct):
    name: str = ""
    password: str = ""


class GrantForm(Struct):
    """`who` is a member's id; `where` a tag, or a server's id."""

    who: str = ""
    role: str = ""
    server: str = ""
    tag: str = ""


def chosen_role(text: str) -> RoleName:
    """As a form says it; what is neither is refused where every role is checked."""
    try:
        return RoleName(TeamRole.OWN.value, UUID(text))
    except ValueError:
        return RoleName(text)


def _role(role: RoleName, names: Mapping[UUID, str]) -> tuple[TeamRole, UUID | None, str]:
    name = role.role if role.own_role is None else names.get(role.own_role, role.role)
    return TeamRole(role.role), role.own_role, name
