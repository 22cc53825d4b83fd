"""Lists of addresses in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.addresses.schemas import AllowedAddresses, WantedAddresses
from pudim_collector.features.addresses.service import AddressLists, Wish
from pudim_collector.infra.auth import Principal, requires

Asked = Request[Any, Any, Any]


class AddressesApi(Controller):
    path = "/api/v2"
    tags = ("Accounts",)

    @get("/addresses", opt=requires("addresses:manage"), operation_id="get_team_addresses")
    async def of_team(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
    ) -> AllowedAddresses:
        """From where the team's people and tokens may ask."""
        return AllowedAddresses(await address_lists.of_team(principal), from_where(request))

    @put("/addresses", opt=requires("addresses:manage"), operation_id="set_team_addresses")
    async def set_for_team(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
        data: JSONBody[WantedAddresses],
    ) -> AllowedAddresses:
        """Let the team's people and tokens ask from these networks alone."""
        wish = Wish(data.networks, from_where(request), data.confirm)
        return AllowedAddresses(await address_lists.set_for_team(principal, wish), from_where(request))

    @get(
        "/tokens/{token_id:uuid}/addresses",
        opt=requires("addresses:manage"),
        operation_id="get_token_addresses",
    )
    async def of_token(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
        token_id: FromPath[UUID],
    ) -> AllowedAddresses:
        """From where this token may be used, besides what the team's list says."""
        return AllowedAddresses(await address_lists.of_token(principal, token_id), from_where(request))

    @put(
        "/tokens/{token_id:uuid}/addresses",
        opt=requires("addresses:manage"),
        operation_id="set_token_addresses",
    )
    async def set_for_token(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
        token_id: FromPath[UUID],
        data: JSONBody[WantedAddresses],
    ) -> AllowedAddresses:
        """Let this token be used from these networks alone."""
        wish = Wish(data.networks, from_where(request), data.confirm)
        found = await address_lists.set_for_token(principal, token_id, wish)
        return AllowedAddresses(found, from_where(request))


def from_where(request: Asked) -> str | None:
    return request.client.host if request.client else None
