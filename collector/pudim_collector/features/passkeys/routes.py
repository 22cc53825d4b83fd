"""The JSON API of one's own passkeys; making one needs a browser, and so has a page only."""

from __future__ import annotations

from litestar import Controller, get
from litestar.di import NamedDependency

from pudim_collector.features.passkeys.schemas import RegisteredPasskey, RegisteredPasskeyPage
from pudim_collector.features.passkeys.service import Passkeys
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person


class PasskeyRoutes(Controller):
    path = "/api/v2/passkeys"
    tags = ("Second factors",)
    guards = (person,)

    @get("/", opt=requires("account:secure"), operation_id="list_passkeys")
    async def all(
        self, principal: NamedDependency[Principal], passkeys: NamedDependency[Passkeys]
    ) -> RegisteredPasskeyPage:
        return RegisteredPasskeyPage([RegisteredPasskey.of(one) for one in await passkeys.all(principal.id)])
