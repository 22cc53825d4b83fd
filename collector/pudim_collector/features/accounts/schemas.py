"""Accounts at the HTTP edge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from pudim_collector.features.accounts import rules
from pudim_collector.features.accounts.queries import TokenRecord
from pudim_collector.infra.api.token_scopes import MOST_RESOURCES, MOST_SCOPES, Narrowing
from pudim_collector.infra.auth import Principal, PrincipalKind

T = TypeVar("T")


Scope = Annotated[str, Meta(max_length=64, pattern=r"^[a-z_-]+:[a-z_-]+$")]
ScopeTag = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ApiToken(Struct):
    """A program's token; `prefix` is all that is shown of it later.

    It may what its role allows, and of that only `scopes`; of servers only `only_servers` and those with `only_tags`. Null is all.
    """

    id: UUID
    name: str
    prefix: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    expires_soon: bool
    scopes: list[str] | None
    only_servers: list[UUID] | None
    only_tags: list[str] | None

    @classmethod
    def of(cls, record: TokenRecord, now: datetime) -> ApiToken:
        return cls(
            record.id,
            record.name,
            record.prefix,
            record.role,
            record.created_at,
            record.expires_at,
            record.last_used_at,
            record.last_used_address,
            rules.expires_soon(record.expires_at, now),
            _list(record.scopes),
            _list(record.only_servers),
            _list(record.only_tags),
        )


class ApiTokenPage(Struct):
    items: list[ApiToken]
    next_cursor: str | None = None


class NewApiToken(Struct, forbid_unknown_fields=True):
    """What to call the token, when it ends by itself, and what it is narrowed to; null is all that you may."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=MOST_SCOPES)] | None = None
    only_servers: Annotated[list[UUID], Meta(min_length=1, max_length=MOST_RESOURCES)] | None = None
    only_tags: Annotated[list[ScopeTag], Meta(min_length=1, max_length=MOST_RESOURCES)] | None = None

    def narrowing(self) -> Narrowing:
        return Narrowing.to(self.scopes, self.only_servers, self.only_tags)


def _list(found: Sequence[T] | None) -> list[T] | None:
    return None if found is None else list(found)


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
