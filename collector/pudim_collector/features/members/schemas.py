"""Members and grants at the HTTP edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.members.queries import GrantRecord, MemberRecord
from pudim_collector.features.members.service import Held, Holder
from pudim_collector.features.roles.service import RoleName, TeamRole, chosen_role, described


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
        role, role_id, role_name = described(record.role, names)
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
        return cls(held.permission, [str(one) for one in held.why])


class HeldPermissionPage(Struct):
    items: list[HeldPermission]
    next_cursor: str | None = None


class PermissionHolder(Struct):
    """A member (`user`) or an API token (`token`) that has a permission, and why."""

    kind: str
    id: UUID
    name: str
    why: list[str]

    @classmethod
    def of(cls, holder: Holder) -> PermissionHolder:
        return cls(holder.kind, holder.id, holder.name, [str(one) for one in holder.why])


class PermissionHolderPage(Struct):
    items: list[PermissionHolder]
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
        role = described(record.role, names)
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


class RoleForm(Struct):
    """`role` is a built-in role's name, or the id of one of the team's own."""

    role: str = ""

    def chosen(self) -> RoleName:
        return chosen_role(self.role)


class GrantForm(Struct):
    """`who` is user:ID or token:ID, `where` server:ID or tag:NAME."""

    who: str = ""
    role: str = ""
    where: str = ""


class DemandForm(Struct):
    """`demanded` is "yes", or anything else."""

    demanded: str = ""
