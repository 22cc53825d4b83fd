"""Accounts at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from pudim_collector.features.accounts.queries import TokenRecord
from pudim_collector.infra.auth import Principal, PrincipalKind


class ApiToken(Struct):
    """A program's token; `prefix` is all that is shown of it later."""

    id: UUID
    name: str
    prefix: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, record: TokenRecord) -> ApiToken:
        return cls(
            record.id,
            record.name,
            record.prefix,
            record.role,
            record.created_at,
            record.expires_at,
            record.last_used_at,
        )


class ApiTokenPage(Struct):
    items: list[ApiToken]
    next_cursor: str | None = None


class NewApiToken(Struct, forbid_unknown_fields=True):
    """What to call the token, and when it ends by itself."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class CreatedApiToken(Struct):
    """`secret` is shown this once."""

    secret: str
    token: ApiToken


class CurrentApiToken(Struct):
    """The token of this request and what it may do."""

    token: ApiToken
    permissions: list[str]


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


class TokenForm(Struct):
    """`expires_in_days` is empty for never."""

    name: str = ""
    expires_in_days: str = ""
