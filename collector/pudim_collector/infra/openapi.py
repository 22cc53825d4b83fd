"""The OpenAPI document: what Litestar finds in the handlers, and what only the edge knows of every operation."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    Components,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Reference,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from pudim_collector.infra.auth import Requires, access_of, public
from pudim_collector.infra.problems import MEDIA_TYPE, Problem

API = "/api/v2"
_TOKEN = "api_token"  # noqa: S105 - a scheme's name
_REFERENCE = "#/components/schemas/{name}"


def openapi_config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Pudim",
        version="2",
        path=API,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={_TOKEN: SecurityScheme(type="http", scheme="bearer")},
        ),
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],  # the others load scripts from elsewhere
        openapi_router=Router(
            API,
            route_handlers=[],
            opt=public("what the API is like is no secret"),
            include_in_schema=False,
            before_request=_refuse_unknown,
        ),
    )


def _refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Litestar answers every unknown path below the document's with a page of its own."""
    if request.path_params:
        raise NotFoundException


def describe(app: Litestar) -> None:
    """Say of each operation what it needs and that it fails with problem details, in place of Litestar's own form."""
    document = app.openapi_schema
    schemas: dict[str, Any] = msgspec.json.schema_components([Problem], ref_template=_REFERENCE)[1]
    document.components.schemas = dict(sorted({**(document.components.schemas or {}), **schemas}.items()))
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if not isinstance(route, HTTPRoute) or item is None:
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation: Operation | None = getattr(item, method.lower())
                if operation is not None:
                    _describe(operation, handler)


def _describe(operation: Operation, handler: HTTPRouteHandler) -> None:
    access = access_of(handler)
    if isinstance(access, Requires):
        operation.security = [{_TOKEN: []}]
        needs = f"Needs the permission `{access.permission}`."
        operation.description = f"{operation.description}\n\n{needs}" if operation.description else needs
    declared = {str(status) for status in handler.responses or {}}
    found = (operation.responses or {}).items()
    responses = {status: said for status, said in found if status < "4" or status in declared}
    problem = OpenAPIMediaType(schema=Reference(_REFERENCE.format(name=Problem.__name__)))
    responses["default"] = OpenAPIResponse("What went wrong.", content={MEDIA_TYPE: problem})
    operation.responses = responses
