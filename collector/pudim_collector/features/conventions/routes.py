"""What of the API is going to end."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, get
from litestar.di import NamedDependency

from pudim_collector.features.conventions.schemas import DeprecatedOperation, DeprecatedOperationPage
from pudim_collector.infra.api.deprecation import deprecated_operations, uses_of
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.auth import Principal, requires


class DeprecationsApi(Controller):
    path = "/api/v2/deprecations"
    tags = ("API",)

    @get(opt=requires("account:read"), operation_id="list_deprecations")
    async def deprecations(
        self,
        request: Request[Any, Any, Any],
        principal: NamedDependency[Principal],
        paging: NamedDependency[Paging],
    ) -> DeprecatedOperationPage:
        """What of the API is going to end, by path, and which of your team's tokens and people still use it."""
        found = deprecated_operations(request.app)
        shown = paging.cut(found, tuple[str, str], lambda one: (one.path, one.method))
        uses = await uses_of(principal.team_id)
        return DeprecatedOperationPage(
            [DeprecatedOperation.of(one, uses) for one in shown], paging.next_cursor
        )
