"""A body is as large as its route reads, of strangers less, and JSON only where it says so."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, Request, post
from litestar.datastructures import State
from litestar.enums import RequestEncodingType
from litestar.params import Body, JSONBody
from msgspec import Struct

from pudim_collector.infra.auth import Principal, PrincipalKind, public, requires
from pudim_collector.infra.gate import Gate
from pudim_collector.infra.pages import Pages
from pudim_collector.infra.problems import answer
from pudim_collector.infra.request_limits import FORM_BODY, PUBLIC_BODY, Shape

MOST = 1 << 20


class Note(Struct):
    text: str


class Owner:
    """One token that may do everything."""

    async def by_session(self, secret: str) -> Principal | None:
        return None

    async def by_token(self, secret: str) -> Principal | None:
        return Principal(PrincipalKind.TOKEN, UUID(int=2), UUID(int=1), "x", None, "owner", {"thing:do"})


@post("/api/note", opt=requires("thing:do"))
async def note(data: JSONBody[Note]) -> int:
    return len(data.text)


@post("/form", opt=requires("thing:do"))
async def form(data: Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]) -> int:
    return len(data.get("text", ""))


@post("/open", opt=public("for everybody"))
async def everybody(request: Request[object, object, State]) -> int:
    return len(await request.body())


@pytest.fixture
async def program() -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [note, form, everybody],
        middleware=[Shape(), Gate(Owner())],
        exception_handlers={Exception: answer},
        state=State({"pages": Pages(assets=lambda name: f"/static/{name}")}),
        request_max_body_size=MOST,
        openapi_config=None,
        logging_config=None,
    )
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=transport, base_url="http://pudim.test", headers={"authorization": "Bearer x"}
    ) as found:
        yield found


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/jsonx",
        "x/+json",
    ],
)
async def test_what_does_not_say_that_it_is_json_is_not_read_as_json(
    program: httpx.AsyncClient, kind: str
) -> None:
    told = await program.post("/api/note", content=b'{"text":"x"}', headers={"content-type": kind})
    assert (told.status_code, told.json()["code"]) == (415, "not_json")


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_any_of_its_names(program: httpx.AsyncClient, kind: str) -> None:
    told = await program.post("/api/note", content=b'{"text":"x"}', headers={"content-type": kind})
    assert (told.status_code, told.json()) == (201, 1)


async def chunks(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * 1024


@pytest.mark.parametrize(
    ("path", "kind", "most"),
    [
        ("/open", "text/plain", PUBLIC_BODY),
        ("/form", "application/x-www-form-urlencoded", FORM_BODY),
        ("/api/note", "application/json", MOST),
    ],
)
async def test_a_body_may_be_so_large_and_no_larger(
    program: httpx.AsyncClient, path: str, kind: str, most: int
) -> None:
    headers = {"content-type": kind}
    filled = {"/open": b"x" * most, "/form": b"text=".ljust(most, b"x"), "/api/note": b'{"text":"'}[path]
    if path == "/api/note":
        filled = filled.ljust(most - 2, b"x") + b'"}'
    assert (await program.post(path, content=filled, headers=headers)).status_code == 201
    told = await program.post(path, content=filled + b" ", headers=headers)
    assert (told.status_code, told.json()["code"]) == (413, "body_too_large")
    streamed = await program.post(path, content=chunks(most // 1024 + 1), headers=headers)
    assert (streamed.status_code, streamed.json()["code"]) == (413, "body_too_large")
