"""API tokens in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.addresses.service import AddressError, AllowedAddresses, WantedAddresses, Wish
from pudim_collector.features.tokens.rules import TokenError
from pudim_collector.features.tokens.schemas import (
    ApiToken,
    ApiTokenPage,
    CreatedApiToken,
    CurrentApiToken,
    NewApiToken,
    TokenChange,
    TokenRenewal,
    ends,
)
from pudim_collector.features.tokens.service import (
    NoPersonBehind,
    NoSuchToken,
    OnlyItsMaker,
    Tokens,
    WantedToken,
)
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.api.token_scopes import NarrowerError, UnknownScopeError
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.rate_limits.metering import address_of
from pudim_collector.infra.scoping import NoSuchServer
from pudim_collector.infra.sudo import person, proven

Asked = Request[Any, Any, Any]
Who = NamedDependency[Principal]
All = NamedDependency[Tokens]
_BAD_WISHES = (TokenError, UnknownScopeError, NarrowerError, NoSuchServer)


class TokenRoutes(Controller):
    path = "/api/v2"
    tags = ("Tokens",)

    @get("/token", opt=requires("account:read") | refuses(NoSuchToken), operation_id="get_current_token")
    async def current(self, principal: Who, tokens: All) -> CurrentApiToken:
        """Which token this request shows, what it may do, and when it ends."""
        return CurrentApiToken.of(await tokens.current(principal), principal, tokens.clock.now())

    @get("/tokens", opt=requires("tokens:own"), operation_id="list_tokens")
    async def tokens(self, principal: Who, tokens: All, paging: NamedDependency[Paging]) -> ApiTokenPage:
        """One's own that are not revoked, the newest first; with `tokens:manage` everybody's in the team."""
        found = await tokens.all(principal)
        shown = paging.cut(found, tuple[float, UUID], lambda one: (-one.created_at.timestamp(), one.id))
        return ApiTokenPage([ApiToken.of(one, tokens.clock.now()) for one in shown], paging.next_cursor)

    @get(
        "/tokens/{token_id:uuid}", opt=requires("tokens:own") | refuses(NoSuchToken), operation_id="get_token"
    )
    async def token(
        self, principal: Who, tokens: All, token_id: FromPath[UUID], entity: NamedDependency[Entity]
    ) -> ApiToken:
        """One token that is not revoked."""
        entity.version = await tokens.version(principal, token_id)
        return ApiToken.of(await tokens.one(principal, token_id), tokens.clock.now())

    @post(
        "/tokens",
        opt=requires("tokens:own") | refuses(*_BAD_WISHES, AddressError, NoPersonBehind),
        guards=[proven],
        operation_id="create_token",
    )
    async def create(
        self, request: Asked, principal: Who, tokens: All, data: JSONBody[NewApiToken]
    ) -> CreatedApiToken:
        """A personal token, which acts as you, or with `tokens:manage` one of a service, which belongs to the team."""
        wanted = WantedToken(
            data.name,
            ends(data.expires_at),
            data.narrowing(),
            data.kind,
            Wish(data.networks, address_of(request.scope)),
        )
        made = await tokens.create(principal, wanted)
        return CreatedApiToken(made.secret, ApiToken.of(made.record, tokens.clock.now()))

    @patch(
        "/tokens/{token_id:uuid}",
        opt=requires("tokens:own") | refuses(NoSuchToken, OnlyItsMaker, *_BAD_WISHES),
        guards=[person, proven],
        operation_id="change_token",
    )
    async def change(
        self,
        principal: Who,
        tokens: All,
        token_id: FromPath[UUID],
        data: JSONBody[TokenChange],
        entity: NamedDependency[Entity],
    ) -> ApiToken:
        """What it is called and what it is narrowed to; it counts from its next request on."""
        async with entity.unchanged(lambda: tokens.version(principal, token_id, lock=True)):
            before = await tokens.one(principal, token_id)
            name = data.name if isinstance(data.name, str) else None
            after = await tokens.change(principal, token_id, name=name, narrowing=data.narrowing(before))
        entity.version = await tokens.version(principal, token_id)
        return ApiToken.of(after, tokens.clock.now())

    @post(
        "/tokens/{token_id:uuid}/renew",
        opt=requires("tokens:own") | refuses(NoSuchToken, OnlyItsMaker, TokenError),
        guards=[proven],
        operation_id="renew_token",
    )
    async def renew(
        self, principal: Who, tokens: All, token_id: FromPath[UUID], data: JSONBody[TokenRenewal]
    ) -> CreatedApiToken:
        """A new secret for the same token. A token renews itself only, and then ends no later than before."""
        made = await tokens.renew(principal, token_id, overlap=data.overlap, ends=ends(data.expires_at))
        return CreatedApiToken(made.secret, ApiToken.of(made.record, tokens.clock.now()))

    @delete(
        "/tokens/{token_id:uuid}",
        opt=requires("tokens:own") | refuses(NoSuchToken),
        guards=[proven],
        operation_id="revoke_token",
    )
    async def revoke(
        self, principal: Who, tokens: All, token_id: FromPath[UUID], entity: NamedDependency[Entity]
    ) -> None:
        """What uses it is refused from now on."""
        async with entity.unchanged(lambda: tokens.version(principal, token_id, lock=True)):
            await tokens.revoke(principal, token_id)

    @get(
        "/tokens/{token_id:uuid}/addresses",
        opt=requires("tokens:own") | refuses(NoSuchToken),
        operation_id="get_token_addresses",
    )
    async def addresses(
        self, request: Asked, principal: Who, tokens: All, token_id: FromPath[UUID]
    ) -> AllowedAddresses:
        """From where this token may be used, besides what the team's list says."""
        return AllowedAddresses(await tokens.addresses(principal, token_id), address_of(request.scope))

    @put(
        "/tokens/{token_id:uuid}/addresses",
        opt=requires("tokens:own") | refuses(NoSuchToken, OnlyItsMaker, AddressError),
        guards=[proven],
        operation_id="set_token_addresses",
    )
    async def set_addresses(
        self,
        request: Asked,
        principal: Who,
        tokens: All,
        token_id: FromPath[UUID],
        data: JSONBody[WantedAddresses],
    ) -> AllowedAddresses:
        """Let this token be used from these networks alone."""
        wish = Wish(data.networks, address_of(request.scope), data.confirm)
        return AllowedAddresses(await tokens.set_addresses(principal, token_id, wish), wish.address)
