"""The pages of the ways in: sign in, prove it again, and where one is signed in."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.attempts.service import SlowDownError
from pudim_collector.features.sessions.schemas import ProofForm, SignedInSession, SignInForm
from pudim_collector.features.sessions.service import Sessions, SignInError, WrongPasswordError
from pudim_collector.infra.auth import Principal, public, requires, safe_local_path
from pudim_collector.infra.entering import give, let_in, visitor_of
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import PROVE_PATH, person, proven

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303
_LIST = "/account/sessions"


class SessionPages(Controller):
    include_in_schema = False

    @get("/sign-in", opt=public("to sign in", identify=True))
    async def sign_in_page(self, request: Asked, principal: NamedDependency[Principal | None]) -> Answer:
        wanted = request.query_params.get("next", "")
        if principal is not None:
            return Redirect(safe_local_path(wanted), status_code=_SEE_OTHER)
        return _sign_in_page(request, SignInForm(next=wanted))

    @post(
        "/sign-in",
        opt=public("to sign in", identify=True) | limited(Action.SIGN_IN),
        status_code=200,
    )
    async def sign_in(
        self,
        request: Asked,
        sessions: NamedDependency[Sessions],
        principal: NamedDependency[Principal | None],
        data: URLEncodedBody[SignInForm],
    ) -> Answer:
        try:
            entry = await sessions.sign_in(
                data.email,
                data.password,
                visitor_of(request),
                path=safe_local_path(data.next),
                instead_of=principal,
            )
        except (SignInError, SlowDownError) as refusal:
            return _sign_in_page(request, data, refusal)
        return let_in(request, entry)

    @get(PROVE_PATH, opt=requires("account:secure", enrolling=True), guards=[person])
    async def proof_page(self, request: Asked) -> Answer:
        return _proof_page(request, ProofForm(next=request.query_params.get("next", "")))

    @post(
        PROVE_PATH,
        opt=requires("account:secure", enrolling=True) | limited(Action.SIGN_IN),
        guards=[person],
        status_code=200,
    )
    async def prove(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        sessions: NamedDependency[Sessions],
        data: URLEncodedBody[ProofForm],
    ) -> Answer:
        try:
            entry = await sessions.prove(principal, data.password, visitor_of(request))
        except (WrongPasswordError, SlowDownError) as refusal:
            return _proof_page(request, data, refusal)
        answer = Redirect(safe_local_path(data.next, _LIST), status_code=_SEE_OTHER)
        give(request, answer, entry)
        return answer

    @get(_LIST, opt=requires("account:secure"), guards=[person])
    async def all(
        self, request: Asked, principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
    ) -> Answer:
        found = await sessions.all(principal)
        items = [to_builtins(SignedInSession.of(one, principal.session_id)) for one in found]
        return render(request, "sessions/list.html", title="Sessions", sessions=items)

    @post(
        f"{_LIST}/{{session_id:uuid}}/end",
        opt=requires("account:secure"),
        guards=[person, proven],
        status_code=_SEE_OTHER,
    )
    async def end(
        self,
        principal: NamedDependency[Principal],
        sessions: NamedDependency[Sessions],
        session_id: FromPath[UUID],
    ) -> Answer:
        await sessions.end(principal, session_id)
        return Redirect(_LIST, status_code=_SEE_OTHER)

    @post(
        f"{_LIST}/end-others",
        opt=requires("account:secure"),
        guards=[person, proven],
        status_code=_SEE_OTHER,
    )
    async def end_others(
        self, principal: NamedDependency[Principal], sessions: NamedDependency[Sessions]
    ) -> Answer:
        await sessions.end_others(principal)
        return Redirect(_LIST, status_code=_SEE_OTHER)


def _sign_in_page(request: Asked, form: SignInForm, refusal: PudimError | None = None) -> Answer:
    answer = render(
        request,
        "accounts/sign_in.html",
        title="Sign in",
        status=refusal.status if refusal else 200,
        errors=_errors(refusal),
        values={"email": form.email},
        next=safe_local_path(form.next, ""),
    )
    answer.headers.update(getattr(refusal, "headers", {}))
    return answer


def _proof_page(request: Asked, form: ProofForm, refusal: PudimError | None = None) -> Answer:
    answer = render(
        request,
        "sessions/prove.html",
        title="Confirm that it is you",
        status=refusal.status if refusal else 200,
        errors=_errors(refusal),
        next=safe_local_path(form.next, _LIST),
    )
    answer.headers.update(getattr(refusal, "headers", {}))
    return answer


def _errors(refusal: PudimError | None) -> dict[str, str]:
    return {"form": f"{refusal.detail} {refusal.hint}".strip()} if refusal else {}
