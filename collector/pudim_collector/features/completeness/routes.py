"""Completeness in the API."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.completeness.schemas import (
    DayCompleteness,
    FleetCompleteness,
    FleetMember,
    ServerCompleteness,
)
from pudim_collector.features.completeness.service import DayLedger
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import requires
from pudim_collector.infra.scoping import Scope

MOST_DAYS = 366
_SHOWN = timedelta(days=29)
First = Annotated[date | None, QueryParameter(name="from", description="A day (UTC); 29 days before `to`.")]
Last = Annotated[date | None, QueryParameter(name="to", description="A day (UTC), itself included; today.")]
Day = Annotated[date | None, QueryParameter(description="A day (UTC); today.")]


class BadDays(PudimError):
    """Days go from an earlier to a later one, and are at most 366."""

    code = "bad_days"
    status = 422


class CompletenessApi(Controller):
    path = "/api/v2"
    tags = ("Completeness",)

    @get(
        "/servers/{server_id:uuid}/completeness",
        opt=requires("servers:read", on="server_id") | refuses(BadDays),
        operation_id="server_completeness",
    )
    async def server(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        ledger: NamedDependency[DayLedger],
        first: First = None,
        last: Last = None,
    ) -> ServerCompleteness:
        """What is stored of a server's days against what was expected, and the reason of each gap."""
        last = last or ledger.clock.now().date()
        first = first or max(last, date.min + _SHOWN) - _SHOWN
        if not 0 <= (last - first).days < MOST_DAYS:
            raise BadDays
        days = await ledger.days(within, server_id, first, last)
        return ServerCompleteness(server_id, first, last, [DayCompleteness.of(day) for day in days])

    @get("/completeness", opt=requires("servers:read", each=True), operation_id="fleet_completeness")
    async def fleet(
        self, ledger: NamedDependency[DayLedger], within: NamedDependency[Scope], day: Day = None
    ) -> FleetCompleteness:
        """One day of all servers, the worst first; of today, what was known minutes ago."""
        day = day or ledger.clock.now().date()
        return FleetCompleteness(day, [FleetMember.among(one) for one in await ledger.fleet(day, within)])
