"""Accounts at the HTTP edge."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from pudim_collector.infra.auth import Principal, PrincipalKind


class Me(Struct):
    """Who this request comes from."""

    kind: PrincipalKind
    id: UUID
    name: str
    email: str | None
    role: str
    permissions: list[str]
    language: str | None = None
    time_zone: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> Me:
        return cls(
            principal.kind,
            principal.id,
            principal.name,
            principal.email,
            principal.role,
            sorted(principal.permissions),
            principal.language,
            principal.time_zone,
        )


class ProfileChange(Struct, forbid_unknown_fields=True):
    """What is left out stays. A null language or time zone is the browser's."""

    name: Annotated[str, Meta(min_length=1, max_length=128)] | UnsetType = UNSET
    language: Annotated[str, Meta(max_length=16)] | UnsetType | None = UNSET
    time_zone: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET


class SetupForm(Struct):
    name: str = ""
    email: str = ""
    password: str = ""
