"""The pages of passwords and addresses: change them, ask for a link, follow one."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from litestar import Controller, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import AccountError
from pudim_collector.features.attempts.service import SlowDownError
from pudim_collector.features.credentials.schemas import EmailForm, NewPasswordForm, PasswordForm
from pudim_collector.features.credentials.service import ConfirmationLinkError, Credentials, NoMailError
from pudim_collector.features.sessions.service import WrongPasswordError
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.entering import give, let_in, visitor_of
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303
_OWN = "/account/password"
_LOST = "to get in again without a password"
_LINK = "the one-time link is the permission"


class CredentialPages(Controller):
    include_in_schema = False

    @get(_OWN, opt=requires("account:secure"), guards=[person])
    async def own(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        credentials: NamedDependency[Credentials],
    ) -> Answer:
        return _own_page(request, principal, credentials)

    @post(_OWN, opt=requires("account:secure"), guards=[person], status_code=200)
    async def change_password(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        credentials: NamedDependency[Credentials],
        data: URLEncodedBody[PasswordForm],
    ) -> Answer:
        try:
            entry = await credentials.change_password(
                principal, data.current, data.password, visitor_of(request)
            )
        except WrongPasswordError as refusal:
            return _own_page(request, principal, credentials, refusal, field="current")
        except (AccountError, SlowDownError) as refusal:
            return _own_page(request, principal, credentials, refusal)
        answer = Redirect("/account/sessions", status_code=_SEE_OTHER)
        give(request, answer, entry)
        return answer

    @post("/account/email", opt=requires("account:secure"), guards=[person, proven], status_code=200)
    async def ask_for_email(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        credentials: NamedDependency[Credentials],
        data: URLEncodedBody[EmailForm],
    ) -> Answer:
        try:
            await credentials.ask_for_email(principal, data.email)
        except AccountError as refusal:
            return _own_page(request, principal, credentials, refusal)
        except NoMailError as refusal:
            return _own_page(request, principal, credentials, refusal, field="email")
        return _own_page(request, principal, credentials, sent_to=data.email)

    @get("/account/email/{link:str}", opt=requires("account:secure"), guards=[person])
    async def confirmation(self, request: Asked, link: FromPath[str]) -> Answer:
        return render(request, "credentials/confirm_email.html", title="Confirm your new address", link=link)

    @post(
        "/account/email/{link:str}",
        opt=requires("account:secure") | limited(Action.SIGN_IN),
        guards=[person],
        status_code=_SEE_OTHER,
    )
    async def confirm_email(
        self,
        principal: NamedDependency[Principal],
        credentials: NamedDependency[Credentials],
        link: FromPath[str],
    ) -> Answer:
        try:
            await credentials.confirm_email(principal, link)
        except AccountError as taken:
            # That it is taken is told to nobody but its owner.
            raise ConfirmationLinkError from taken
        return Redirect(_OWN, status_code=_SEE_OTHER)

    @get("/reset", opt=public(_LOST))
    async def lost(self, request: Asked, credentials: NamedDependency[Credentials]) -> Answer:
        return _lost_page(request, credentials)

    @post("/reset", opt=public(_LOST) | limited(Action.SIGN_IN), status_code=200)
    async def ask_for_link(
        self, request: Asked, credentials: NamedDependency[Credentials], data: URLEncodedBody[EmailForm]
    ) -> Answer:
        """The work is done after the answer, so that neither its words nor its time tell whether there is an account."""
        try:
            await credentials.count_request(data.email, visitor_of(request))
        except SlowDownError as refusal:
            return _lost_page(request, credentials, refusal)
        answer = _lost_page(request, credentials, asked=True)
        answer.background = BackgroundTask(credentials.send_reset, data.email)
        return answer

    @get("/reset/{link:str}", opt=public(_LINK))
    async def reset_page(
        self, request: Asked, credentials: NamedDependency[Credentials], link: FromPath[str]
    ) -> Answer:
        await credentials.check_link(link)
        return _reset_page(request)

    @post("/reset/{link:str}", opt=public(_LINK) | limited(Action.SIGN_IN), status_code=200)
    async def reset(
        self,
        request: Asked,
        credentials: NamedDependency[Credentials],
        link: FromPath[str],
        data: URLEncodedBody[NewPasswordForm],
    ) -> Answer:
        try:
            entry = await credentials.reset(link, data.password, visitor_of(request))
        except AccountError as refusal:
            return _reset_page(request, refusal)
        return let_in(request, entry)


def _own_page(
    request: Asked,
    principal: Principal,
    credentials: Credentials,
    refusal: PudimError | None = None,
    *,
    field: str = "",
    sent_to: str = "",
) -> Answer:
    return _told(
        render(
            request,
            "credentials/own.html",
            title="Password",
            status=refusal.status if refusal else 200,
            email=principal.email,
            sends_mail=credentials.sends_mail,
            sent_to=sent_to,
            errors=_errors(refusal, field),
        ),
        refusal,
    )


def _lost_page(
    request: Asked, credentials: Credentials, refusal: PudimError | None = None, *, asked: bool = False
) -> Answer:
    return _told(
        render(
            request,
            "credentials/lost.html",
            title="Lost password",
            status=refusal.status if refusal else 200,
            sends_mail=credentials.sends_mail,
            asked=asked,
            errors=_errors(refusal),
        ),
        refusal,
    )


def _reset_page(request: Asked, refusal: PudimError | None = None) -> Answer:
    return render(
        request,
        "credentials/reset.html",
        title="Set a new password",
        status=refusal.status if refusal else 200,
        errors=_errors(refusal),
    )


def _told(answer: Answer, refusal: PudimError | None) -> Answer:
    answer.headers.update(getattr(refusal, "headers", {}))
    return answer


def _errors(refusal: PudimError | None, field: str = "") -> dict[str, str]:
    """By the field that has to change, "form" where that is none."""
    if refusal is None:
        return {}
    field = field or (refusal.field if isinstance(refusal, AccountError) else "form")
    return {field: f"{refusal.detail} {refusal.hint}".strip()}
