"""The page of roles: what each allows, and the team's own ones."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.roles.schemas import OwnRole, PermissionKind
from pudim_collector.features.roles.service import Roles
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.permissions import BUILT_IN, area_of

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
All = NamedDependency[Roles]
_SEE_OTHER: Literal[303] = 303


class RolePages(Controller):
    include_in_schema = False
    path = "/team/roles"

    @get(opt=requires("team:read"))
    async def roles(self, request: Asked, principal: Who, roles: All) -> Answer:
        return await _matrix(request, principal, roles)

    @post(opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def create(self, request: Asked, principal: Who, roles: All) -> Answer:
        name, ticked = _wish(await request.form())
        return await _changed(request, principal, roles, roles.create(principal, name, ticked))

    @post("/{role_id:uuid}", opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def change(self, request: Asked, principal: Who, roles: All, role_id: FromPath[UUID]) -> Answer:
        name, ticked = _wish(await request.form())
        return await _changed(request, principal, roles, roles.change(principal, role_id, name, ticked))

    @post("/{role_id:uuid}/delete", opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def delete(self, request: Asked, principal: Who, roles: All, role_id: FromPath[UUID]) -> Answer:
        return await _changed(request, principal, roles, roles.delete(principal, role_id))


async def _changed(request: Asked, principal: Principal, roles: Roles, change: Awaitable[object]) -> Answer:
    try:
        await change
    except PudimError as refusal:
        return await _matrix(request, principal, roles, refusal)
    return Redirect("/team/roles", status_code=_SEE_OTHER)


async def _matrix(
    request: Asked, principal: Principal, roles: Roles, refusal: PudimError | None = None
) -> Answer:
    own = [OwnRole.of(one) for one in await roles.all(principal)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, permission in sorted(roles.rights.declared.items()):
        kind = PermissionKind.of(name, permission, roles.rights)
        if not kind.installation:
            said: dict[str, Any] = to_builtins(kind)
            said["own"] = [str(one.id) for one in own if name in one.permissions or "guest" in kind.roles]
            said["givable"] = name in principal.permissions
            groups.setdefault(area_of(name), []).append(said)
    return render(
        request,
        "teams/roles.html",
        title="Roles",
        status=refusal.status if refusal else 200,
        groups=groups,
        built_in=[role.value for role in BUILT_IN],
        own=[to_builtins(one) for one in own],
        may_change=principal.may("roles:manage"),
        refusal=refusal,
    )


def _wish(form: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The name, and the permissions whose boxes are ticked: each box is named by its permission."""
    return str(form.get("name", "")), [name for name in form if ":" in name]
