"""The pages of one's own data, and of how long this installation keeps what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect, Stream
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.privacy.routes import FILE, ZIP
from pudim_collector.features.privacy.rules import BadRetention, DeletionRefused
from pudim_collector.features.privacy.schemas import DeletionForm, KeptForm, KeptRows
from pudim_collector.features.privacy.service import Privacy
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.entering import cookie
from pudim_collector.infra.headers import CLEAR_SITE
from pudim_collector.infra.pages import render
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.sudo import person, proven

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303
_FIGURE = re.compile(r"[0-9]{1,6}")
_OWN, _KEPT = "/account/data", "/retention"


class PrivacyPages(Controller):
    include_in_schema = False

    @get(_OWN, opt=requires("account:secure"), guards=[person])
    async def own(
        self, request: Asked, principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
    ) -> Answer:
        return _own_page(request, principal, privacy)

    @get(
        f"{_OWN}/export",
        opt=requires("account:secure") | limited(Action.EXPORT),
        guards=[person, proven],
    )
    async def export(
        self, principal: NamedDependency[Principal], privacy: NamedDependency[Privacy]
    ) -> Stream:
        pieces = await privacy.export(await privacy.person(principal.id))
        return Stream(pieces, media_type=ZIP, headers=FILE)

    @post(
        f"{_OWN}/deletion",
        opt=requires("account:secure"),
        guards=[person, proven],
        status_code=200,
    )
    async def delete(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        privacy: NamedDependency[Privacy],
        data: URLEncodedBody[DeletionForm],
    ) -> Answer:
        try:
            await privacy.delete(await privacy.person(principal.id), data.email)
        except DeletionRefused as refusal:
            return _own_page(request, principal, privacy, data.email, refusal)
        answer = Redirect("/sign-in", status_code=_SEE_OTHER)
        answer.headers.update(CLEAR_SITE)
        answer.set_cookie(cookie(request, "", "", timedelta()))
        return answer

    @get(_KEPT, opt=requires("installation:retention"))
    async def retention(self, request: Asked, privacy: NamedDependency[Privacy]) -> Answer:
        return await _kept_page(request, privacy)

    @post(_KEPT, opt=requires("installation:retention"), status_code=200)
    async def keep(
        self, request: Asked, privacy: NamedDependency[Privacy], data: URLEncodedBody[KeptForm]
    ) -> Answer:
        typed = data.days.strip()
        try:
            await privacy.keep_for(data.name, int(typed) if _FIGURE.fullmatch(typed) else 0)
        except BadRetention as refusal:
            return await _kept_page(request, privacy, data, refusal)
        return Redirect(f"{_KEPT}#{data.name}", status_code=_SEE_OTHER)


def _own_page(
    request: Asked,
    principal: Principal,
    privacy: Privacy,
    typed: str = "",
    refusal: DeletionRefused | None = None,
) -> Answer:
    return render(
        request,
        "privacy/own.html",
        title="Your data",
        status=refusal.status if refusal else 200,
        sections=[{"name": one.name, "words": one.words} for one in privacy.sections],
        email=principal.email,
        typed=typed,
        errors={refusal.field: f"{refusal.detail} {refusal.hint}".strip()} if refusal else {},
    )


async def _kept_page(
    request: Asked, privacy: Privacy, form: KeptForm | None = None, refusal: PudimError | None = None
) -> Answer:
    return render(
        request,
        "privacy/retention.html",
        title="Retention",
        status=refusal.status if refusal else 200,
        kept=[to_builtins(KeptRows.of(one)) for one in await privacy.retentions()],
        wrong=form.name if form and refusal else None,
        typed=form.days if form else "",
        refusal=refusal.detail if refusal else None,
    )
