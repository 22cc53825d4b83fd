"""The pages of second factors: the second step of signing in, and one's own factors."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Literal, TypeAlias
from uuid import UUID

import segno
from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.attempts.service import SlowDownError
from pudim_collector.features.factors.schemas import CodeForm, CodesForm, SecondFactorState
from pudim_collector.features.factors.service import (
    FactorDemandedError,
    Factors,
    NothingPendingError,
    WrongCodeError,
)
from pudim_collector.features.passkeys.service import Passkeys
from pudim_collector.features.sessions.service import HalfSessionError, Sessions
from pudim_collector.infra.auth import ENROL_PATH, Principal, public, requires, safe_local_path
from pudim_collector.infra.entering import HALF, Step, brought, give, let_in, visitor_of
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303
_OWN = "/account/factors"
_HALF = "half a session is shown by its cookie"
_ADDING = requires("account:secure", enrolling=True)


class FactorPages(Controller):
    include_in_schema = False

    @get(Step.FACTOR.path, opt=public(_HALF))
    async def second_step(
        self,
        request: Asked,
        factors: NamedDependency[Factors],
        sessions: NamedDependency[Sessions],
        passkeys: NamedDependency[Passkeys],
    ) -> Answer:
        return await _second_step_page(request, factors, sessions, passkeys)

    @post(Step.FACTOR.path, opt=public(_HALF) | limited(Action.SIGN_IN), status_code=200)
    async def enter(
        self,
        request: Asked,
        factors: NamedDependency[Factors],
        sessions: NamedDependency[Sessions],
        passkeys: NamedDependency[Passkeys],
        data: URLEncodedBody[CodeForm],
    ) -> Answer:
        try:
            entry = await factors.enter(brought(request, HALF), data.code, visitor_of(request))
        except HalfSessionError:
            return _again()
        except (WrongCodeError, SlowDownError) as refusal:
            return await _second_step_page(request, factors, sessions, passkeys, refusal)
        return let_in(request, entry)

    @get(ENROL_PATH, opt=_ADDING, guards=[person])
    async def enrol(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        passkeys: NamedDependency[Passkeys],
    ) -> Answer:
        """For who lacks what his team demands: a factor, then codes for the day that it is lost."""
        state = await factors.overview(principal.id)
        if state.kinds and state.codes_left is not None:
            return Redirect("/", status_code=_SEE_OTHER)
        return render(
            request,
            "factors/enrol.html",
            title="Recovery codes" if state.kinds else "Add a second factor",
            lacking=not state.kinds,
            **_passkeys_here(request, passkeys),
        )

    @get(_OWN, opt=requires("account:secure"), guards=[person])
    async def own(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        passkeys: NamedDependency[Passkeys],
    ) -> Answer:
        return await _own_page(request, principal, factors, passkeys)

    @get(f"{_OWN}/app", opt=_ADDING, guards=[person, proven])
    async def new_app(
        self, request: Asked, principal: NamedDependency[Principal], factors: NamedDependency[Factors]
    ) -> Answer:
        return await _app_page(request, principal, factors)

    @post(f"{_OWN}/app", opt=_ADDING, guards=[person, proven], status_code=200)
    async def confirm_app(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        sessions: NamedDependency[Sessions],
        data: URLEncodedBody[CodeForm],
    ) -> Answer:
        try:
            codes = await factors.confirm_totp(principal.id, data.code, visitor_of(request))
        except (WrongCodeError, SlowDownError, NothingPendingError) as refusal:
            return await _app_page(request, principal, factors, refusal)
        after = "/" if principal.lacks_factor else _OWN
        answer = _codes_page(request, codes, after) if codes else Redirect(after, status_code=_SEE_OTHER)
        give(request, answer, await sessions.renew(principal))
        return answer

    @post(f"{_OWN}/app/remove", opt=requires("account:secure"), guards=[person, proven], status_code=200)
    async def remove_app(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        passkeys: NamedDependency[Passkeys],
    ) -> Answer:
        try:
            entry = await factors.remove_totp(principal)
        except FactorDemandedError as refusal:
            return await _own_page(request, principal, factors, passkeys, refusal)
        answer = _to_own()
        give(request, answer, entry)
        return answer

    @post(
        f"{_OWN}/passkeys/{{passkey_id:uuid}}/remove",
        opt=requires("account:secure"),
        guards=[person, proven],
        status_code=200,
    )
    async def remove_passkey(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        passkeys: NamedDependency[Passkeys],
        passkey_id: FromPath[UUID],
    ) -> Answer:
        try:
            entry = await factors.remove_passkey(principal, passkey_id)
        except FactorDemandedError as refusal:
            return await _own_page(request, principal, factors, passkeys, refusal)
        answer = _to_own()
        give(request, answer, entry)
        return answer

    @post(f"{_OWN}/codes", opt=requires("account:secure"), guards=[person, proven], status_code=200)
    async def make_codes(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        factors: NamedDependency[Factors],
        sessions: NamedDependency[Sessions],
        data: URLEncodedBody[CodesForm],
    ) -> Answer:
        codes = await factors.make_codes(principal.id)
        answer = _codes_page(request, codes, safe_local_path(data.next, _OWN))
        give(request, answer, await sessions.renew(principal))
        return answer


async def _second_step_page(
    request: Asked,
    factors: Factors,
    sessions: Sessions,
    passkeys: Passkeys,
    refusal: PudimError | None = None,
) -> Answer:
    try:
        half = await sessions.half(brought(request, HALF), Step.FACTOR)
    except HalfSessionError:
        return _again()
    kinds = await factors.kinds_of(half.user_id)
    return _told(
        render(
            request,
            "factors/second_step.html",
            title="Second step",
            status=refusal.status if refusal else 200,
            kinds=sorted(kinds),
            **_passkeys_here(request, passkeys),
            errors=_errors(refusal),
        ),
        refusal,
    )


async def _app_page(
    request: Asked, principal: Principal, factors: Factors, refusal: PudimError | None = None
) -> Answer:
    pending = await factors.pending_totp(principal.id, principal.email or "")
    return _told(
        render(
            request,
            "factors/app.html",
            title="Add an authenticator app",
            status=refusal.status if refusal else 200,
            secret=pending.secret,
            qr=_qr(pending.uri),
            back=ENROL_PATH if principal.lacks_factor else _OWN,
            errors=_errors(refusal),
        ),
        refusal,
    )


async def _own_page(
    request: Asked,
    principal: Principal,
    factors: Factors,
    passkeys: Passkeys,
    refusal: PudimError | None = None,
) -> Answer:
    state = SecondFactorState.of(await factors.overview(principal.id))
    items = [
        {"id": str(one.id), "name": one.name, "created_at": one.created_at, "last_used_at": one.last_used_at}
        for one in await passkeys.all(principal.id)
    ]
    return render(
        request,
        "factors/own.html",
        title="Second factors",
        status=refusal.status if refusal else 200,
        state=to_builtins(state),
        passkeys=to_builtins(items),
        **_passkeys_here(request, passkeys),
        errors=_errors(refusal),
    )


def _codes_page(request: Asked, codes: Sequence[str], path: str) -> Answer:
    return render(request, "factors/codes.html", title="Recovery codes", codes=codes, next=path)


def _passkeys_here(request: Asked, passkeys: Passkeys) -> dict[str, Any]:
    """What factors/_no_passkeys.html needs."""
    elsewhere = passkeys.site.elsewhere(request.url.scheme, request.url.netloc)
    return {"passkey_trouble": passkeys.site.trouble, "passkey_elsewhere": elsewhere}


def _qr(uri: str) -> str:
    """An SVG element; only digits and names of ours are in it."""
    buffer = BytesIO()
    segno.make(uri, error="m").save(
        buffer,
        kind="svg",
        xmldecl=False,
        omitsize=True,
        dark="#000",
        light="#fff",
        svgclass="qr",
        lineclass=None,
    )
    return buffer.getvalue().decode()


def _again() -> Answer:
    return Redirect("/sign-in", status_code=_SEE_OTHER)


def _to_own() -> Answer:
    return Redirect(_OWN, status_code=_SEE_OTHER)


def _told(answer: Answer, refusal: PudimError | None) -> Answer:
    answer.headers.update(getattr(refusal, "headers", {}))
    return answer


def _errors(refusal: PudimError | None) -> dict[str, str]:
    return {"form": f"{refusal.detail} {refusal.hint}".strip()} if refusal else {}
