"""Roles and permissions at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.roles.queries import RoleRecord
from pudim_collector.features.roles.service import TeamRole
from pudim_collector.infra.permissions import Permission, Rights

ShortName = Annotated[str, Meta(min_length=1, max_length=128)]
PermissionNames = Annotated[list[Annotated[str, Meta(max_length=128)]], Meta(max_length=500)]


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
