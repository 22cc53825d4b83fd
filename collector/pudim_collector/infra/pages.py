"""HTML out of web's templates, escaped by default, each under a policy that allows our own scripts only."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response
from litestar.exceptions import NotFoundException
from litestar.router import Router
from litestar.static_files import create_static_files_router

import pudim_web
from pudim_collector.infra.auth import Principal, public
from pudim_collector.infra.headers import page_policy
from pudim_collector.infra.language import SOURCE, negotiated
from pudim_collector.infra.language_reader import UTC_NAME, Reader, UnknownTimeZoneError, teach, time_zone
from pudim_collector.infra.manifest import NavigationEntry

_ASSET_PATH = re.compile(r"/[A-Za-z0-9._/-]{1,200}")
_FOREVER = "public, max-age=31536000, immutable"


def asset_url(name: str) -> str:
    return pudim_web.assets()[name]


class Pages:
    """Templates, navigation and assets; one per application, found in its state."""

    def __init__(
        self,
        navigation: Sequence[NavigationEntry] = (),
        *,
        account_tabs: Sequence[NavigationEntry] = (),
        team_tabs: Sequence[NavigationEntry] = (),
        language: str = SOURCE,
        templates: Path = pudim_web.TEMPLATES,
        assets: Callable[[str], str] = asset_url,
    ) -> None:
        self._navigation = navigation
        self._account_tabs, self._team_tabs = account_tabs, team_tabs
        self._assets = assets
        self._language = language
        self._version = version("pudim-collector")
        self._environment = Environment(
            loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        teach(self._environment)

    def page(self, request: Request[Any, Any, Any], title: str, nonce: str) -> dict[str, Any]:
        """What every template gets as `page`."""
        principal = _principal(request)
        reader = self.reader(request)
        return {
            "title": reader.said(title),
            "reader": reader,
            "path": request.url.path,
            "user": {"name": principal.name, "email": principal.email} if principal else None,
            "teams": [
                {"id": str(team.id), "name": team.name, "here": team.id == principal.team_id}
                for team in principal.teams
            ]
            if principal
            else [],
            "csrf_token": principal.csrf_token or "" if principal else "",
            "nonce": nonce,
            "navigation": open_links(self._navigation, request.url.path, principal),
            "account_tabs": open_links(self._account_tabs, request.url.path, principal),
            "team_tabs": open_links(self._team_tabs, request.url.path, principal),
            "version": self._version,
            "assets": self._assets,
        }

    def reader(self, request: Request[Any, Any, Any]) -> Reader:
        """In which language and zone whoever asks reads."""
        principal = _principal(request)
        chosen = principal.language if principal else None
        language = negotiated(chosen, request.headers.get("accept-language", ""), self._language)
        zone = principal.time_zone if principal else None
        try:
            return Reader(language, time_zone(zone or UTC_NAME), zone or UTC_NAME, zone is not None)
        except UnknownTimeZoneError:  # zones come and go with the system's tables
            return Reader(language)

    def html(self, name: str, page: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        return self._environment.get_template(name).render({**context, "page": page})


def render(
    request: Request[Any, Any, Any], template: str, *, title: str, status: int = 200, **context: Any
) -> Response[str]:
    pages: Pages = request.app.state["pages"]
    nonce = secrets.token_urlsafe(16)
    page = pages.page(request, title, nonce)
    return Response(
        pages.html(template, page, context),
        status_code=status,
        media_type=MediaType.HTML,
        headers={
            "Content-Security-Policy": page_policy(nonce),
            "Cache-Control": "no-store",
            "Content-Language": page["reader"].language.tag,
        },
    )


def open_links(
    entries: Sequence[NavigationEntry], path: str, principal: Principal | None
) -> list[dict[str, Any]]:
    """The links that whoever asks may follow."""
    return [
        {"label": entry.label, "href": entry.href, "icon": entry.icon, "active": entry.leads_to(path)}
        for entry in entries
        if principal is not None and principal.may_somewhere(entry.permission)
    ]


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person's browser asks, rather than a program."""
    if request.url.path.startswith("/api/"):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


def static_router(folder: Path = pudim_web.STATIC) -> Router:
    """Built assets: their names change with their content, so they never expire."""
    return create_static_files_router(
        path="/static",
        directories=[folder],
        cache_control=None,
        opt=public("styles and scripts of the sign-in page too"),
        include_in_schema=False,
        before_request=_refuse_strange_names,
        after_request=_cache_for_ever,
    )


def _refuse_strange_names(request: Request[Any, Any, Any]) -> None:
    """No asset is named so, and merely to look for some names fails: those with a NUL or of great length."""
    if not _ASSET_PATH.fullmatch(request.scope["path"]):
        raise NotFoundException


def _cache_for_ever(response: Response[Any]) -> Response[Any]:
    response.headers["Cache-Control"] = _FOREVER
    return response


def _principal(request: Request[Any, Any, Any]) -> Principal | None:
    found = request.scope.get("user")
    return found if isinstance(found, Principal) else None
