"""Checks in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import structs

from pudim_collector.features.uptime.schemas import (
    Check,
    CheckChanges,
    CheckKindPage,
    CheckPage,
    NewCheck,
    all_kinds,
)
from pudim_collector.features.uptime.service import (
    BadCheckError,
    NoAgentHere,
    NoSuchCheck,
    TooManyChecks,
    Uptime,
)
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.sealing import SecretTooLongError


class ChecksApi(Controller):
    path = "/api/v2/servers/{server_id:uuid}/checks"
    tags = ("Checks",)

    @get(opt=requires("checks:read", on="server_id"), operation_id="list_checks")
    async def checks(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        paging: NamedDependency[Paging],
    ) -> CheckPage:
        """What a server's agent checks, by name, with the newest results."""
        found = [Check.of(view) for view in await uptime.all(within, server_id)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return CheckPage(shown, paging.next_cursor)

    @post(
        opt=requires("checks:write", on="server_id")
        | refuses(BadCheckError, NoAgentHere, TooManyChecks, SecretTooLongError),
        operation_id="create_check",
    )
    async def create(  # noqa: PLR0917 - each by its name
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        entity: NamedDependency[Entity],
        data: JSONBody[NewCheck],
    ) -> Check:
        """Have a server's agent check something; it begins within seconds if it is connected."""
        check_id = await uptime.create(principal, within, server_id, data.draft())
        entity.version = await uptime.version(within, server_id, check_id)
        return Check.of(await uptime.one(within, server_id, check_id))

    @get(
        "/{check_id:uuid}",
        opt=requires("checks:read", on="server_id") | refuses(NoSuchCheck),
        operation_id="get_check",
    )
    async def check(
        self,
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        entity: NamedDependency[Entity],
    ) -> Check:
        """One check and its newest result."""
        entity.version = await uptime.version(within, server_id, check_id)
        return Check.of(await uptime.one(within, server_id, check_id))

    @patch(
        "/{check_id:uuid}",
        opt=requires("checks:write", on="server_id")
        | refuses(NoSuchCheck, BadCheckError, TooManyChecks, SecretTooLongError),
        operation_id="change_check",
    )
    async def change(  # noqa: PLR0917 - each by its name
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
        entity: NamedDependency[Entity],
        data: JSONBody[CheckChanges],
    ) -> Check:
        """Change, pause or resume a check."""
        async with entity.unchanged(lambda: uptime.version(within, server_id, check_id, lock=True)):
            await uptime.change(principal, within, server_id, check_id, **structs.asdict(data))
        entity.version = await uptime.version(within, server_id, check_id)
        return Check.of(await uptime.one(within, server_id, check_id))

    @delete(
        "/{check_id:uuid}",
        opt=requires("checks:write", on="server_id") | refuses(NoSuchCheck),
        operation_id="remove_check",
    )
    async def remove(  # noqa: PLR0917 - each by its name
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
        entity: NamedDependency[Entity],
    ) -> None:
        """Check this no more. What was found stays among the server's metrics."""
        async with entity.unchanged(lambda: uptime.version(within, server_id, check_id, lock=True)):
            await uptime.remove(principal, within, server_id, check_id)


class CheckKindsApi(Controller):
    path = "/api/v2/check-kinds"
    tags = ("Checks",)

    @get(opt=requires("checks:read", each=True), operation_id="list_check_kinds")
    async def kinds(
        self,
        paging: NamedDependency[Paging],
        within: NamedDependency[Scope],  # noqa: ARG002 - the same for all
    ) -> CheckKindPage:
        """What can be checked, and what can be set for it."""
        shown = paging.cut(all_kinds(), tuple[str], lambda one: (one.kind,))
        return CheckKindPage(shown, paging.next_cursor)
