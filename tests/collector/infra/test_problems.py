"""Failures are told in one form, and tell nothing they should not."""

import logging

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, get
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import NotSignedInError, safe_local_path
from pudim_collector.infra.pages import Pages
from pudim_collector.infra.problems import answer


class TeapotError(PudimError):
    """This is a teapot."""

    code = "teapot"
    status = 418
    hint = "Ask for tea."


class StoreError(PudimError):
    """The store is away."""

    code = "store"
    status = 503


FAILURES: dict[str, Exception] = {
    "named": TeapotError("It pours <b>tea</b> only."),
    "store": StoreError("password=hunter2 at 10.0.0.1"),
    "unnamed": RuntimeError("password=hunter2"),
    "anonymous": NotSignedInError(),
}


@get(["/api/fail/{how:str}", "/fail/{how:str}"])
async def fail(how: FromPath[str]) -> str:
    raise FAILURES[how]


@get("/api/number/{number:int}")
async def number(number: FromPath[int], limit: FromQuery[int]) -> int:
    return number * limit


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Litestar(
        [fail, number],
        exception_handlers={Exception: answer},
        state=State({"pages": Pages(assets=lambda name: f"/static/{name}")}),
        openapi_config=None,
        logging_config=None,
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pudim.test")


async def test_a_named_failure_is_told_as_it_is(client: httpx.AsyncClient) -> None:
    told = await client.get("/api/fail/named")
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json() == {
        "type": "/errors/teapot",
        "title": "I'm a Teapot",
        "status": 418,
        "detail": "It pours <b>tea</b> only.",
        "code": "teapot",
        "hint": "Ask for tea.",
    }


@pytest.mark.parametrize(("how", "status"), [("store", 503), ("unnamed", 500)])
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_internals_stay_in_the_log(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, how: str, status: int, accept: str
) -> None:
    prefix = "" if accept == "text/html" else "/api"
    with caplog.at_level(logging.ERROR):
        told = await client.get(f"{prefix}/fail/{how}", headers={"accept": accept})
    assert told.status_code == status
    assert "hunter2" not in told.text
    request_id = caplog.messages[0].split()[1].rstrip(":")
    assert request_id in told.text
    assert "hunter2" in caplog.text
    assert f"/fail/{how}" not in caplog.text, "a path may hold a secret"


async def test_people_get_a_page_with_escaped_text(client: httpx.AsyncClient) -> None:
    told = await client.get("/fail/named", headers={"accept": "text/html,*/*"})
    assert told.status_code == 418
    assert told.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;tea" in told.text
    assert "nonce-" in told.headers["content-security-policy"]


async def test_values_that_cannot_be_used_are_pointed_at(client: httpx.AsyncClient) -> None:
    told = (await client.get("/api/number/1?limit=many")).json()
    assert (told["status"], told["code"]) == (400, "invalid_request")
    assert told["errors"][0]["pointer"] == "/limit"
    told = (await client.get("/api/number/1")).json()
    assert (told["status"], told["code"]) == (400, "invalid_request")
    assert "'limit'" in told["detail"]


async def test_a_page_says_what_is_allowed_too(client: httpx.AsyncClient) -> None:
    told = await client.post("/fail/named", headers={"accept": "text/html"})
    assert told.status_code == 405
    assert "GET" in told.headers["allow"]


@pytest.mark.parametrize(("path", "status"), [("/api/nothing", 404), ("/api/number/x", 404)])
async def test_what_is_not_there_is_a_problem_too(client: httpx.AsyncClient, path: str, status: int) -> None:
    told = await client.get(path)
    assert (told.status_code, told.json()["code"]) == (status, "not_found")
    assert (await client.post("/api/number/1")).json()["code"] == "method_not_allowed"


async def test_htmx_is_sent_to_sign_in_as_a_whole_page(client: httpx.AsyncClient) -> None:
    told = await client.get("/fail/anonymous", headers={"hx-request": "true"})
    assert (told.status_code, told.headers["hx-redirect"]) == (401, "/sign-in")


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil",
        "/\\evil",
        "https://evil",
        "\\\\evil",
        "javascript:alert(1)",
        "/a\nb",
        "/ b",
        "evil",
        "/\t/evil",
        "",
        None,
    ],
)
def test_only_paths_of_this_site_are_followed(wanted: str | None) -> None:
    assert safe_local_path(wanted) == "/"


@given(st.text())
def test_no_text_leads_elsewhere(text: str) -> None:
    path = safe_local_path(text)
    assert path == "/" or (
        path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable() is not None
    )
