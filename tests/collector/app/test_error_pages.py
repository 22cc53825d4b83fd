"""Every code that an answer carries has a page, and no page tells of what we are made of."""

import re

import httpx
import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.error_catalogue import catalogue
from tests.collector.app.site import PAGE

TELLTALES = re.compile(
    r"litestar|piccolo|psycopg|msgspec|uvicorn|traceback|select .* from|\.py\b", re.IGNORECASE
)


@pytest.fixture
async def app(runtime: Runtime) -> Litestar:
    await runtime.store.prepare(runtime.clock.now())
    return web_application(runtime)


def client(app: Litestar, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://pudim.test", headers=headers)


async def test_where_a_problems_type_leads_there_is_a_page(app: Litestar) -> None:
    async with client(app) as program, client(app, **PAGE) as browser:
        for method, path, status in (
            ("GET", "/api/v2/me", 401),
            ("GET", "/api/v2/nothing", 404),
            ("PATCH", "/api/v2/addresses", 405),
            ("POST", "/agent/v1/enrol", 400),
            ("GET", "/errors/nothing", 404),
        ):
            told = await program.request(method, path)
            assert told.status_code == status, (path, told.text)
            assert told.headers["content-type"].startswith("application/problem+json")
            page = await browser.get(told.json()["type"])
            assert page.status_code == 200, told.json()
            assert told.json()["code"] in page.text


async def test_each_code_has_its_page_and_tells_nothing_of_our_parts(app: Litestar) -> None:
    found = catalogue()
    assert {"rate_limited", "bad_token", "head_too_large", "address_not_allowed", "internal"} <= set(found)
    async with client(app, **PAGE) as browser:
        listed = await browser.get("/errors")
        for code, known in found.items():
            assert re.fullmatch(r"[a-z0-9_]+", code)
            assert known.sentence.endswith("."), code
            assert not TELLTALES.search(f"{known.sentence} {known.hint}"), code
            assert f'href="/errors/{code}"' in listed.text
        assert (await browser.get("/errors/rate_limited")).status_code == 200


async def test_a_faulty_body_is_told_by_pointers(app: Litestar, runtime: Runtime) -> None:
    token = await runtime.tokens.local_access_token()
    async with client(app, authorization=f"Bearer {token}") as program:
        for body, pointer in (
            ({"networks": [1]}, "/networks/0"),
            ({"networks": "x"}, "/networks"),
            ({}, ""),
            ({"networks": [], "confirm": "maybe"}, "/confirm"),
        ):
            told = await program.put("/api/v2/addresses", json=body)
            problem = told.json()
            assert (told.status_code, problem["code"]) == (400, "invalid_request"), problem
            assert not TELLTALES.search(told.text)
            assert [one["pointer"] for one in problem["errors"]] == [pointer], problem
