"""The page of allowed addresses."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from pudim_collector.features.addresses import rules
from pudim_collector.features.addresses.rules import AddressError
from pudim_collector.features.addresses.schemas import AddressForm
from pudim_collector.features.addresses.service import AddressLists, Wish
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import address_of

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303


class AddressPages(Controller):
    include_in_schema = False
    path = "/account/addresses"

    @get(opt=requires("addresses:manage"))
    async def show(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
    ) -> Answer:
        return _page(request, "\n".join(await address_lists.of_team(principal)))

    @post(opt=requires("addresses:manage"), status_code=_SEE_OTHER)
    async def change(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        address_lists: NamedDependency[AddressLists],
        data: URLEncodedBody[AddressForm],
    ) -> Answer:
        wish = Wish(rules.words(data.networks), address_of(request.scope), confirmed=bool(data.confirm))
        try:
            await address_lists.set_for_team(principal, wish)
        except AddressError as refusal:
            return _page(request, data.networks, refusal)
        return Redirect("/account/addresses", status_code=_SEE_OTHER)


def _page(request: Asked, networks: str, refusal: AddressError | None = None) -> Answer:
    return render(
        request,
        "addresses/list.html",
        title="Addresses",
        status=refusal.status if refusal else 200,
        networks=networks,
        yours=address_of(request.scope),
        errors={refusal.field: f"{refusal.detail} {refusal.hint}"} if refusal else {},
    )
