"""What every route of the API must be like, asked of the application's own routes: a new one is held to it at once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.api.conventions import API
from tests.collector.app.test_walk import routes
from tests.collector.conventions.frozen import COMMAND, FROZEN, written

LISTS_WITHOUT_PAGES = {
    "latest_samples": "the answer to a question: every series of one server, now",
    "read_top": "the answer to a question, which says itself how many",
}
"""Answers that are bare lists, each with its reason."""
UNGUARDED = {
    "change_me": "one's own",
    "end_session": "nothing of a session is changed but its end",
    "remove_audit_receiver": "nothing of a receiver can be changed",
    "withdraw_grant": "nothing of a grant can be changed",
    "withdraw_invitation": "nothing of an invitation can be changed",
    "remove_authenticator_app": "one's own, after a proof",
    "set_audit_retention": "one figure, which is replaced",
    "set_retention": "one figure, which is replaced",
    "set_team_addresses": "one list, which is replaced",
    "set_token_addresses": "one list, which is replaced",
}
"""Changes that take no If-Match, each with its reason."""


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    handler: HTTPRouteHandler
    said: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.handler.operation_id)

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the handler's arguments."""
        return frozenset(inspect.signature(self.handler.fn).parameters)

    @property
    def parameters(self) -> dict[str, Any]:
        return {one["name"]: one for one in self.said.get("parameters", ())}

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.name})"


@pytest.fixture
def app(runtime: Runtime) -> Litestar:
    return web_application(runtime)


@pytest.fixture
def document(app: Litestar) -> dict[str, Any]:
    return app.openapi_schema.to_schema()


@pytest.fixture
def api(app: Litestar, document: dict[str, Any]) -> list[Route]:
    """Every route below the API's path but those that describe it."""
    paths = document["paths"]
    return [
        Route(method, path, handler, paths[path][method.lower()])
        for method, path, handler in routes(app)
        if path.startswith(f"{API}/") and path not in {f"{API}/openapi.json", f"{API}/{{path}}"}
    ]


def success(route: Route) -> dict[str, Any]:
    """The schema of its good answer, empty where it answers with nothing or no JSON."""
    (answer,) = [said for status, said in route.said["responses"].items() if status.startswith("2")]
    found: dict[str, Any] = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    found: dict[str, Any] = (
        document["components"]["schemas"][reference.rpartition("/")[2]] if reference else schema
    )
    return found


def parts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from parts(one)


def complaint(routes_: list[Route], words: str) -> str:
    return "\n".join([words, *map(str, routes_)])


def test_every_route_is_described(api: list[Route]) -> None:
    assert len(api) >= 40
    bad = [
        one
        for one in api
        if not re.fullmatch(r"[a-z]+(_[a-z]+)+", one.name)
        or not one.said["tags"]
        or not one.said.get("summary")
    ]
    assert not bad, complaint(bad, "Give each an operation_id such as list_things, and its controller tags.")


def test_every_list_comes_in_pages(api: list[Route], document: dict[str, Any]) -> None:
    unpaged = [
        one
        for one in api
        if one.name.startswith("list_")
        and not ({"limit", "cursor"} <= one.parameters.keys() and pages(document, success(one)))
    ]
    assert not unpaged, complaint(
        unpaged, "Take `paging: NamedDependency[Paging]`, and answer with a struct of items and next_cursor."
    )
    bare = {one.name for one in api if success(one).get("type") == "array" and one.method == "GET"}
    assert bare == set(LISTS_WITHOUT_PAGES), (
        "A bare list can never get a second page: name it list_ and page it."
    )


def pages(document: dict[str, Any], schema: dict[str, Any]) -> bool:
    found = resolved(document, schema)
    return {"items", "next_cursor"} <= found.get("properties", {}).keys()


def test_whatever_pages_is_called_a_list(api: list[Route]) -> None:
    assert not [one for one in api if "paging" in one.wanted and not one.name.startswith("list_")]


def test_every_post_takes_a_key(api: list[Route]) -> None:
    posts = [one for one in api if one.method == "POST"]
    assert posts
    bad = [one for one in posts if one.parameters.get("Idempotency-Key", {}).get("in") != "header"]
    assert not bad, complaint(bad, "The edge describes it for each POST of the API.")


def test_what_changes_one_thing_can_ask_that_it_is_unchanged(api: list[Route]) -> None:
    bad = [
        one for one in api if one.method in {"PATCH", "PUT", "DELETE"} and "If-Match" not in one.parameters
    ]
    unexcused = [one for one in bad if one.name not in UNGUARDED]
    assert not unexcused, complaint(
        unexcused, "Take `entity: NamedDependency[Entity]`, and change within `entity.unchanged(version)`."
    )
    assert not [one for one in api if one.name in UNGUARDED and one not in bad], "take it out of UNGUARDED"


def test_what_can_be_changed_says_its_version(api: list[Route]) -> None:
    guarded = {one.path for one in api if "If-Match" in one.parameters}
    readable = [one for one in api if one.method == "GET" and one.path in guarded]
    assert readable
    assert not [one for one in readable if "entity" not in one.wanted], (
        "Set `entity.version` where it is read."
    )


def test_everything_that_is_read_has_a_tag(api: list[Route]) -> None:
    assert not [one for one in api if one.method == "GET" and "If-None-Match" not in one.parameters]


def test_every_failure_is_a_problem(api: list[Route], document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = [
        (one, refusal(document, said)["content"])
        for one in api
        for status, said in one.said["responses"].items()
        if status >= "4"
    ]
    assert len(refusals) > 5 * len(api)
    assert not [one for one, content in refusals if content != problem]


def refusal(document: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A response that many operations share, or its own."""
    reference = said.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["responses"][reference] if reference else said
    return found


def test_each_status_is_said_by_name(api: list[Route]) -> None:
    assert not [one for one in api if "default" in one.said["responses"]], (
        "what is answered is declared: refuses(...)"
    )


def test_bodies_take_no_unknown_fields_and_answers_promise_none(
    api: list[Route], document: dict[str, Any]
) -> None:
    sent = {name for one in api for name in body_schemas(one)}
    assert sent
    for name in sent:
        closed = document["components"]["schemas"][name].get("additionalProperties") is False
        assert closed, f"{name}: forbid_unknown_fields=True"
    for one in api:
        reference = success(one).get("$ref", "").rpartition("/")[2]
        closed = resolved(document, success(one)).get("additionalProperties") is False
        assert not closed or reference in sent, f"{one}: clients must bear new fields"


def body_schemas(route: Route) -> set[str]:
    """The names of the schemas of its body."""
    content = route.said.get("requestBody", {}).get("content", {})
    schemas = [
        schema for media in content.values() for schema in media["schema"].get("oneOf", [media["schema"]])
    ]
    return {schema["$ref"].rpartition("/")[2] for schema in schemas if "$ref" in schema}


def test_schemas_have_names_without_modules(document: dict[str, Any]) -> None:
    assert not [
        name for name in document["components"]["schemas"] if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name)
    ]


def test_every_example_is_what_its_operation_takes_or_answers(api: list[Route]) -> None:
    sent = answered = 0
    for one in api:
        field = one.handler.parsed_data_field
        for media in one.said.get("requestBody", {}).get("content", {}).values():
            assert field is not None
            msgspec.convert(media["example"], field.annotation)
            sent += 1
        for said in one.said["responses"].values():
            media = said.get("content", {}).get("application/json", {})
            if "example" in media:
                msgspec.convert(media["example"], one.handler.parsed_return_field.annotation)
                answered += 1
    assert sent > 15
    assert answered > 40


def test_there_is_no_example_that_nobody_checks(api: list[Route], document: dict[str, Any]) -> None:
    checked = [media for one in api for media in media_of(one.said)]
    every = [part for part in parts(document["components"]) if "example" in part or "examples" in part]
    assert not every
    beside = [part for part in parts(document["paths"]) if "examples" in part]
    assert not beside
    assert all("example" in media for media in checked)


def media_of(said: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent and answered as JSON with a shape."""
    bodies = [said.get("requestBody", {}), *said["responses"].values()]
    found = [body.get("content", {}).get("application/json") for body in bodies]
    return [one for one in found if one and one.get("schema") and one["schema"].get("type") != "null"]


def test_the_document_is_the_frozen_one(document: dict[str, Any]) -> None:
    """What programs rely on changes only where somebody sees it change."""
    assert written(document) == FROZEN.read_text(encoding="utf-8"), f"look at it, then: {COMMAND}"
