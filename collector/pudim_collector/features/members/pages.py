"""The pages of a team's people: who they are, what is granted to them on single servers, and who may what and why."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.factors.service import Demands, team_demand
from pudim_collector.features.members.schemas import DemandForm, GrantForm, Member, RoleForm, RoleGrant
from pudim_collector.features.members.service import Members, Reason
from pudim_collector.features.roles.service import Roles, chosen_role
from pudim_collector.features.teams.service import Teams
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
All = NamedDependency[Members]
Kinds = NamedDependency[Roles]
_SEE_OTHER: Literal[303] = 303


@dataclass(frozen=True)
class TeamPage:
    """What the page of a team's people is made of, as who asks sees it."""

    request: Asked
    principal: Principal
    members: Members
    roles: Roles
    teams: Teams

    async def after(self, change: Awaitable[object], then: str = "/team") -> Answer:
        """The way on once `change` is made; the page itself with the reason where it is refused."""
        try:
            await change
        except PudimError as refusal:
            return await self.shown(refusal)
        # Whoever took from himself what lets him see the team sees his teams.
        return Redirect(then, status_code=_SEE_OTHER)

    async def shown(self, refusal: PudimError | None = None) -> Answer:
        principal = self.principal
        names = await self.roles.names(principal)
        found = [to_builtins(Member.of(one, names)) for one in await self.members.all(principal)]
        owners = [one["user_id"] for one in found if one["role"] == Role.OWNER]
        return render(
            self.request,
            "teams/team.html",
            title="Team",
            status=refusal.status if refusal else 200,
            team=to_builtins(await self.teams.team(principal)),
            demand=to_builtins(await team_demand(principal)),
            members=found,
            roles=await self.roles.choices(principal),
            you=str(principal.id),
            is_only_owner=owners == [str(principal.id)],
            may={
                "manage": principal.may("members:manage"),
                "change": principal.may("team:change"),
                "hand_over": principal.may("owners:manage"),
                "delete": principal.may("team:delete"),
            },
            refusal=refusal,
        )


def team_page(
    request: Asked,
    principal: NamedDependency[Principal],
    members: NamedDependency[Members],
    roles: NamedDependency[Roles],
    teams: NamedDependency[Teams],
) -> TeamPage:
    return TeamPage(request, principal, members, roles, teams)


Page = NamedDependency[TeamPage]


class MemberPages(Controller):
    include_in_schema = False
    path = "/team"
    dependencies = {"page": Provide(team_page, sync_to_thread=False)}  # noqa: RUF012 - as Litestar has it

    @get(opt=requires("team:read"))
    async def team(self, page: Page) -> Answer:
        return await page.shown()

    @post("/leave", opt=requires("account:read"), status_code=_SEE_OTHER)
    async def leave(self, page: Page) -> Answer:
        return await page.after(page.members.leave(page.principal), "/account/teams")

    @post("/second-factor", opt=requires("team:change"), guards=[person, proven], status_code=_SEE_OTHER)
    async def demand(
        self, page: Page, demands: NamedDependency[Demands], data: URLEncodedBody[DemandForm]
    ) -> Answer:
        return await page.after(demands.change(page.principal, demanded=data.demanded == "yes"))

    @post("/members/{user_id:uuid}/role", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def change(self, page: Page, user_id: FromPath[UUID], data: URLEncodedBody[RoleForm]) -> Answer:
        return await page.after(page.members.change_role(page.principal, user_id, data.chosen()))

    @post("/members/{user_id:uuid}/remove", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def remove(self, page: Page, user_id: FromPath[UUID]) -> Answer:
        return await page.after(page.members.remove(page.principal, user_id))

    @post("/members/{user_id:uuid}/owner", opt=requires("owners:manage"), status_code=_SEE_OTHER)
    async def hand_over(self, page: Page, user_id: FromPath[UUID]) -> Answer:
        return await page.after(page.members.hand_over(page.principal, user_id))

    @get("/members/{user_id:uuid}", opt=requires("team:read"))
    async def member(
        self, request: Asked, principal: Who, members: All, roles: Kinds, user_id: FromPath[UUID]
    ) -> Answer:
        """What this person may do here, and why."""
        held = await members.held_by(principal, user_id)
        person = await members.one(principal, user_id)
        declared = roles.rights.declared
        return render(
            request,
            "teams/member.html",
            title=person.name,
            person=to_builtins(Member.of(person, await roles.names(principal))),
            held=[
                {"name": one.permission, "allows": declared[one.permission].words, "why": _reasons(one.why)}
                for one in held
            ],
        )

    @get("/permissions/{name:str}", opt=requires("team:read"))
    async def holders(
        self, request: Asked, principal: Who, members: All, roles: Kinds, name: FromPath[str]
    ) -> Answer:
        """Who may this, and why."""
        holders = await members.holders_of(principal, name)
        return render(
            request,
            "teams/holders.html",
            title="Who may this",
            permission={"name": name, "allows": roles.rights.declared[name].words},
            holders=[
                {"kind": one.kind, "id": str(one.id), "name": one.name, "why": _reasons(one.why)}
                for one in holders
            ],
        )


class GrantPages(Controller):
    include_in_schema = False
    path = "/team/grants"

    @get(opt=requires("team:read"))
    async def show(self, request: Asked, principal: Who, members: All, roles: Kinds) -> Answer:
        return await _grants(request, principal, members, roles)

    @post(opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def grant(
        self, request: Asked, principal: Who, members: All, roles: Kinds, data: URLEncodedBody[GrantForm]
    ) -> Answer:
        user, token = _chosen(data.who, "user"), _chosen(data.who, "token")
        server, tag = _chosen(data.where, "server"), _named(data.where, "tag")
        making = members.grant(principal, chosen_role(data.role), user, token, server, tag)
        return await _granted(request, principal, members, roles, making, data)

    @post("/{grant_id:uuid}/withdraw", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def withdraw(
        self, request: Asked, principal: Who, members: All, roles: Kinds, grant_id: FromPath[UUID]
    ) -> Answer:
        return await _granted(request, principal, members, roles, members.withdraw(principal, grant_id))


async def _granted(  # noqa: PLR0917 - what it needs
    request: Asked,
    principal: Principal,
    members: Members,
    roles: Roles,
    change: Awaitable[object],
    form: GrantForm | None = None,
) -> Answer:
    try:
        await change
    except PudimError as refusal:
        return await _grants(request, principal, members, roles, form, refusal)
    return Redirect("/team/grants", status_code=_SEE_OTHER)


async def _grants(  # noqa: PLR0917 - what it needs
    request: Asked,
    principal: Principal,
    members: Members,
    roles: Roles,
    form: GrantForm | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    names = await roles.names(principal)
    people, tokens = await members.all(principal), await members.tokens(principal)
    servers = await members.servers(principal)
    called = {one.user_id: one.name for one in people} | dict(tokens)
    place = {one.id: one.name for one in servers}
    return render(
        request,
        "teams/grants.html",
        title="Roles on single servers",
        status=refusal.status if refusal else 200,
        grants=[
            to_builtins(RoleGrant.of(one, names))
            | {
                "who": called.get(one.user_id or one.token_id or UUID(int=0), ""),
                "server": place.get(one.server_id, "") if one.server_id else "",
            }
            for one in await members.grants(principal)
        ],
        people=[{"id": str(one.user_id), "name": one.name, "email": one.email} for one in people],
        tokens=[{"id": str(token_id), "name": name} for token_id, name in tokens],
        servers=[{"id": str(one.id), "name": one.name} for one in servers],
        tags=sorted({tag for tags in principal.fleet.tags.values() for tag in tags}),
        roles=await roles.choices(principal),
        values=to_builtins(form or GrantForm(role=Role.DEVELOPER.value)),
        may_manage=principal.may("members:manage"),
        refusal=refusal,
    )


def _reasons(why: Iterable[Reason]) -> list[dict[str, str | None]]:
    return [
        {
            "role": one.role,
            "server_id": str(one.server_id) if one.server_id else None,
            "server": one.server,
            "tag": one.tag,
        }
        for one in why
    ]


def _named(text: str, kind: str) -> str | None:
    """The name behind `kind:`; None for another kind."""
    found, _, name = text.partition(":")
    return name if found == kind else None


def _chosen(text: str, kind: str) -> UUID | None:
    """As `_named`, of an id; what is none is one that nothing has."""
    name = _named(text, kind)
    try:
        return None if name is None else UUID(name)
    except ValueError:
        return UUID(int=0)
