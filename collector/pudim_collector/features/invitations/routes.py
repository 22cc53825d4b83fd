"""Invitations in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.invitations.rules import AlreadyMember
from pudim_collector.features.invitations.schemas import (
    MadeTeamInvitation,
    NewTeamInvitation,
    TeamInvitation,
    TeamInvitationPage,
)
from pudim_collector.features.invitations.service import Joining, NewInvitation, NoSuchInvitation
from pudim_collector.features.roles.service import NoSuchRole, Roles, TooMany
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires

Who = NamedDependency[Principal]
Every = NamedDependency[Roles]


class TeamInvitationsApi(Controller):
    path = "/api/v2/team/invitations"
    tags = ("Teams",)

    @get(opt=requires("members:manage"), operation_id="list_invitations")
    async def invitations(
        self,
        principal: Who,
        joining: NamedDependency[Joining],
        roles: Every,
        paging: NamedDependency[Paging],
    ) -> TeamInvitationPage:
        """Who is invited and did not join yet, by address."""
        names = await roles.names(principal)
        found = [TeamInvitation.of(one, names) for one in await joining.all(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.email, one.id))
        return TeamInvitationPage(shown, paging.next_cursor)

    @post(
        opt=requires("members:manage") | refuses(NoSuchRole, AlreadyMember, TooMany),
        operation_id="invite_member",
    )
    async def invite(
        self,
        principal: Who,
        joining: NamedDependency[Joining],
        roles: Every,
        data: JSONBody[NewTeamInvitation],
    ) -> MadeTeamInvitation:
        """A link by which whoever has that address joins the team within a week; it is mailed where mail can be sent."""
        return await _made(principal, roles, await joining.invite(principal, data.email, data.chosen()))

    @post(
        "/{invitation_id:uuid}/resend",
        opt=requires("members:manage") | refuses(NoSuchInvitation, NoSuchRole),
        operation_id="resend_invitation",
    )
    async def resend(
        self,
        principal: Who,
        joining: NamedDependency[Joining],
        roles: Every,
        invitation_id: FromPath[UUID],
    ) -> MadeTeamInvitation:
        """A new link for a week from now, mailed where mail can be sent; the old one is good for nothing any more."""
        return await _made(principal, roles, await joining.resend(principal, invitation_id))

    @delete(
        "/{invitation_id:uuid}",
        opt=requires("members:manage") | refuses(NoSuchInvitation),
        operation_id="withdraw_invitation",
    )
    async def withdraw(
        self, principal: Who, joining: NamedDependency[Joining], invitation_id: FromPath[UUID]
    ) -> None:
        """Its link is good for nothing any more."""
        await joining.withdraw(principal, invitation_id)


async def _made(principal: Principal, roles: Roles, made: NewInvitation) -> MadeTeamInvitation:
    invitation = TeamInvitation.of(made.record, await roles.names(principal))
    return MadeTeamInvitation(made.link, made.mailed, invitation)
