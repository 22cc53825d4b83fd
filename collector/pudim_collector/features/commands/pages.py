"""The page of a server's commands: what its host allows, as buttons, and what was asked lately."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.commands.rules import (
    Args,
    BadCommand,
    NotAllowedByHost,
    NothingNewer,
    TooManyWaiting,
)
from pudim_collector.features.commands.schemas import CommandForm, HostCommand
from pudim_collector.features.commands.service import HostCommands, Panel
from pudim_collector.features.servers.service import Servers
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.scoping import Scope

Page = Request[Any, Any, Any]
_SEE_OTHER: Literal[303] = 303
_TYPED = {"tail_log": ("path", "lines"), "restart_unit": ("unit",)}
"""The fields of each action that a form has."""


class CommandPages(Controller):
    include_in_schema = False
    path = "/servers/{server_id:uuid}/commands"

    @get(opt=requires("commands:read", on="server_id"))
    async def commands(  # noqa: PLR0917 - one argument a part
        self,
        request: Page,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        principal: NamedDependency[Principal],
        servers: NamedDependency[Servers],
        commands: NamedDependency[HostCommands],
    ) -> Response[str]:
        return await _page(request, within, server_id, principal, servers, commands)

    @post(opt=requires("commands:run", on="server_id"))
    async def run(  # noqa: PLR0917 - one argument a part
        self,
        request: Page,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        principal: NamedDependency[Principal],
        servers: NamedDependency[Servers],
        commands: NamedDependency[HostCommands],
        data: URLEncodedBody[CommandForm],
    ) -> Response[Any]:
        try:
            await commands.ask(principal, within, server_id, data.action, _args(data))
        except (BadCommand, NotAllowedByHost, NothingNewer, TooManyWaiting) as refusal:
            return await _page(request, within, server_id, principal, servers, commands, refusal)
        return Redirect(f"/servers/{server_id}/commands", status_code=_SEE_OTHER)


def panel_context(panel: Panel, principal: Principal, server_id: UUID) -> dict[str, Any]:
    """What commands/_panel.html needs as `commands`."""
    policy = panel.policy
    return {
        "may_run": principal.may_on("commands:run", server_id),
        "policy": msgspec.to_builtins(policy.document) if policy else None,
        "policy_at": policy.received_at.isoformat() if policy else None,
        "offered": panel.offered,
        "items": [msgspec.to_builtins(HostCommand.of(one)) for one in panel.commands],
        "broken": {"at": panel.broken.at.isoformat(), "said": panel.broken.said} if panel.broken else None,
    }


def _args(form: CommandForm) -> Args:
    """Raises BadCommand."""
    said = {name: getattr(form, name).strip() for name in _TYPED.get(form.action, ())}
    found: dict[str, Any] = {name: value for name, value in said.items() if value}
    if "lines" in found:
        if not found["lines"].isascii() or not found["lines"].isdigit() or len(found["lines"]) > 6:  # noqa: PLR2004
            raise BadCommand("The number of lines is a whole number.")
        found["lines"] = int(found["lines"])
    return found


async def _page(  # noqa: PLR0917 - one argument a part
    request: Page,
    within: Scope,
    server_id: UUID,
    principal: Principal,
    servers: Servers,
    commands: HostCommands,
    refusal: PudimError | None = None,
) -> Response[str]:
    view = await servers.one(within, server_id)
    return render(
        request,
        "commands/server.html",
        title=f"Commands of {view.name}",
        status=refusal.status if refusal else 200,
        server=msgspec.to_builtins(view),
        commands=panel_context(await commands.panel(within, server_id), principal, server_id),
        refusal=f"{refusal.detail} {refusal.hint}".strip() if refusal else None,
    )
