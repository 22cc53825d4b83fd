"""Commands in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.commands.rules import BadCommand, HasNoAgent, NotAllowedByHost, TooManyWaiting
from pudim_collector.features.commands.schemas import HostCommand, HostCommandPage, NewCommand
from pudim_collector.features.commands.service import HostCommands, NoSuchCommand
from pudim_collector.infra.api.entity_tags import Entity, version_of
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.scoping import Scope


class CommandsApi(Controller):
    path = "/api/v2/servers/{server_id:uuid}/commands"
    tags = ("Commands",)

    @get(opt=requires("commands:read", on="server_id"), operation_id="list_commands")
    async def commands(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        commands: NamedDependency[HostCommands],
        paging: NamedDependency[Paging],
    ) -> HostCommandPage:
        """What was asked of a server lately, the newest first."""
        found = [HostCommand.of(one) for one in await commands.page(within, server_id, paging)]
        return HostCommandPage(found, paging.next_cursor)

    @post(
        opt=requires("commands:run", on="server_id")
        | refuses(BadCommand, HasNoAgent, NotAllowedByHost, TooManyWaiting),
        operation_id="run_command",
    )
    async def run(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        principal: NamedDependency[Principal],
        commands: NamedDependency[HostCommands],
        data: JSONBody[NewCommand],
    ) -> HostCommand:
        """Ask a server's host to do something. It is signed and sent when its agent is connected; the host decides."""
        return HostCommand.of(await commands.ask(principal, within, server_id, data.action, data.args))

    @get(
        "/{command_id:uuid}",
        opt=requires("commands:read", on="server_id") | refuses(NoSuchCommand),
        operation_id="get_command",
    )
    async def command(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        command_id: FromPath[UUID],
        commands: NamedDependency[HostCommands],
        entity: NamedDependency[Entity],
    ) -> HostCommand:
        """One command, and what has become of it."""
        found = HostCommand.of(await commands.one(within, server_id, command_id))
        entity.version = version_of(found)
        return found
