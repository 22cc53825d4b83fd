"""The page of a team's invitations, and the way in for who is invited."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import AccountError, Accounts
from pudim_collector.features.invitations.schemas import InviteForm, JoinForm, TeamInvitation
from pudim_collector.features.invitations.service import Joining, NewInvitation
from pudim_collector.features.roles.service import Roles, chosen_role
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.entering import let_in, visitor_of
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action

Asked: TypeAlias = Request[Any, Any, Any]
Answer: TypeAlias = Response[Any]
Who = NamedDependency[Principal]
Every = NamedDependency[Joining]
_SEE_OTHER: Literal[303] = 303
_LINK = "the one-time link is the permission"


class TeamInvitationPages(Controller):
    include_in_schema = False
    path = "/team/invitations"

    @get(opt=requires("members:manage"))
    async def show(
        self, request: Asked, principal: Who, joining: Every, roles: NamedDependency[Roles]
    ) -> Answer:
        return await _page(request, principal, joining, roles)

    @post(opt=requires("members:manage"), status_code=200)
    async def invite(
        self,
        request: Asked,
        principal: Who,
        joining: Every,
        roles: NamedDependency[Roles],
        data: URLEncodedBody[InviteForm],
    ) -> Answer:
        inviting = joining.invite(principal, data.email, chosen_role(data.role))
        return await _made(request, principal, joining, roles, inviting, data)

    @post("/{invitation_id:uuid}/resend", opt=requires("members:manage"), status_code=200)
    async def resend(
        self,
        request: Asked,
        principal: Who,
        joining: Every,
        roles: NamedDependency[Roles],
        invitation_id: FromPath[UUID],
    ) -> Answer:
        return await _made(request, principal, joining, roles, joining.resend(principal, invitation_id))

    @post("/{invitation_id:uuid}/withdraw", opt=requires("members:manage"), status_code=_SEE_OTHER)
    async def withdraw(
        self,
        request: Asked,
        principal: Who,
        joining: Every,
        roles: NamedDependency[Roles],
        invitation_id: FromPath[UUID],
    ) -> Answer:
        try:
            await joining.withdraw(principal, invitation_id)
        except PudimError as refusal:
            return await _page(request, principal, joining, roles, refusal=refusal)
        return Redirect("/team/invitations", status_code=_SEE_OTHER)


class InvitationPages(Controller):
    include_in_schema = False
    path = "/invitations/{secret:str}"

    @get(opt=public(_LINK, identify=True))
    async def show(
        self,
        request: Asked,
        principal: NamedDependency[Principal | None],
        joining: Every,
        secret: FromPath[str],
    ) -> Answer:
        return await _invited(request, principal, joining, secret)

    @post("/join", opt=public(_LINK) | limited(Action.SIGN_IN), status_code=_SEE_OTHER)
    async def join(
        self,
        request: Asked,
        joining: Every,
        sessions: NamedDependency[Sessions],
        secret: FromPath[str],
        data: URLEncodedBody[JoinForm],
    ) -> Answer:
        """Somebody new; he is in at once, as far as nothing more is asked of him."""
        try:
            person = await joining.accept_as_new(secret, name=data.name, password=data.password)
        except PudimError as refusal:
            return await _invited(request, None, joining, secret, form=data, refusal=refusal)
        return let_in(request, await sessions.enter(person, visitor_of(request)))

    @post("/accept", opt=requires("account:read"), status_code=_SEE_OTHER)
    async def accept(
        self,
        request: Asked,
        principal: Who,
        accounts: NamedDependency[Accounts],
        joining: Every,
        secret: FromPath[str],
    ) -> Answer:
        """Somebody who is signed in."""
        try:
            team = await joining.accept(principal, secret)
        except PudimError as refusal:
            return await _invited(request, principal, joining, secret, refusal=refusal)
        await accounts.switch_team(principal, team.id)
        return Redirect("/", status_code=_SEE_OTHER)


async def _made(  # noqa: PLR0917 - who asks, and what is made
    request: Asked,
    principal: Principal,
    joining: Joining,
    roles: Roles,
    making: Awaitable[NewInvitation],
    form: InviteForm | None = None,
) -> Answer:
    """The page with the new link, or with why there is none."""
    try:
        made = await making
    except PudimError as refusal:
        return await _page(request, principal, joining, roles, form=form, refusal=refusal)
    return await _page(request, principal, joining, roles, made=made)


async def _page(
    request: Asked,
    principal: Principal,
    joining: Joining,
    roles: Roles,
    *,
    made: NewInvitation | None = None,
    form: InviteForm | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    names = await roles.names(principal)
    return render(
        request,
        "teams/invitations.html",
        title="Invitations",
        status=refusal.status if refusal else 200,
        invitations=[to_builtins(TeamInvitation.of(one, names)) for one in await joining.all(principal)],
        made={"link": made.link, "email": made.record.email, "mailed": made.mailed} if made else None,
        sends_mail=joining.sends_mail,
        roles=await roles.choices(principal),
        values=to_builtins(form or InviteForm(role="viewer")),
        refusal=refusal,
    )


async def _invited(
    request: Asked,
    principal: Principal | None,
    joining: Joining,
    secret: str,
    *,
    form: JoinForm | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    found = await joining.shown(secret)
    return render(
        request,
        "teams/invited.html",
        title="Invitation",
        status=refusal.status if refusal else 200,
        team=found.team.name,
        by=found.by,
        email=found.record.email,
        until=found.record.expires_at,
        has_account=found.known,
        signed_in_as=principal.email if principal else None,
        is_right=principal is not None and joining.is_for(found.record, principal),
        path=f"/invitations/{secret}",
        values={"name": form.name} if form else {},
        errors={refusal.field: refusal.detail} if isinstance(refusal, AccountError) else {},
        refusal=None if isinstance(refusal, AccountError) else refusal,
    )
