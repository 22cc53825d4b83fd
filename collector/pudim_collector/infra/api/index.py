"""What there is in the API, in short: the first thing that a program, or a person with curl, asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.routes import HTTPRoute

from pudim_collector.infra.auth import Requires, access_of


class Operation(msgspec.Struct):
    """What can be asked for: `permission` is null where none is needed."""

    operation: str
    method: str
    path: str
    summary: str
    permission: str | None
    deprecated: bool


class ApiIndex(msgspec.Struct):
    name: str
    version: str
    openapi: str
    token: str
    deprecations: str
    operations: list[Operation]


class IndexPlugin(OpenAPIRenderPlugin):
    """The index, out of the OpenAPI document."""

    def __init__(self, api: str) -> None:
        super().__init__(path="/", media_type=MediaType.JSON)
        self._api = api

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        info = openapi_schema["info"]
        return msgspec.json.encode(
            ApiIndex(
                info["title"],
                info["version"],
                f"{self._api}/openapi.json",
                f"{self._api}/token",
                f"{self._api}/deprecations",
                list(_operations(openapi_schema["paths"], self._api, _permissions(request.app))),
            )
        )


def _permissions(app: Litestar) -> dict[str, str]:
    """What each operation needs, by its name."""
    handlers = [
        handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers
    ]
    return {
        str(handler.operation_id): access.permission
        for handler in handlers
        if isinstance(access := access_of(handler), Requires)
    }


def _operations(paths: Mapping[str, Any], api: str, permissions: Mapping[str, str]) -> Iterator[Operation]:
    for path, item in sorted(paths.items()):
        for method, said in item.items() if path.startswith(f"{api}/") else ():
            yield Operation(
                said["operationId"],
                method.upper(),
                path,
                said.get("summary", ""),
                permissions.get(said["operationId"]),
                said.get("deprecated", False),
            )
