"""The page of a server's checks: what each found, and a form for each kind."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.checks import checks
from pudim_collector.features.servers.service import Servers
from pudim_collector.features.uptime import rules
from pudim_collector.features.uptime.rules import Draft
from pudim_collector.features.uptime.schemas import Check
from pudim_collector.features.uptime.service import BadCheckError, NoAgentHere, TooManyChecks, Uptime
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.scoping import Scope

Asked = Request[Any, Any, Any]
_SEE_OTHER: Literal[303] = 303


class CheckPages(Controller):
    include_in_schema = False
    path = "/servers/{server_id:uuid}/checks"

    @get(opt=requires("checks:read", on="server_id"))
    async def checks(  # noqa: PLR0917 - each by its name
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        servers: NamedDependency[Servers],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
    ) -> Response[str]:
        return await _page(request, principal, within, servers, uptime, server_id)

    @post(opt=requires("checks:write", on="server_id"), status_code=200)
    async def create(  # noqa: PLR0917 - each by its name
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        servers: NamedDependency[Servers],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
    ) -> Response[Any]:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        try:
            await uptime.create(principal, within, server_id, _draft(form))
        except BadCheckError as refusal:
            errors = {path.removeprefix("settings."): words for path, words in refusal.faults}
            return await _page(
                request, principal, within, servers, uptime, server_id, form=form, errors=errors
            )
        except (NoAgentHere, TooManyChecks) as refusal:
            errors = {"form": f"{refusal.detail} {refusal.hint}"}
            return await _page(
                request, principal, within, servers, uptime, server_id, form=form, errors=errors
            )
        return _back(server_id)

    @post("/{check_id:uuid}/remove", opt=requires("checks:write", on="server_id"), status_code=_SEE_OTHER)
    async def remove(
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
    ) -> Response[Any]:
        await uptime.remove(principal, within, server_id, check_id)
        return _back(server_id)

    @post("/{check_id:uuid}/pause", opt=requires("checks:write", on="server_id"), status_code=_SEE_OTHER)
    async def pause(
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
    ) -> Response[Any]:
        await uptime.change(principal, within, server_id, check_id, enabled=False)
        return _back(server_id)

    @post("/{check_id:uuid}/resume", opt=requires("checks:write", on="server_id"), status_code=_SEE_OTHER)
    async def resume(
        self,
        principal: NamedDependency[Principal],
        within: NamedDependency[Scope],
        uptime: NamedDependency[Uptime],
        server_id: FromPath[UUID],
        check_id: FromPath[UUID],
    ) -> Response[Any]:
        await uptime.change(principal, within, server_id, check_id, enabled=True)
        return _back(server_id)


def _draft(form: dict[str, str]) -> Draft:
    """As it was typed; what is wrong with it is found where every draft is checked."""
    kind = form.get("kind", "")
    settings = rules.typed(kind, form) if kind in checks else {}
    return Draft(
        form.get("name_of_check", ""),
        kind,
        settings,
        _seconds(form.get("interval", ""), rules.DEFAULT_INTERVAL),
        _seconds(form.get("timeout_of_check", ""), rules.DEFAULT_TIMEOUT),
    )


def _seconds(text: str, default: float) -> float:
    """What is no number becomes one that is refused."""
    try:
        return float(text) if text.strip() else default
    except ValueError:
        return float("nan")


async def _page(  # noqa: PLR0917 - each by its name
    request: Asked,
    principal: Principal,
    within: Scope,
    servers: Servers,
    uptime: Uptime,
    server_id: UUID,
    *,
    form: dict[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> Response[str]:
    server = await servers.one(within, server_id)
    return render(
        request,
        "uptime/checks.html",
        title=f"Checks of {server.name}",
        status=422 if errors else 200,
        server=to_builtins(server),
        checks=[to_builtins(Check.of(view)) for view in await uptime.all(within, server_id)],
        kinds=[
            {
                "kind": kind,
                "title": checks[kind].title,
                "help": checks[kind].help,
                "settings": list(rules.settings_of(kind)),
            }
            for kind in sorted(checks)
        ],
        defaults={"interval": rules.DEFAULT_INTERVAL, "timeout": rules.DEFAULT_TIMEOUT},
        may_change=principal.may_on("checks:write", server_id),
        values=form or {},
        errors=errors or {},
    )


def _back(server_id: UUID) -> Response[Any]:
    return Redirect(f"/servers/{server_id}/checks", status_code=_SEE_OTHER)
