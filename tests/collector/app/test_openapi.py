"""The OpenAPI document is one that a generator of clients can use: named schemas, named operations, our errors."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.servers.schemas import Server

OUTSIDE = {
    "get_install_script",
    "get_agent_file",
    "get_agent_release",
    "get_release_key_successors",
    "enrol_agent",
    "is_alive",
    "is_ready",
}
"""Operations that need no account."""
CLIENTS = {f"{status}" for status in (*range(400, 405), *range(408, 416), 422, 428, 429, 431)} - {
    "402",
    "411",
}
"""Statuses of refusals that somebody who asks can do something about."""


@pytest.fixture
def document(runtime: Runtime) -> dict[str, Any]:
    return web_application(runtime).openapi_schema.to_schema()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, operation) for path, item in document["paths"].items() for operation in item.values()]


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from parts(one)


def test_every_schema_has_a_clean_name(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    names = list(document["components"]["schemas"])
    assert [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name)] == []
    assert {"Server", "ServerPage", "SeriesRange", "Problem"} <= set(names)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = {part["$ref"] for part in parts(document) if "$ref" in part}
    named = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "responses")
        for name in document["components"][kind]
    }
    assert named == references


def test_every_operation_has_a_name_of_its_own_a_tag_and_a_permission(document: dict[str, Any]) -> None:
    found = [operation for _, operation in operations(document)]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert all(operation["tags"] for operation in found)
    assert {one["operationId"] for one in found if not one.get("security")} == OUTSIDE
    assert all("Needs the permission" in one["description"] for one in found if one.get("security"))


def test_every_operation_fails_with_problem_details(document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    own = {"is_ready"}
    for path, operation in operations(document):
        refusals = {status: said for status, said in operation["responses"].items() if status >= "4"}
        assert {"400", "403", "414", "429", "431", "503"} <= refusals.keys() <= CLIENTS | {"503"}, path
        whole = [resolved(document, said)["content"] == problem for said in refusals.values()]
        assert all(whole) or operation["operationId"] in own
        assert len(operation["responses"].keys() & {"200", "201", "204"}) == 1, path
        assert "401" in refusals or "security" not in operation, path
        assert "{" not in path or "404" in refusals, path
        assert "requestBody" not in operation or {"408", "413", "415"} <= refusals.keys(), path
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {
        *("type", "title", "status", "detail", "code")
    }


def resolved(document: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A response that many operations share, or its own."""
    name = said.get("$ref", "").removeprefix("#/components/responses/")
    found: dict[str, Any] = document["components"]["responses"][name] if name else said
    return found


def test_a_route_says_what_its_use_cases_refuse(document: dict[str, Any]) -> None:
    said = {one["operationId"]: one["responses"] for _, one in operations(document)}
    assert said["create_check"]["409"]["description"] == "Conflict: `no_agent_here`, `too_many_checks`."
    assert said["get_check"]["404"]["description"] == "Not Found: `no_such_check`."
    assert "409" not in said["get_check"]
    assert said["read_series"]["404"]["description"] == "Not Found: `no_such_server`."
    assert {"412", "422"} <= said["change_check"].keys()
    assert "410" in said["enrol_agent"]


def test_only_the_api_is_described(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if not path.startswith(("/api/v2/", "/agent/v1/"))] == [
        "/healthz",
        "/readyz",
    ]
    assert list(document["components"]["schemas"]["Server"]["properties"]) == list(Server.__struct_fields__)
