"""Every failure at the HTTP edge in one form: problem details (RFC 9457) for programs, a page for people.

Litestar's own plugin puts the specific text into `title` and leaves 500s out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.response import Redirect
from msgspec import UNSET, Struct, UnsetType

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import (
    ENROL_PATH,
    BadSenderTokenError,
    BadTokenError,
    FactorNeededError,
    NoSenderTokenError,
    NotSignedInError,
)
from pudim_collector.infra.pages import render, wants_page
from pudim_collector.infra.request_ids import STATE
from pudim_collector.infra.sudo import PROVE_PATH, SudoNeededError
from pudim_collector.kernel.ids import new_id

_log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
ERRORS = "/errors"
"""Below it each code has a page, to which a problem's `type` leads on whatever host it was met."""
_SERVER_ERROR = 500
_NAMES = {413: "body_too_large", 414: "address_too_long", 422: "invalid_request"}
"""Codes of Litestar's own refusals whose names in Python change with its version."""


class FieldProblem(Struct):
    """One value of the request that cannot be used; `pointer` is a JSON pointer into it."""

    pointer: str
    detail: str


class Problem(Struct):
    """Problem details after RFC 9457. `code` is stable; `request_id` is in our log too."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    errors: list[FieldProblem] | UnsetType = UNSET


class BadFieldsError(PudimError):
    """The request has values that cannot be used."""

    code = "bad_fields"
    status = 422

    def __init__(self, faults: Iterable[tuple[str, str]] = ()) -> None:
        """`faults` are the paths of fields, such as `settings.url`, each with what is wrong."""
        self.faults = tuple(faults)
        super().__init__()


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Litestar's exception handler for everything."""
    if isinstance(error, NotSignedInError) and wants_page(request):
        return _to_sign_in(request)
    if isinstance(error, SudoNeededError) and wants_page(request):
        return _to_proof(request)
    if isinstance(error, FactorNeededError) and wants_page(request):
        return _to_enrolment(request)
    problem = problem_of(error)
    request.scope["state"]["problem"] = (problem.code, problem.detail)  # for the audit log
    problem.request_id = request.scope["state"].get(STATE, UNSET)
    if problem.status >= _SERVER_ERROR:
        problem.request_id = problem.request_id or str(new_id())
        # The route, not its path: that may hold a secret, as a setup link's does.
        route = request.scope.get("path_template", "")
        _log.error("request %s: %s %s failed", problem.request_id, request.method, route, exc_info=error)
    told = _page(request, problem) if wants_page(request) else _document(problem)
    told.headers.update(_headers(error))
    return told


def problem_of(error: Exception) -> Problem:
    if isinstance(error, PudimError):
        return _of_named(error)
    if isinstance(error, HTTPException):
        return _of_http(error)
    return _problem(_SERVER_ERROR, "internal", "Something went wrong on our side.")


def _of_named(error: PudimError) -> Problem:
    """A failure of ours tells its class's sentence only: the instance's text may quote internals."""
    detail = error.detail if error.status < _SERVER_ERROR else type(error)().detail
    problem = _problem(error.status, error.code, detail)
    if error.hint:
        problem.hint = error.hint
    if isinstance(error, BadFieldsError):
        problem.errors = [_field({"key": path, "message": words}) for path, words in error.faults]
    return problem


def _of_http(error: HTTPException) -> Problem:
    status = error.status_code
    code = _NAMES.get(status) or HTTPStatus(status).name.lower()
    if status >= _SERVER_ERROR:
        return _problem(status, code, "Something went wrong on our side.")
    if not isinstance(error, ValidationException):
        return _problem(status, code, error.detail)
    if not error.extra:  # a parameter is missing, and the text says which
        return _problem(status, "invalid_request", error.detail)
    problem = _problem(status, "invalid_request", "The request has values that cannot be used.")
    problem.errors = [_field(one) for one in error.extra if isinstance(one, dict)]
    return problem


def _field(found: dict[str, Any]) -> FieldProblem:
    key = str(found.get("key") or "")
    whole = key == "data" and found.get("source") == "body"  # what Litestar calls the body as such
    path = "" if whole else key.replace("~", "~0").replace("/", "~1").replace(".", "/")
    path = re.sub(r"\[([0-9]+)\]", r"/\1", path).removeprefix("/")
    return FieldProblem(f"/{path}" if path else "", str(found.get("message", "")))


def _problem(status: int, code: str, detail: str) -> Problem:
    return Problem(f"{ERRORS}/{code}", HTTPStatus(status).phrase, status, detail, code)


def _headers(error: Exception) -> dict[str, str]:
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, NotSignedInError | BadTokenError | NoSenderTokenError | BadSenderTokenError):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _document(problem: Problem) -> Response[Problem]:
    return Response(problem, status_code=problem.status, media_type=MEDIA_TYPE)


def _page(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    try:
        return render(
            request, "error.html", title=problem.title, status=problem.status, error=_for_people(problem)
        )
    except Exception:  # noqa: BLE001 - the page about the failure failed: say it plainly
        _log.exception("error.html cannot be rendered")
        return Response(
            f"{problem.title}: {problem.detail}", status_code=problem.status, media_type="text/plain"
        )


def _for_people(problem: Problem) -> dict[str, Any]:
    hint = problem.hint or ""
    if problem.request_id and problem.status >= _SERVER_ERROR:
        hint = f"{hint} The log tells more under {problem.request_id}.".strip()
    return {
        "status": problem.status,
        "title": problem.title,
        "detail": problem.detail,
        "hint": hint,
        "code": problem.code,
    }


def _to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = f"/sign-in?next={quote(wanted, safe='/')}" if request.method == "GET" else "/sign-in"
    if "hx-request" in request.headers:
        return Response("", status_code=401, headers={"HX-Redirect": "/sign-in"})
    return Redirect(target, status_code=303)


def _to_proof(request: Request[Any, Any, Any]) -> Response[Any]:
    """To where one proves who one is, and from there back to the page that was left."""
    left = request.url.path if request.method == "GET" else _path_of(request.headers.get("referer", ""))
    target = f"{PROVE_PATH}?next={quote(left, safe='/')}"
    if "hx-request" in request.headers:
        return Response("", status_code=403, headers={"HX-Redirect": target})
    return Redirect(target, status_code=303)


def _to_enrolment(request: Request[Any, Any, Any]) -> Response[Any]:
    if "hx-request" in request.headers:
        return Response("", status_code=403, headers={"HX-Redirect": ENROL_PATH})
    return Redirect(ENROL_PATH, status_code=303)


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path or "/"
    except ValueError:
        return "/"
