"""The OpenAPI document: what Litestar finds in the handlers, and what only the edge knows of every operation."""

from __future__ import annotations

import re
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
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
    SecurityScheme,
)
from litestar.routes import HTTPRoute

from pudim_collector.infra.api.conventions import API
from pudim_collector.infra.api.deprecation import deprecation_of
from pudim_collector.infra.api.entity_tags import requires_match
from pudim_collector.infra.api.examples import example_of
from pudim_collector.infra.api.idempotency import LONGEST_KEY
from pudim_collector.infra.api.index import IndexPlugin
from pudim_collector.infra.api.refusals import PHRASES, refusals_of
from pudim_collector.infra.auth import Requires, access_of, public
from pudim_collector.infra.problems import MEDIA_TYPE, Problem

_JSON = "application/json"
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
        render_plugins=[
            IndexPlugin(API),
            JsonRenderPlugin(path="/openapi.json"),
        ],  # the others load scripts from elsewhere
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
    """Say of each operation what it needs and with which problem details it fails, in place of Litestar's own form."""
    document = app.openapi_schema
    schemas: dict[str, Any] = msgspec.json.schema_components([Problem], ref_template=_REFERENCE)[1]
    document.components.responses = {_name_of(phrase): _problem(phrase) for phrase in PHRASES}
    document.components.schemas = dict(sorted({**(document.components.schemas or {}), **schemas}.items()))
    for route in app.routes:
        item = (document.paths or {}).get(route.path_format)
        if not isinstance(route, HTTPRoute) or item is None:
            continue
        for handler in route.route_handlers:
            for method in handler.http_methods:
                operation: Operation | None = getattr(item, method.lower())
                if operation is not None:
                    _describe(operation, handler, method, route.path_format)
                    _describe_conventions(operation, handler, method, route.path_format)
                    _close_bodies(document.components.schemas, handler)
                    _show_examples(operation, handler)


def _is_api(path: str) -> bool:
    return path.startswith(f"{API}/")


def _describe_conventions(operation: Operation, handler: HTTPRouteHandler, method: str, path: str) -> None:
    """The headers by which all of the API can be asked, where they mean something."""
    if not _is_api(path):
        return
    operation.deprecated = deprecation_of(handler) is not None
    headers = []
    if method == "POST":
        headers.append(
            _header(
                "Idempotency-Key",
                "Of requests with the same key one is done, within 24 hours; the others get its answer.",
                longest=LONGEST_KEY,
            )
        )
    if method == "GET":
        headers.append(_header("If-None-Match", "Answer 304 if what would be answered has this entity tag."))
        unchanged = OpenAPIResponse("It is as it was under the entity tag that was sent.")
        operation.responses = {**(operation.responses or {}), "304": unchanged}
    elif "entity" in handler.parsed_fn_signature.parameters and method != "POST":
        said = "Change it only if it is as it was under this entity tag; else the answer is 412."
        headers.append(_header("If-Match", said, required=requires_match(handler)))
    operation.parameters = [*(operation.parameters or []), *headers]


def _close_bodies(schemas: dict[str, Any], handler: HTTPRouteHandler) -> None:
    """Say of bodies that take no unknown fields that they do not; Litestar leaves it out."""
    field = handler.parsed_data_field
    wanted = [] if field is None else [field.annotation, *(one.annotation for one in field.inner_types)]
    for one in wanted:
        if (
            isinstance(one, type)
            and issubclass(one, msgspec.Struct)
            and one.__struct_config__.forbid_unknown_fields
        ):
            schemas[one.__name__].additional_properties = False


def _name_of(phrase: str) -> str:
    return re.sub(r"[^A-Za-z]", "", phrase.title())


def _refusal(said: str) -> OpenAPIResponse | Reference:
    """One of those that many operations share, where it names no codes of its own."""
    return Reference(f"#/components/responses/{_name_of(said)}") if said in PHRASES else _problem(said)


def _problem(said: str) -> OpenAPIResponse:
    schema = Reference(_REFERENCE.format(name=Problem.__name__))
    return OpenAPIResponse(said, content={MEDIA_TYPE: OpenAPIMediaType(schema=schema)})


def _show_examples(operation: Operation, handler: HTTPRouteHandler) -> None:
    """Of the body that is sent, and of the good answer."""
    sent, told = handler.parsed_data_field, handler.parsed_return_field
    if sent is not None and isinstance(operation.request_body, RequestBody):
        for body in operation.request_body.content.values():
            body.example = example_of(sent.annotation, whole=False)
    for said in (operation.responses or {}).values():
        good = said.content if isinstance(said, OpenAPIResponse) else None
        if good and _JSON in good and good[_JSON].schema is not None:
            good[_JSON].example = example_of(told.annotation, whole=True)


def _header(name: str, said: str, *, longest: int | None = None, required: bool = False) -> Parameter:
    schema = Schema(type=OpenAPIType.STRING, max_length=longest)
    return Parameter(name=name, param_in="header", description=said, required=required, schema=schema)


def _describe(operation: Operation, handler: HTTPRouteHandler, method: str, path: str) -> None:
    access = access_of(handler)
    if isinstance(access, Requires):
        operation.security = [{_TOKEN: []}]
        needs = f"Needs the permission `{access.permission}`."
        operation.description = f"{operation.description}\n\n{needs}" if operation.description else needs
    declared = {str(status) for status in handler.responses or {}}
    found = (operation.responses or {}).items()
    responses = {status: said for status, said in found if status < "4" or status in declared}
    refusals = refusals_of(handler, method, path, in_api=_is_api(path))
    operation.responses = {status: _refusal(said) for status, said in refusals.items()} | responses
