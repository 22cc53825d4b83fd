"""The Litestar application out of features: gate, problems, headers, pages and OpenAPI, the same for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar, Request
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import SerializationException
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler, LifespanHook

from pudim_collector.infra.api.conventions import Conventions, add_convention_headers
from pudim_collector.infra.auth import (
    SCOPE_ARGUMENT,
    Authenticator,
    Principal,
    Requires,
    SenderAuthenticator,
    access_of,
    check_declared,
)
from pudim_collector.infra.error_pages import ErrorPages
from pudim_collector.infra.gate import AddressRules, EdgeSettings, Gate
from pudim_collector.infra.headers import SUBDOMAINS, add_headers
from pudim_collector.infra.language import SOURCE
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.openapi import describe, openapi_config
from pudim_collector.infra.pages import Pages, static_router
from pudim_collector.infra.permissions import declared
from pudim_collector.infra.problems import answer
from pudim_collector.infra.rate_limits.metering import FloodGate, Meter, RateLimits
from pudim_collector.infra.request_limits import Shape
from pudim_collector.infra.scoping import NO_TEAM, Directory, Scope

MAX_BODY = 1 << 20


class JsonRequest(Request[Any, Any, Any]):
    """A body that cannot even be read, for its bytes or its depth, is a bad request like any other."""

    async def json(self) -> Any:
        try:
            return await super().json()
        except (UnicodeDecodeError, RecursionError) as error:
            raise SerializationException("The body cannot be read.") from error


def build_app(
    features: Sequence[Feature],
    authenticator: Authenticator,
    *,
    settings: EdgeSettings | None = None,
    senders: SenderAuthenticator | None = None,
    limits: RateLimits | None = None,
    directory: Directory | None = None,
    addresses: AddressRules | None = None,
    pages: Pages | None = None,
    conventions: Conventions | None = None,
    language: str = SOURCE,
    route_handlers: Sequence[ControllerRouterHandler] = (),
    dependencies: Mapping[str, object] | None = None,
    lifespan: Sequence[Callable[[Litestar], Any]] = (),
    on_shutdown: Sequence[LifespanHook] = (),
) -> Litestar:
    """`dependencies` are ready objects, injected by name. Raises UndeclaredAccessError for an undeclared route."""
    navigation = [entry for feature in features for entry in feature.navigation]
    account_tabs = [entry for feature in features for entry in feature.account_tabs]
    team_tabs = [entry for feature in features for entry in feature.team_tabs]
    permissions = declared({name: one for feature in features for name, one in feature.permissions.items()})
    controllers = [controller for feature in features for controller in feature.controllers]
    conventions = conventions or Conventions.of_this_process()
    before, behind = ([FloodGate(limits), Shape()], [Meter(limits)]) if limits else ([Shape()], [])
    app = Litestar(
        route_handlers=[*controllers, *route_handlers, ErrorPages, static_router()],
        middleware=[
            *before,
            Gate(authenticator, settings or EdgeSettings(), senders, directory, permissions, addresses),
            *behind,
            *conventions.middleware(),
        ],
        exception_handlers={Exception: answer},
        before_send=[add_headers, add_convention_headers],
        dependencies={
            "principal": Provide(_principal, sync_to_thread=False),
            SCOPE_ARGUMENT: Provide(_scope, sync_to_thread=False),
        }
        | conventions.dependencies()
        | {name: _ready(value) for name, value in (dependencies or {}).items()},
        lifespan=list(lifespan),
        on_shutdown=list(on_shutdown),
        openapi_config=openapi_config(),
        request_class=JsonRequest,
        request_max_body_size=MAX_BODY,
        state=State(
            {
                "pages": pages
                or Pages(navigation, account_tabs=account_tabs, team_tabs=team_tabs, language=language)
            }
        ),
        logging_config=None,
    )
    check_declared(app, permissions)
    _give_one_after_another(app)
    describe(app)
    app.state[SUBDOMAINS] = settings is not None and settings.hsts_subdomains
    app.state["cursor_key"] = conventions.cursor_key
    return app


def _principal(request: Request[Any, Any, Any]) -> Principal:
    found: Principal = request.scope["user"]
    return found


def _scope(request: Request[Any, Any, Any]) -> Scope:
    """How far what the route requires is held; nothing where a route requires nothing."""
    principal, access = request.scope["user"], access_of(request.route_handler)
    if not isinstance(principal, Principal) or not isinstance(access, Requires):
        return Scope(NO_TEAM, frozenset())
    scope = principal.scope(access.permission)
    if access.on is None:
        return scope
    return Scope(scope.team_id, scope.existing([request.path_params[access.on]]), scope.fleet)


def _give_one_after_another(app: Litestar) -> None:
    """Dependencies here are at hand: Litestar would find several in a task each, which takes longer than a statement."""
    for route in app.routes:
        for _, model in route.route_handler_map.values() if isinstance(route, HTTPRoute) else ():
            model.dependency_batches = [{one} for batch in model.dependency_batches for one in batch]


def _ready(value: object) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)
