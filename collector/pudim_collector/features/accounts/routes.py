"""The JSON API of accounts."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from pudim_collector.features.accounts.schemas import (
    ApiToken,
    ApiTokenPage,
    CreatedApiToken,
    CurrentApiToken,
    Me,
    NewApiToken,
    ProfileChange,
)
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person, proven


class AccountRoutes(Controller):
    path = "/api/v2"
    tags = ("Accounts",)

    @get("/me", opt=requires("account:read"), operation_id="get_me")
    async def me(self, principal: NamedDependency[Principal]) -> Me:
        return Me.of(principal)

    @patch("/me", opt=requires("account:read"), guards=[person], operation_id="change_me")
    async def change_me(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        data: JSONBody[ProfileChange],
    ) -> Me:
        changed = await accounts.change_profile(
            principal,
            name=principal.name if data.name is UNSET else data.name,
            language=principal.language if data.language is UNSET else data.language,
            time_zone=principal.time_zone if data.time_zone is UNSET else data.time_zone,
        )
        return Me.of(changed)

    @get("/token", opt=requires("account:read"), operation_id="get_current_token")
    async def current(
        self, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> CurrentApiToken:
        token = await accounts.token(principal)
        return CurrentApiToken(ApiToken.of(token, accounts.now()), sorted(principal.permissions))

    @get("/tokens", opt=requires("tokens:manage"), operation_id="list_tokens")
    async def tokens(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        paging: NamedDependency[Paging],
    ) -> ApiTokenPage:
        """All that are not revoked, the newest first."""
        found = await accounts.tokens(principal)
        shown = paging.cut(found, tuple[float, UUID], lambda one: (-one.created_at.timestamp(), one.id))
        return ApiTokenPage([ApiToken.of(token, accounts.now()) for token in shown], paging.next_cursor)

    @get("/tokens/{token_id:uuid}", opt=requires("tokens:manage"), operation_id="get_token")
    async def token(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        token_id: FromPath[UUID],
        entity: NamedDependency[Entity],
    ) -> ApiToken:
        """One token that is not revoked."""
        entity.version = await accounts.token_version(principal, token_id)
        return ApiToken.of(await accounts.one_token(principal, token_id), accounts.now())

    @post("/tokens", opt=requires("tokens:manage"), guards=[proven], operation_id="create_token")
    async def create(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        data: JSONBody[NewApiToken],
    ) -> CreatedApiToken:
        made = await accounts.create_token(principal, data.name, data.expires_at, data.narrowing())
        return CreatedApiToken(made.secret, ApiToken.of(made.record, accounts.now()))

    @delete(
        "/tokens/{token_id:uuid}",
        opt=requires("tokens:manage"),
        guards=[proven],
        operation_id="revoke_token",
    )
    async def revoke(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        token_id: FromPath[UUID],
        entity: NamedDependency[Entity],
    ) -> None:
        """What uses it is refused from now on."""
        async with entity.unchanged(lambda: accounts.token_version(principal, token_id)):
            await accounts.revoke_token(principal, token_id)
