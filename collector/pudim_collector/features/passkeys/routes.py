"""The JSON API of one's own passkeys; making one needs a browser, and so has a page only."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency

from pudim_collector.features.passkeys.schemas import RegisteredPasskey, RegisteredPasskeyPage
from pudim_collector.features.passkeys.service import Passkeys
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person


class PasskeyRoutes(Controller):
    path = "/api/v2/passkeys"
    tags = ("Second factors",)
    guards = (person,)

    @get("/", opt=requires("account:secure"), operation_id="list_passkeys")
    async def all(
        self,
        principal: NamedDependency[Principal],
        passkeys: NamedDependency[Passkeys],
        paging: NamedDependency[Paging],
    ) -> RegisteredPasskeyPage:
        """One's own passkeys, in the order in which they were registered."""
        found = [RegisteredPasskey.of(one) for one in await passkeys.all(principal.id)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.created_at.isoformat(), one.id))
        return RegisteredPasskeyPage(shown, paging.next_cursor)
