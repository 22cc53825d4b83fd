"""The Litestar application out of features: gate, problems, headers, pages and OpenAPI, the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler, LifespanHook

from pudim_collector.infra.auth import Authenticator, Principal, check_declared, public
from pudim_collector.infra.gate import EdgeSettings, Gate
from pudim_collector.infra.headers import add_headers
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.pages import Pages, static_router
from pudim_collector.infra.problems import answer

MAX_BODY = 1 << 20
API = "/api/v2"


def build_app(
    features: Sequence[Feature],
    authenticator: Authenticator,
    *,
    settings: EdgeSettings | None = None,
    pages: Pages | None = None,
    route_handlers: Sequence[ControllerRouterHandler] = (),
    dependencies: Mapping[str, object] | None = None,
    lifespan: Sequence[Callable[[Litestar], Any]] = (),
    on_shutdown: Sequence[LifespanHook] = (),
) -> Litestar:
    """`dependencies` are ready objects, injected by name. Raises UndeclaredAccessError for an undeclared route."""
    navigation = [entry for feature in features for entry in feature.navigation]
    controllers = [controller for feature in features for controller in feature.controllers]
    app = Litestar(
        route_handlers=[*controllers, *route_handlers, static_router()],
        middleware=[Gate(authenticator, settings or EdgeSettings())],
        exception_handlers={Exception: answer},
        before_send=[add_headers],
        dependencies={"principal": Provide(_principal, sync_to_thread=False)}
        | {name: _ready(value) for name, value in (dependencies or {}).items()},
        lifespan=list(lifespan),
        on_shutdown=list(on_shutdown),
        openapi_config=_openapi(),
        request_max_body_size=MAX_BODY,
        state=State({"pages": pages or Pages(navigation)}),
        logging_config=None,
    )
    check_declared(app, {name for feature in features for name in feature.permissions})
    return app


def _principal(request: Request[Any, Any, Any]) -> Principal:
    found: Principal = request.scope["user"]
    return found


def _ready(value: object) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Pudim",
        version="2",
        path=API,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],  # the others load scripts from elsewhere
        openapi_router=Router(API, route_handlers=[], opt=public("what the API is like is no secret")),
    )
