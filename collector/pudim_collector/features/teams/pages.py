"""The pages of teams themselves: one's own ones, and what the one that one is in is called and how it ends."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.teams.schemas import SwitchForm, TeamNameForm
from pudim_collector.features.teams.service import Teams
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
All = NamedDependency[Teams]
_SEE_OTHER: Literal[303] = 303
_OWN = "/account/teams"


class TeamPages(Controller):
    include_in_schema = False

    @get(_OWN, opt=requires("account:read"))
    async def own(self, request: Asked, principal: Who) -> Answer:
        return _own(request, principal)

    @post(_OWN, opt=requires("installation:teams"), status_code=_SEE_OTHER)
    async def create(
        self,
        request: Asked,
        principal: Who,
        accounts: NamedDependency[Accounts],
        teams: All,
        data: URLEncodedBody[TeamNameForm],
    ) -> Answer:
        """Whoever makes a team is in it at once."""
        try:
            made = await teams.create(principal, data.name)
        except PudimError as refusal:
            return _own(request, principal, data, refusal)
        await accounts.switch_team(principal, made.id)
        return Redirect("/team", status_code=_SEE_OTHER)

    @post("/team/switch", opt=requires("account:read", enrolling=True), status_code=_SEE_OTHER)
    async def switch(
        self,
        principal: Who,
        accounts: NamedDependency[Accounts],
        data: URLEncodedBody[SwitchForm],
    ) -> Answer:
        await accounts.switch_team(principal, _id(data.team))
        return Redirect("/", status_code=_SEE_OTHER)

    @get("/team/settings", opt=requires("team:read"))
    async def settings(self, request: Asked, principal: Who, teams: All) -> Answer:
        return await _settings(request, principal, teams)

    @post("/team/rename", opt=requires("team:change"), status_code=_SEE_OTHER)
    async def rename(
        self, request: Asked, principal: Who, teams: All, data: URLEncodedBody[TeamNameForm]
    ) -> Answer:
        try:
            await teams.rename(principal, data.name)
        except PudimError as refusal:
            return await _settings(request, principal, teams, refusal)
        return Redirect("/team/settings", status_code=_SEE_OTHER)

    @post("/team/delete", opt=requires("team:delete"), status_code=_SEE_OTHER)
    async def delete(
        self, request: Asked, principal: Who, teams: All, data: URLEncodedBody[TeamNameForm]
    ) -> Answer:
        try:
            await teams.delete(principal, data.name)
        except PudimError as refusal:
            return await _settings(request, principal, teams, refusal)
        return Redirect(_OWN, status_code=_SEE_OTHER)


def _own(
    request: Asked, principal: Principal, form: TeamNameForm | None = None, refusal: PudimError | None = None
) -> Answer:
    return render(
        request,
        "teams/own.html",
        title="Your teams",
        status=refusal.status if refusal else 200,
        may_create=principal.may("installation:teams"),
        values=to_builtins(form or TeamNameForm()),
        refusal=refusal,
    )


async def _settings(
    request: Asked, principal: Principal, teams: Teams, refusal: PudimError | None = None
) -> Answer:
    return render(
        request,
        "teams/settings.html",
        title="Settings of the team",
        status=refusal.status if refusal else 200,
        team=to_builtins(await teams.team(principal)),
        servers=len(principal.fleet.ids),
        may={"change": principal.may("team:change"), "delete": principal.may("team:delete")},
        refusal=refusal,
    )


def _id(text: str) -> UUID:
    """What is none is one that nothing has."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)
