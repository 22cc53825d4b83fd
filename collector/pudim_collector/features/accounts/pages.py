"""The pages of accounts: set up, sign in, sign out, API tokens."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts import rules
from pudim_collector.features.accounts.rules import AccountError
from pudim_collector.features.accounts.schemas import ApiToken, SetupForm, SignInForm, TokenForm
from pudim_collector.features.accounts.service import (
    Accounts,
    NewToken,
    SignInError,
    SlowDownError,
    TokenExpiryError,
    Visitor,
)
from pudim_collector.infra.auth import Principal, public, requires, safe_local_path
from pudim_collector.infra.gate import cookie_name
from pudim_collector.infra.pages import render

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303


class AccountPages(Controller):
    include_in_schema = False

    @get("/setup/{link:str}", opt=public("the one-time link is the permission"))
    async def setup(self, request: Asked, accounts: NamedDependency[Accounts], link: FromPath[str]) -> Answer:
        await accounts.check_setup_link(link)
        return _setup_page(request)

    @post("/setup/{link:str}", opt=public("the one-time link is the permission"), status_code=200)
    async def create_owner(
        self,
        request: Asked,
        accounts: NamedDependency[Accounts],
        link: FromPath[str],
        data: URLEncodedBody[SetupForm],
    ) -> Answer:
        try:
            secret = await accounts.create_owner(
                link, name=data.name, email=data.email, password=data.password, visitor=_visitor(request)
            )
        except AccountError as refusal:
            return _setup_page(request, data, refusal)
        return _enter(request, secret, "/")

    @get("/sign-in", opt=public("to sign in", identify=True))
    async def sign_in_page(self, request: Asked, principal: NamedDependency[Principal | None]) -> Answer:
        wanted = request.query_params.get("next", "")
        if principal is not None:
            return Redirect(safe_local_path(wanted), status_code=_SEE_OTHER)
        return _sign_in_page(request, SignInForm(next=wanted))

    @post("/sign-in", opt=public("to sign in", identify=True), status_code=200)
    async def sign_in(
        self,
        request: Asked,
        accounts: NamedDependency[Accounts],
        principal: NamedDependency[Principal | None],
        data: URLEncodedBody[SignInForm],
    ) -> Answer:
        try:
            secret = await accounts.sign_in(
                data.email, data.password, _visitor(request), instead_of=principal
            )
        except (SignInError, SlowDownError) as refusal:
            return _sign_in_page(request, data, refusal)
        return _enter(request, secret, safe_local_path(data.next))

    @post("/sign-out", opt=requires("account:read"), status_code=_SEE_OTHER)
    async def sign_out(
        self, request: Asked, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> Answer:
        await accounts.sign_out(principal)
        answer = Redirect("/sign-in", status_code=_SEE_OTHER)
        answer.set_cookie(_cookie(request, "", 0))
        return answer

    @get("/account/tokens", opt=requires("tokens:manage"))
    async def tokens(
        self, request: Asked, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> Answer:
        return await _tokens_page(request, principal, accounts)

    @post("/account/tokens", opt=requires("tokens:manage"), status_code=200)
    async def create_token(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        data: URLEncodedBody[TokenForm],
    ) -> Answer:
        try:
            made = await accounts.create_token(
                principal, data.name, _expiry(data.expires_in_days, accounts.now())
            )
        except (AccountError, TokenExpiryError) as refusal:
            return await _tokens_page(request, principal, accounts, form=data, refusal=refusal)
        return await _tokens_page(request, principal, accounts, made=made)

    @post("/account/tokens/{token_id:uuid}/revoke", opt=requires("tokens:manage"), status_code=_SEE_OTHER)
    async def revoke_token(
        self,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        token_id: FromPath[UUID],
    ) -> Answer:
        await accounts.revoke_token(principal, token_id)
        return Redirect("/account/tokens", status_code=_SEE_OTHER)


def _setup_page(request: Asked, form: SetupForm | None = None, refusal: PudimError | None = None) -> Answer:
    form = form or SetupForm()
    return render(
        request,
        "accounts/setup.html",
        title="Set up Pudim",
        status=refusal.status if refusal else 200,
        errors=_errors(refusal),
        values={"name": form.name, "email": form.email},
        shortest_password=rules.SHORTEST_PASSWORD,
    )


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


async def _tokens_page(
    request: Asked,
    principal: Principal,
    accounts: Accounts,
    *,
    made: NewToken | None = None,
    form: TokenForm | None = None,
    refusal: PudimError | None = None,
) -> Answer:
    return render(
        request,
        "accounts/tokens.html",
        title="API tokens",
        status=refusal.status if refusal else 200,
        tokens=[to_builtins(ApiToken.of(token)) for token in await accounts.tokens(principal)],
        created={"name": made.record.name, "token": made.secret} if made else None,
        errors=_errors(refusal),
        values=to_builtins(form) if form else {},
    )


def _errors(refusal: PudimError | None) -> dict[str, str]:
    """By the field that has to change, "form" where that is none."""
    if refusal is None:
        return {}
    field = refusal.field if isinstance(refusal, AccountError) else "form"
    return {field: f"{refusal.detail} {refusal.hint}".strip()}


def _enter(request: Asked, secret: str, path: str) -> Answer:
    answer = Redirect(path, status_code=_SEE_OTHER)
    answer.set_cookie(_cookie(request, secret, int(rules.SESSION_LIFE.total_seconds())))
    return answer


def _cookie(request: Asked, value: str, max_age: int) -> Cookie:
    scheme = request.url.scheme
    return Cookie(
        key=cookie_name(scheme),
        value=value,
        max_age=max_age,
        path="/",
        secure=scheme == "https",
        httponly=True,
        samesite="lax",
    )


def _visitor(request: Asked) -> Visitor:
    address = request.client.host if request.client else ""
    return Visitor(address, request.headers.get("user-agent", ""))


def _expiry(days: str, now: datetime) -> datetime | None:
    """Raises TokenExpiryError."""
    if not days.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,4}", days.strip()):
        raise TokenExpiryError
    return now + timedelta(days=int(days))
