"""The JSON API of one's own second factors; adding one shows a QR code, and so has a page only."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from pudim_collector.features.factors.schemas import RecoveryCodes, SecondFactorState
from pudim_collector.features.factors.service import FactorDemandedError, Factors, NoFactorError
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.entering import give
from pudim_collector.infra.sudo import person, proven


class FactorRoutes(Controller):
    path = "/api/v2/second-factors"
    tags = ("Second factors",)
    guards = (person,)

    @get("/", opt=requires("account:secure"), operation_id="get_second_factors")
    async def state(
        self, principal: NamedDependency[Principal], factors: NamedDependency[Factors]
    ) -> SecondFactorState:
        return SecondFactorState.of(await factors.overview(principal.id))

    @delete(
        "/app",
        opt=requires("account:secure") | refuses(FactorDemandedError),
        guards=[proven],
        operation_id="remove_authenticator_app",
        status_code=204,
    )
    async def remove_app(
        self,
        request: Request[Any, Any, State],
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
    ) -> Response[None]:
        """The session goes on under the cookie that comes with the answer."""
        answer: Response[None] = Response(None, status_code=204)
        give(request, answer, await factors.remove_totp(principal))
        return answer

    @post(
        "/recovery-codes",
        opt=requires("account:secure") | refuses(NoFactorError),
        guards=[proven],
        operation_id="make_recovery_codes",
    )
    async def make_codes(
        self, principal: NamedDependency[Principal], factors: NamedDependency[Factors]
    ) -> RecoveryCodes:
        """Ten new ones; those from before are void."""
        return RecoveryCodes(list(await factors.make_codes(principal.id)))
