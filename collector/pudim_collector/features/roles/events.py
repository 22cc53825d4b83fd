"""What happens to a team's own roles, with how it was before and is after, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_ROLE = Target("role", "role_id", "name")


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
