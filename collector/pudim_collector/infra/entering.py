"""What a browser is given when somebody gets in, and what it brings back: cookies for our own pages and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

from litestar import Request, Response
from litestar.datastructures import Cookie
from litestar.response import Redirect

from pudim_collector.infra.gate import cookie_name

HALF, DEVICE = "-half", "-device"
_SEE_OTHER: Literal[303] = 303
_NOW = timedelta()


class Step(StrEnum):
    """What is missing between a right password and a session."""

    FACTOR = "factor"

    @property
    def path(self) -> str:
        return f"/sign-in/{self}"


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from; `device` is the secret that a browser got when somebody signed in with it before."""

    address: str
    user_agent: str = ""
    device: str = ""


@dataclass(frozen=True)
class Entry:
    """`secret` is a session's, or with a `missing` step a half session's; `device` is a secret for a new browser."""

    secret: str = field(repr=False)
    life: timedelta
    path: str = "/"
    missing: Step | None = None
    device: str | None = field(default=None, repr=False)


def visitor_of(request: Request[Any, Any, Any]) -> Visitor:
    address = request.client.host if request.client else ""
    return Visitor(address, request.headers.get("user-agent", ""), brought(request, DEVICE))


def brought(request: Request[Any, Any, Any], kind: str = "") -> str:
    """The cookie of this kind, empty for none."""
    return request.cookies.get(cookie_name(request.url.scheme) + kind, "")


def let_in(request: Request[Any, Any, Any], entry: Entry) -> Response[Any]:
    """Lead to what was wanted with a session's cookie, or to the step that is missing with a half session's."""
    if entry.missing is not None:
        answer: Response[Any] = Redirect(entry.missing.path, status_code=_SEE_OTHER)
        answer.set_cookie(cookie(request, HALF, entry.secret, entry.life))
        return answer
    answer = Redirect(entry.path, status_code=_SEE_OTHER)
    give(request, answer, entry)
    return answer


def give(request: Request[Any, Any, Any], answer: Response[Any], entry: Entry) -> None:
    """Put a session's cookies on any answer; a half session's goes."""
    answer.set_cookie(cookie(request, "", entry.secret, entry.life))
    if brought(request, HALF):
        answer.set_cookie(cookie(request, HALF, "", _NOW))
    if entry.device is not None:
        answer.set_cookie(cookie(request, DEVICE, entry.device, timedelta(days=400)))


def cookie(request: Request[Any, Any, Any], kind: str, value: str, life: timedelta) -> Cookie:
    scheme = request.url.scheme
    return Cookie(
        key=cookie_name(scheme) + kind,
        value=value,
        max_age=int(life.total_seconds()),
        path="/",
        secure=scheme == "https",
        httponly=True,
        samesite="lax",
    )
