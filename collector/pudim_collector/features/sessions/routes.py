"""The JSON API of one's own sessions."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from pudim_collector.features.accounts.service import NoSuchSessionError
from pudim_collector.features.sessions.schemas import SignedInSession, SignedInSessionPage
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.sudo import person, proven


class SessionRoutes(Controller):
    path = "/api/v2/sessions"
    tags = ("Sessions",)
    guards = (person,)

    @get("/", opt=requires("account:secure"), operation_id="list_sessions")
    async def all(
        self,
        principal: NamedDependency[Principal],
        sessions: NamedDependency[Sessions],
        paging: NamedDependency[Paging],
    ) -> SignedInSessionPage:
        """One's own sessions, in the order in which they began."""
        found = [SignedInSession.of(one, principal.session_id) for one in await sessions.all(principal)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.created_at.isoformat(), one.id))
        return SignedInSessionPage(shown, paging.next_cursor)

    @delete(
        "/{session_id:uuid}",
        opt=requires("account:secure") | refuses(NoSuchSessionError),
        guards=[proven],
        operation_id="end_session",
    )
    async def end(
        self,
        principal: NamedDependency[Principal],
        sessions: NamedDependency[Sessions],
        session_id: FromPath[UUID],
    ) -> None:
        await sessions.end(principal, session_id)

    @post(
        "/end-others",
        opt=requires("account:secure"),
        guards=[proven],
        operation_id="end_other_sessions",
        status_code=204,
    )
    async def end_others(
        self, principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
    ) -> None:
        await sessions.end_others(principal)
