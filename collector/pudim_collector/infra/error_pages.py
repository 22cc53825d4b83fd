"""Where a problem's `type` leads: what the code means and what to do, as a page for people and as JSON for programs."""

from __future__ import annotations

from typing import Any

from litestar import Controller, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from pudim_collector.infra.auth import public
from pudim_collector.infra.error_catalogue import catalogue
from pudim_collector.infra.pages import render

Asked = Request[Any, Any, State]
_WHY = "what errors mean is no secret"


class ErrorPages(Controller):
    include_in_schema = False
    path = "/errors"

    @get(opt=public(_WHY, identify=True))
    async def every(self, request: Asked) -> Response[Any]:
        return render(request, "errors/list.html", title="Errors", errors=list(catalogue().values()))

    @get("/{code:str}", opt=public(_WHY, identify=True))
    async def one(self, request: Asked, code: FromPath[str]) -> Response[Any]:
        known = catalogue().get(code)
        if known is None:
            raise NotFoundException
        return render(request, "errors/code.html", title=known.code, known=known)
