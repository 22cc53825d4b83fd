"""The JSON API of accounts."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.accounts.schemas import (
    ApiToken,
    ApiTokenPage,
    CreatedApiToken,
    CurrentApiToken,
    Me,
    NewApiToken,
)
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.infra.auth import Principal, requires


class AccountRoutes(Controller):
    path = "/api/v2"
    tags = ("Accounts",)

    @get("/me", opt=requires("account:read"), operation_id="get_me")
    async def me(self, principal: NamedDependency[Principal]) -> Me:
        return Me.of(principal)

    @get("/token", opt=requires("account:read"), operation_id="get_current_token")
    async def current(
        self, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> CurrentApiToken:
        token = await accounts.token(principal)
        return CurrentApiToken(ApiToken.of(token), sorted(principal.permissions))

    @get("/tokens", opt=requires("tokens:manage"), operation_id="list_tokens")
    async def tokens(
        self, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> ApiTokenPage:
        return ApiTokenPage([ApiToken.of(token) for token in await accounts.tokens(principal)])

    @post("/tokens", opt=requires("tokens:manage"), operation_id="create_token")
    async def create(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        data: JSONBody[NewApiToken],
    ) -> CreatedApiToken:
        made = await accounts.create_token(principal, data.name, data.expires_at)
        return CreatedApiToken(made.secret, ApiToken.of(made.record))

    @delete("/tokens/{token_id:uuid}", opt=requires("tokens:manage"), operation_id="revoke_token")
    async def revoke(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        token_id: FromPath[UUID],
    ) -> None:
        await accounts.revoke_token(principal, token_id)
