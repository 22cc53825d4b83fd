"""The page of one's own profile: name, language, time zone, and how figures and times look then."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.profile.schemas import ProfileForm
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.language import UnknownLanguageError, load, tags
from pudim_collector.infra.language_reader import UnknownTimeZoneError, time_zones
from pudim_collector.infra.pages import render
from pudim_collector.infra.sudo import person

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303
_PATH = "/account/profile"
_FIELDS = {
    "name_refused": "name",
    UnknownLanguageError.code: "language",
    UnknownTimeZoneError.code: "time_zone",
}
"""By an error's code, the field that has to change."""


class ProfilePages(Controller):
    include_in_schema = False
    guards = (person,)

    @get(_PATH, opt=requires("profile:change"))
    async def profile(
        self, request: Asked, principal: NamedDependency[Principal], accounts: NamedDependency[Accounts]
    ) -> Answer:
        form = ProfileForm(principal.name, principal.language or "", principal.time_zone or "")
        return _page(request, accounts, form, saved="saved" in request.query_params)

    @post(_PATH, opt=requires("profile:change"), status_code=200)
    async def change(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        accounts: NamedDependency[Accounts],
        data: URLEncodedBody[ProfileForm],
    ) -> Answer:
        try:
            await accounts.change_profile(
                principal, name=data.name, language=data.language or None, time_zone=data.time_zone or None
            )
        except PudimError as refusal:
            if refusal.code not in _FIELDS:
                raise
            return _page(request, accounts, data, refusal=refusal)
        return Redirect(f"{_PATH}?saved=yes", status_code=_SEE_OTHER)


def _page(
    request: Asked,
    accounts: Accounts,
    form: ProfileForm,
    *,
    refusal: PudimError | None = None,
    saved: bool = False,
) -> Answer:
    return render(
        request,
        "profile/profile.html",
        title="Profile",
        status=refusal.status if refusal else 200,
        values=to_builtins(form),
        errors={_FIELDS[refusal.code]: f"{refusal.detail} {refusal.hint}".strip()} if refusal else {},
        languages=[(tag, load(tag).name) for tag in tags()],
        zones=time_zones(),
        now=accounts.now().isoformat(),
        saved=saved,
    )
