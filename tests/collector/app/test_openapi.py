"""The OpenAPI document is one that a generator of clients can use: named schemas, named operations, our errors."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.servers.schemas import Server

OUTSIDE = {"get_install_script", "get_agent_file", "get_agent_release", "enrol_agent", "is_alive", "is_ready"}
"""Operations that need no account."""


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
    schemas = document["components"]["schemas"]
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    assert {f"#/components/schemas/{name}" for name in schemas} == references


def test_every_operation_has_a_name_of_its_own_a_tag_and_a_permission(document: dict[str, Any]) -> None:
    found = [operation for _, operation in operations(document)]
    names = [operation["operationId"] for operation in found]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert all(operation["tags"] for operation in found)
    assert {one["operationId"] for one in found if not one.get("security")} == OUTSIDE
    assert all("Needs the permission" in one["description"] for one in found if one.get("security"))


def test_every_operation_fails_with_problem_details(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        content = operation["responses"]["default"]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        assert set(operation["responses"]) <= {"200", "201", "204", "304", "503", "default"}, path
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {
        *("type", "title", "status", "detail", "code")
    }


def test_only_the_api_is_described(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if not path.startswith(("/api/v2/", "/agent/v1/"))] == [
        "/healthz",
        "/readyz",
    ]
    assert list(document["components"]["schemas"]["Server"]["properties"]) == list(Server.__struct_fields__)
