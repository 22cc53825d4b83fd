"""The JSON API of accounts."""

from __future__ import annotations

from litestar import Controller, get, patch
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import UNSET

from pudim_collector.features.accounts.schemas import (
    Me,
    ProfileChange,
)
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person


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
