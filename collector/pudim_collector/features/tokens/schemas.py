"""API tokens at the HTTP edge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

from litestar.datastructures import FormMultiDict
from msgspec import UNSET, Meta, Struct, UnsetType

from pudim_collector.features.addresses.service import MOST_NETWORKS, NetworkText
from pudim_collector.features.tokens import rules
from pudim_collector.features.tokens.queries import TokenRecord
from pudim_collector.features.tokens.rules import Kind
from pudim_collector.features.tokens.service import USUAL, Ends
from pudim_collector.infra.api.token_scopes import MOST_RESOURCES, MOST_SCOPES, Narrowing
from pudim_collector.infra.auth import Grant, Principal

T = TypeVar("T")
Scope = Annotated[str, Meta(max_length=64, pattern=r"^[a-z_-]+:[a-z_-]+$")]
ScopeTag = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Scopes = Annotated[list[Scope], Meta(min_length=1, max_length=MOST_SCOPES)]
OnlyServers = Annotated[list[UUID], Meta(min_length=1, max_length=MOST_RESOURCES)]
OnlyTags = Annotated[list[ScopeTag], Meta(min_length=1, max_length=MOST_RESOURCES)]
TokenName = Annotated[str, Meta(min_length=1, max_length=128)]
Expiry = Annotated[datetime, Meta(tz=True)]
Overlap = Annotated[int, Meta(ge=0, le=int(rules.LONGEST_OVERLAP.total_seconds()))]

_SEVERAL = frozenset({"scopes", "servers", "tags"})
_LONGEST_TYPED = 20_000


class ApiToken(Struct):
    """A program's token; `prefix` is all that is shown of it later, `maker` who made it.

    A personal one may what its maker may, a service's what it was made for; of that only `scopes`, and of servers only
    `only_servers` and those with `only_tags`. Null is all. `networks` are from where it may be used, and none is
    everywhere. The secret that it had before it was renewed is good until `previous_ends_at`.
    """

    id: UUID
    kind: Kind
    name: str
    prefix: str
    role: str
    maker: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    last_used_address: str | None
    expires_soon: bool
    previous_ends_at: datetime | None
    scopes: list[str] | None
    only_servers: list[UUID] | None
    only_tags: list[str] | None
    networks: list[str]

    @classmethod
    def of(cls, record: TokenRecord, now: datetime) -> ApiToken:
        previous = record.previous_ends_at
        return cls(
            record.id,
            record.kind,
            record.name,
            record.prefix,
            record.role,
            record.maker,
            record.created_at,
            record.expires_at,
            record.last_used_at,
            record.last_used_address,
            rules.expires_soon(record.expires_at, now),
            previous if previous is not None and previous > now else None,
            _list(record.scopes),
            _list(record.only_servers),
            _list(record.only_tags),
            list(record.networks or ()),
        )


class ApiTokenPage(Struct):
    items: list[ApiToken]
    next_cursor: str | None = None


class NewApiToken(Struct, forbid_unknown_fields=True):
    """What to call the token, and what it is narrowed to; null is all that you may, which a service's names.

    Left out, it ends after 90 days (or with the token that asks); null is never. `kind` is that of a token that asks, else
    a personal one's. `networks` are from where it may be used; `confirm` that you are elsewhere does not matter here.
    """

    name: TokenName
    kind: Kind | None = None
    expires_at: Expiry | UnsetType | None = UNSET
    scopes: Scopes | None = None
    only_servers: OnlyServers | None = None
    only_tags: OnlyTags | None = None
    networks: Annotated[list[NetworkText], Meta(max_length=MOST_NETWORKS)] = []

    def narrowing(self) -> Narrowing:
        return Narrowing.to(self.scopes, self.only_servers, self.only_tags)


class TokenChange(Struct, forbid_unknown_fields=True):
    """What is left out stays; null is all that you may."""

    name: TokenName | UnsetType = UNSET
    scopes: Scopes | UnsetType | None = UNSET
    only_servers: OnlyServers | UnsetType | None = UNSET
    only_tags: OnlyTags | UnsetType | None = UNSET

    def narrowing(self, before: TokenRecord) -> Narrowing:
        return Narrowing.to(
            before.scopes if self.scopes is UNSET else self.scopes,
            before.only_servers if self.only_servers is UNSET else self.only_servers,
            before.only_tags if self.only_tags is UNSET else self.only_tags,
        )


class TokenRenewal(Struct, forbid_unknown_fields=True):
    """For how long the secret that it has is good beside the new one, and when the token ends, as for a new one."""

    overlap_seconds: Overlap = 0
    expires_at: Expiry | UnsetType | None = UNSET

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.overlap_seconds)


class CreatedApiToken(Struct):
    """`secret` is shown this once."""

    secret: str
    token: ApiToken


class HeldOnServers(Struct):
    """Permissions for one server, or for all with a tag; with `within` only as far as those servers and tags reach."""

    permissions: list[str]
    server_id: UUID | None
    tag: str | None
    within: list[str] | None

    @classmethod
    def of(cls, grant: Grant) -> HeldOnServers:
        within = None if grant.within is None else sorted(map(str, grant.within))
        return cls(sorted(grant.permissions), grant.server_id, grant.tag, within)


class CurrentApiToken(Struct):
    """The token of this request and what it may do now: for the whole team, and on some servers only."""

    token: ApiToken
    permissions: list[str]
    on_servers: list[HeldOnServers]
    seconds_left: int | None

    @classmethod
    def of(cls, record: TokenRecord, principal: Principal, now: datetime) -> CurrentApiToken:
        left = None if record.expires_at is None else int((record.expires_at - now).total_seconds())
        held = [HeldOnServers.of(one) for one in principal.grants if one.permissions]
        return cls(ApiToken.of(record, now), sorted(principal.permissions), held, left)


def ends(expires_at: datetime | UnsetType | None) -> Ends:
    return USUAL if expires_at is UNSET else Ends(expires_at)


def _list(found: Sequence[T] | None) -> list[T] | None:
    return None if found is None else list(found)


class TokenForm(Struct):
    """What was typed into the page's forms; `may` is a preset, `expires_in_days` empty for never."""

    name: str = ""
    kind: str = Kind.PERSONAL
    may: str = ""
    scopes: list[str] = []
    reach: str = "all"
    servers: list[str] = []
    tags: list[str] = []
    expires_in_days: str = "90"
    addresses: str = ""
    confirm: str = ""
    overlap: str = "0"

    @classmethod
    def read(cls, form: FormMultiDict) -> TokenForm:
        """Each permission's box is named by the permission; several servers and tags may be chosen."""
        single = {
            name: str(form[name])[:_LONGEST_TYPED]
            for name in cls.__struct_fields__
            if name in form and name not in _SEVERAL
        }
        return cls(
            **single,
            scopes=[name for name in form if ":" in name],
            servers=[str(one) for one in form.getall("servers", [])],
            tags=[str(one) for one in form.getall("tags", [])],
        )
