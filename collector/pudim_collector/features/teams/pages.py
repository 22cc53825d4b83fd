"""The pages of a team: its people and what is granted to them, its roles, and the way in for who is invited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.factors.service import Demands, OwnFactorError, team_demand
from pudim_collector.features.teams import rules
from pudim_collector.features.teams.schemas import (
    DemandForm,
    GrantForm,
    InviteForm,
    JoinForm,
    Member,
    OwnRole,
    PermissionKind,
    RoleForm,
    RoleGrant,
    SwitchForm,
    TeamInvitation,
    TeamNameForm,
    chosen_role,
)
from pudim_collector.features.teams.service import NewInvitation, Teams, own_names
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.pages import render
from pudim_collector.infra.permissions import BUILT_IN
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
All = NamedDependency[Teams]
_SEE_OTHER: Literal[303] = 303


class TeamPages(Controller):
    include_in_schema = False

    @get("/team", opt=requires("team:read"))
    async def team(self, request: Asked, principal: Who, teams: All) -> Answer:
        return await _page(request, principal, teams)

    @post("/team/switch", opt=requires("account:read", enrolling=True), status_code=_SEE_OTHER)
    async def switch(
        self,
        principal: Who,
        accounts: NamedDependency[Accounts],
        data: URLEncodedBody[SwitchForm],
    ) -> Answer:
        await accounts.switch_team(principal, _id(data.team))
        return Redirect("/", status_code=_SEE_OTHER)

    @post("/team/rename", opt=requires("team:change"), status_code=_SEE_OTHER)
    async def rename(
        self, request: Asked, principal: Who, teams: All, data: URLEncodedBody[TeamNameForm]
    ) -> Answer:
        try:
            await teams.rename(principal, data.name)
        except rules.TeamError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return _back()

    @post(
        "/team/second-factor",
        opt=requires("team:change"),
        guards=[person, proven],
        status_code=_SEE_OTHER,
    )
    async def demand(
        self,
        request: Asked,
        principal: Who,
        teams: All,
        demands: NamedDependency[Demands],
        data: URLEncodedBody[DemandForm],
    ) -> Answer:
        try:
            await demands.change(principal, demanded=data.demanded == "yes")
        except OwnFactorError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return _back()

    @post("/team/leave", opt=requires("account:read"), status_code=_SEE_OTHER)
    async def leave(self, principal: Who, teams: All) -> Answer:
        await teams.leave(principal)
        return Redirect("/", status_code=_SEE_OTHER)

    @post("/team/delete", opt=requires("team:delete"), status_code=_SEE_OTHER)
    async def delete(
        self, request: Asked, principal: Who, teams: All, data: URLEncodedBody[TeamNameForm]
    ) -> Answer:
        try:
            await teams.delete(principal, data.name)
        except rules.TeamError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return Redirect("/", status_code=_SEE_OTHER)

    @post("/team/members/{user_id:uuid}/role", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def change(
        self,
        request: Asked,
        principal: Who,
        teams: All,
        user_id: FromPath[UUID],
        data: URLEncodedBody[RoleForm],
    ) -> Answer:
        try:
            await teams.change_role(principal, user_id, data.chosen())
        except rules.TeamError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return _back()

    @post("/team/members/{user_id:uuid}/remove", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def remove(self, request: Asked, principal: Who, teams: All, user_id: FromPath[UUID]) -> Answer:
        try:
            await teams.remove(principal, user_id)
        except rules.TeamError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return _back()

    @post("/team/members/{user_id:uuid}/owner", opt=requires("owners:manage"), status_code=_SEE_OTHER)
    async def hand_over(self, principal: Who, teams: All, user_id: FromPath[UUID]) -> Answer:
        await teams.hand_over(principal, user_id)
        return _back()

    @get("/team/members/{user_id:uuid}", opt=requires("team:read"))
    async def member(self, request: Asked, principal: Who, teams: All, user_id: FromPath[UUID]) -> Answer:
        """What this person may do here, and why."""
        held = await teams.held_by(principal, user_id)
        (person,) = [one for one in await teams.members(principal) if one.user_id == user_id]
        declared = teams.rights.declared
        return render(
            request,
            "teams/member.html",
            title=person.name,
            person={"name": person.name, "email": person.email},
            held=[
                {"name": one.permission, "allows": declared[one.permission].words, "why": list(one.why)}
                for one in held
            ],
        )

    @post("/team/invitations", opt=requires("members:manage"), status_code=200)
    async def invite(
        self,
        request: Asked,
        principal: Who,
        teams: All,
        public_address: NamedDependency[str],
        data: URLEncodedBody[InviteForm],
    ) -> Answer:
        try:
            made = await teams.invite(principal, data.email, chosen_role(data.role))
        except PudimError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return await _page(request, principal, teams, made=made, address=public_address)

    @post(
        "/team/invitations/{invitation_id:uuid}/withdraw",
        opt=requires("members:manage"),
        status_code=_SEE_OTHER,
    )
    async def withdraw_invitation(self, principal: Who, teams: All, invitation_id: FromPath[UUID]) -> Answer:
        await teams.withdraw_invitation(principal, invitation_id)
        return _back()

    @post("/team/grants", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def grant(
        self, request: Asked, principal: Who, teams: All, data: URLEncodedBody[GrantForm]
    ) -> Answer:
        try:
            server = _id(data.server) if data.server else None
            await teams.grant(
                principal, chosen_role(data.role), _id(data.who), None, server, data.tag or None
            )
        except PudimError as refusal:
            return await _page(request, principal, teams, refusal=refusal)
        return _back()

    @post("/team/grants/{grant_id:uuid}/withdraw", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def withdraw(self, principal: Who, teams: All, grant_id: FromPath[UUID]) -> Answer:
        await teams.withdraw(principal, grant_id)
        return _back()


class RolePages(Controller):
    include_in_schema = False
    path = "/team/roles"

    @get(opt=requires("team:read"))
    async def roles(self, request: Asked, principal: Who, teams: All) -> Answer:
        return await _matrix(request, principal, teams)

    @post(opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def create(self, request: Asked, principal: Who, teams: All) -> Answer:
        form = await request.form()
        try:
            await teams.create_role(principal, str(form.get("name", "")), _ticked(form))
        except rules.TeamError as refusal:
            return await _matrix(request, principal, teams, refusal)
        return Redirect("/team/roles", status_code=_SEE_OTHER)

    @post("/{role_id:uuid}", opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def change(self, request: Asked, principal: Who, teams: All, role_id: FromPath[UUID]) -> Answer:
        form = await request.form()
        try:
            await teams.change_role_itself(principal, role_id, str(form.get("name", "")), _ticked(form))
        except rules.TeamError as refusal:
            return await _matrix(request, principal, teams, refusal)
        return Redirect("/team/roles", status_code=_SEE_OTHER)

    @post("/{role_id:uuid}/delete", opt=requires("roles:manage"), status_code=_SEE_OTHER)
    async def delete(self, request: Asked, principal: Who, teams: All, role_id: FromPath[UUID]) -> Answer:
        try:
            await teams.delete_role(principal, role_id)
        except rules.TeamError as refusal:
            return await _matrix(request, principal, teams, refusal)
        return Redirect("/team/roles", status_code=_SEE_OTHER)


class InvitationPages(Controller):
    include_in_schema = False
    path = "/invitations/{secret:str}"

    @get(opt=public("the one-time link is the permission", identify=True))
    async def show(
        self,
        request: Asked,
        principal: NamedDependency[Principal | None],
        teams: All,
        secret: FromPath[str],
    ) -> Answer:
        return await _invited(request, principal, teams, secret)

    @post(
        "/join",
        opt=public("the one-time link is the permission") | limited(Action.SIGN_IN),
        status_code=_SEE_OTHER,
    )
    async def join(
        self, request: Asked, teams: All, secret: FromPath[str], data: URLEncodedBody[JoinForm]
    ) -> Answer:
        """Somebody new; he signs in like everybody afterwards."""
        try:
            await teams.accept_as_new(secret, name=data.name, password=data.password)
        except PudimError as refusal:
            return await _invited(request, None, teams, secret, form=data, refusal=refusal)
        return Redirect("/sign-in", status_code=_SEE_OTHER)

    @post("/accept", opt=requires("account:read"), status_code=_SEE_OTHER)
    async def accept(
        self,
        request: Asked,
        principal: Who,
        accounts: NamedDependency[Accounts],
        teams: All,
        secret: FromPath[str],
    ) -> Answer:
        """Somebody who is signed in."""
        try:
            team = await teams.accept(principal, secret)
        except rules.TeamError as refusal:
            return await _invited(request, principal, teams, secret, refusal=refusal)
        await accounts.switch_team(principal, team.id)
        return Redirect("/", status_code=_SEE_OTHER)


async def _page(
    request: Asked,
    principal: Principal,
    teams: Teams,
    *,
    refusal: PudimError | None = None,
    made: NewInvitation | None = None,
    address: str = "",
) -> Answer:
    own = await teams.roles(principal)
    names = own_names(own)
    may_manage = principal.may("members:manage")
    members = [to_builtins(Member.of(one, names)) for one in await teams.members(principal)]
    called = {one["user_id"]: one["name"] for one in members}
    grants = [to_builtins(RoleGrant.of(one, names)) for one in await teams.grants(principal)]
    invited = await teams.invitations(principal) if may_manage else []
    return render(
        request,
        "teams/team.html",
        title="Team",
        status=refusal.status if refusal else 200,
        team=to_builtins(await teams.team(principal)),
        demand=to_builtins(await team_demand(principal)),
        members=members,
        grants=[grant | {"who": called.get(grant["user_id"], "")} for grant in grants],
        invitations=[to_builtins(TeamInvitation.of(one, names)) for one in invited],
        link=f"{address}/invitations/{made.secret}" if made else None,
        roles=[{"value": role.value, "name": role.value} for role in BUILT_IN]
        + [{"value": str(one.id), "name": one.name} for one in own],
        you=str(principal.id),
        may={
            "manage": may_manage,
            "change": principal.may("team:change"),
            "hand_over": principal.may("owners:manage"),
            "delete": principal.may("team:delete"),
        },
        refusal=f"{refusal.detail} {refusal.hint}".strip() if refusal else None,
    )


async def _matrix(
    request: Asked, principal: Principal, teams: Teams, refusal: PudimError | None = None
) -> Answer:
    own = [OwnRole.of(one) for one in await teams.roles(principal)]
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, permission in sorted(teams.rights.declared.items()):
        kind = PermissionKind.of(name, permission, teams.rights)
        if not kind.installation:
            said: dict[str, Any] = to_builtins(kind)
            said["own"] = [str(one.id) for one in own if name in one.permissions or "guest" in kind.roles]
            said["givable"] = name in principal.permissions
            groups.setdefault(name.partition(":")[0], []).append(said)
    return render(
        request,
        "teams/roles.html",
        title="Roles",
        status=refusal.status if refusal else 200,
        groups=groups,
        built_in=[role.value for role in BUILT_IN],
        own=[to_builtins(one) for one in own],
        may_change=principal.may("roles:manage"),
        refusal=f"{refusal.detail} {refusal.hint}".strip() if refusal else None,
    )


async def _invited(
    request: Asked,
    principal: Principal | None,
    teams: Teams,
    secret: str,
    *,
    form: JoinForm | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    found, team, known = await teams.invitation(secret)
    return render(
        request,
        "teams/invited.html",
        title="Invitation",
        status=refusal.status if refusal else 200,
        team=team.name,
        email=found.email,
        has_account=known,
        signed_in_as=principal.email if principal else None,
        path=f"/invitations/{secret}",
        values={"name": form.name} if form else {},
        refusal=f"{refusal.detail} {refusal.hint}".strip() if refusal else None,
    )


def _ticked(form: Mapping[str, Any]) -> list[str]:
    """The permissions whose boxes are ticked; each box is named by its permission."""
    return [name for name in form if ":" in name]


def _id(text: str) -> UUID:
    """What is none is one that nothing has."""
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def _back() -> Answer:
    return Redirect("/team", status_code=_SEE_OTHER)
