"""Lists of addresses in the API."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from pudim_collector.features.addresses.rules import AddressError, LocksOut
from pudim_collector.features.addresses.schemas import AllowedAddresses, WantedAddresses
from pudim_collector.features.addresses.service import AddressLists, Wish
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.rate_limits.metering import address_of

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
        return AllowedAddresses(await address_lists.of_team(principal), address_of(request.scope))

    @put(
        "/addresses",
        opt=requires("addresses:manage") | refuses(AddressError, LocksOut),
        operation_id="set_team_addresses",
    )
    async def set_for_team(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
        data: JSONBody[WantedAddresses],
    ) -> AllowedAddresses:
        """Let the team's people and tokens ask from these networks alone."""
        wish = Wish(data.networks, address_of(request.scope), data.confirm)
        return AllowedAddresses(await address_lists.set_for_team(principal, wish), address_of(request.scope))
