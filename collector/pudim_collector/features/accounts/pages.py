"""The pages of accounts: set up, sign out, API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, TypeAlias

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts import rules
from pudim_collector.features.accounts.rules import AccountError
from pudim_collector.features.accounts.schemas import SetupForm
from pudim_collector.features.accounts.service import (
    Accounts,
)
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.entering import Entry, cookie, let_in, visitor_of
from pudim_collector.infra.headers import CLEAR_SITE
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303


class AccountPages(Controller):
    include_in_schema = False

    @get("/setup/{link:str}", opt=public("the one-time link is the permission"))
    async def setup(self, request: Asked, accounts: NamedDependency[Accounts], link: FromPath[str]) -> Answer:
        await accounts.check_setup_link(link)
        return _setup_page(request)

    @post(
        "/setup/{link:str}",
        opt=public("the one-time link is the permission") | limited(Action.SIGN_IN),
        status_code=200,
    )
    async def create_owner(
        self,
        request: Asked,
        accounts: NamedDependency[Accounts],
        link: FromPath[str],
        data: URLEncodedBody[SetupForm],
    ) -> Answer:
        try:
            opened = await accounts.create_owner(
                link, name=data.name, email=data.email, password=data.password, visitor=visitor_of(request)
            )
        except AccountError as refusal:
            return _setup_page(request, data, refusal)
        return let_in(request, Entry(opened.secret, opened.life))

    @post("/sign-out", opt=requires("account:read", enrolling=True), status_code=_SEE_OTHER)
    async def sign_out(
        self, request: Asked, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> Answer:
        await accounts.sign_out(principal)
        answer = Redirect("/sign-in", status_code=_SEE_OTHER)
        answer.headers.update(CLEAR_SITE)
        answer.set_cookie(cookie(request, "", "", timedelta()))
        return answer


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


def _errors(refusal: PudimError | None) -> dict[str, str]:
    """By the field that has to change, "form" where that is none."""
    if refusal is None:
        return {}
    field = refusal.field if isinstance(refusal, AccountError) else "form"
    return {field: f"{refusal.detail} {refusal.hint}".strip()}
