"""Nobody passes who does not show it himself: forged forms, foreign pages, missing permissions, undeclared routes."""

import re
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, WebSocket, asgi, get, websocket
from litestar.params import FromPath
from litestar.types import Receive, Scope, Send

from pudim_collector.infra.auth import UndeclaredAccessError, check_declared, public, requires
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.gate import EdgeSettings
from pudim_collector.infra.permissions import Permission
from tests.collector.accounts.conftest import EMAIL, FEATURES, House, csrf

TOKENS = "/account/tokens"


async def post(browser: httpx.AsyncClient, token: str | None, **headers: str) -> int:
    data = {"name": "x", "may": "all"} | ({} if token is None else {"csrf_token": token})
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await browser.post(TOKENS, data=data, headers=given)).status_code


async def test_an_unsafe_request_needs_the_sessions_own_token(house: House) -> None:
    async with house.browser() as owner, house.browser() as other:
        await house.owner(owner)
        await house.sign_in(other)
        mine, foreign = await csrf(owner), await csrf(other)
        assert mine != foreign
        assert [await post(owner, token) for token in (None, "", "x", foreign, mine)] == [
            403,
            403,
            403,
            403,
            200,
        ]
        assert await post(owner, None, x_csrf_token=mine) == 200
        assert await post(owner, mine, x_csrf_token=foreign) == 403


async def test_a_json_request_by_cookie_needs_it_too(house: House) -> None:
    async with house.browser() as owner:
        await house.owner(owner)
        body = {"name": "x"}
        assert (await owner.post("/api/v2/tokens", json=body)).json()["code"] == "csrf_token"
        answer = await owner.post("/api/v2/tokens", json=body, headers={"x-csrf-token": await csrf(owner)})
        assert answer.status_code == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "https://app.pudim.test"}, 403),
        ({"sec_fetch_site": "", "origin": "https://evil.example"}, 403),
        ({"sec_fetch_site": "", "origin": "null"}, 403),
        ({"sec_fetch_site": "", "origin": "https://pudim.test"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
    ],
)
async def test_a_page_of_another_site_can_post_nothing(
    house: House, headers: dict[str, str], status: int
) -> None:
    async with house.browser() as owner:
        await house.owner(owner)
        token = await csrf(owner)
        if not headers["sec_fetch_site"]:
            del owner.headers["sec-fetch-site"]
            headers = {name: value for name, value in headers.items() if value}
        assert await post(owner, token, **headers) == status


async def test_a_page_of_another_site_cannot_sign_anybody_in(house: House) -> None:
    async with house.browser() as owner:
        await house.owner(owner)
        owner.headers["sec-fetch-site"] = "cross-site"
        answer = await house.sign_in(owner)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_link_from_elsewhere_leads_here_but_a_foreign_page_reads_nothing(house: House) -> None:
    async with house.browser() as owner:
        await house.owner(owner)
        owner.headers["sec-fetch-site"] = "cross-site"
        assert (await owner.get(TOKENS, headers={"sec-fetch-mode": "navigate"})).status_code == 200
        assert (await owner.get(TOKENS, headers={"sec-fetch-mode": "cors"})).status_code == 403
        assert (await owner.get(TOKENS, headers={"origin": "https://app.pudim.test"})).status_code == 403


async def test_a_missing_permission_is_named(house: House) -> None:
    @get("/api/v2/secret", opt=requires("vault:open"))
    async def secret() -> str:
        return "gold"

    app = build_app(
        FEATURES,
        house.authentication,
        route_handlers=[],
        dependencies=house.services,
    )
    app.register(secret)
    house.app = app
    async with house.program(await house.tokens.local_access_token()) as script:
        answer = await script.get("/api/v2/secret")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")
    assert "vault:open" in answer.json()["detail"]


async def test_a_route_that_slipped_in_undeclared_is_closed(house: House) -> None:
    @get("/api/v2/slipped")
    async def slipped() -> str:
        return "gold"

    house.app.register(slipped)
    async with house.program(await house.tokens.local_access_token()) as script:
        assert (await script.get("/api/v2/slipped")).status_code == 403


@get("/undeclared")
async def undeclared() -> None: ...


@get("/unknown", opt=requires("nobody:declares"))
async def unknown() -> None: ...


@get("/unreasoned", opt=public(" "))
async def unreasoned() -> None: ...


@get("/servers/{server_id:uuid}/unnamed", opt=requires("servers:read"))
async def unnamed(server_id: FromPath[UUID]) -> None: ...


@get("/misnamed", opt=requires("servers:read", on="server_id"))
async def misnamed() -> None: ...


@get("/unscoped", opt=requires("servers:read", each=True))
async def unscoped() -> None: ...


@websocket("/socket")
async def socket(socket: WebSocket) -> None: ...


@asgi("/mount", is_mount=True, copy_scope=True)
async def mount(scope: Scope, receive: Receive, send: Send) -> None: ...


@pytest.mark.parametrize(
    "handler", [undeclared, unknown, unreasoned, unnamed, misnamed, unscoped, socket, mount]
)
def test_the_app_does_not_start_with_an_undeclared_route(handler: object) -> None:
    app = Litestar([handler], openapi_config=None)  # type: ignore[list-item]
    with pytest.raises(UndeclaredAccessError, match="/"):
        check_declared(app, {"servers:read": Permission("See servers", on_server=True)})


async def test_every_route_refuses_who_is_not_signed_in(house: House) -> None:
    """Or says why it does not."""
    open_to_all = set()
    async with house.program() as nobody:
        for route in house.app.routes:
            path = re.sub(r"{(token|session)_id}", "0199f0a0-0000-7000-8000-000000000000", route.path_format)
            for method in getattr(route, "methods", ["GET"]):
                answer = await nobody.request(method, path)
                if answer.status_code != 401 and method != "OPTIONS":
                    open_to_all.add(route.path_format)
    assert open_to_all == {
        "/setup/{link}",
        "/errors",
        "/errors/{code}",
        "/sign-in",
        "/static/{file_path}",
        "/api/v2",
        "/api/v2/{path}",
        "/api/v2/openapi.json",
    }


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 4401),
        ({"cookie": "good", "origin": "https://app.pudim.test"}, 4403),
        ({"cookie": "good"}, None),
        ({"cookie": "good", "origin": "https://pudim.test"}, None),
        ({"authorization": "Bearer bad"}, 4401),
    ],
)
async def test_a_socket_is_for_our_own_pages(house: House, headers: dict[str, str], code: int | None) -> None:
    @websocket("/live", opt=requires("account:read"))
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(1000)

    house.app.register(live)
    async with house.browser() as browser:
        await house.owner(browser)
        cookie = f"__Host-pudim={browser.cookies['__Host-pudim']}"
    given = {name: cookie if value == "good" else value for name, value in headers.items()}
    sent = await connect_socket(house.app, {"host": "pudim.test", **given})
    assert sent[0] == ({"type": "websocket.close", "code": code} if code else {"type": "websocket.accept"})


async def connect_socket(app: Litestar, headers: dict[str, str]) -> list[dict[str, object]]:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append({name: message[name] for name in ("type", "code") if name in message})

    scope = {
        "type": "websocket",
        "scheme": "wss",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.7", 1),
        "server": ("pudim.test", 443),
        "subprotocols": [],
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent


async def test_only_the_names_of_this_site_are_answered(house: House) -> None:
    settings = EdgeSettings(hosts=frozenset({"pudim.test"}))
    house.app = build_app(
        FEATURES,
        house.authentication,
        settings=settings,
        dependencies=house.services,
    )
    async with house.program(await house.tokens.local_access_token()) as script:
        assert (await script.get("/api/v2/me")).status_code == 200
        assert (await script.get("/api/v2/me", headers={"host": "evil.example"})).status_code == 400


@pytest.mark.parametrize("host", ["[::1", "[", "a]"])
async def test_a_host_that_is_none_is_named(house: House, host: str) -> None:
    async with house.program(await house.tokens.local_access_token()) as script:
        answer = await script.get("/api/v2/me", headers={"host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize("origin", ["http://[", "https://]", "[", ""])
async def test_an_origin_that_is_none_is_a_foreign_one(house: House, origin: str) -> None:
    async with house.program() as browser:
        answer = await browser.post("/sign-in", data={"email": EMAIL}, headers={"origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


async def test_pages_run_no_foreign_script(house: House) -> None:
    async with house.browser() as browser:
        await house.owner(browser)
        one, two = await browser.get(TOKENS), await browser.get(TOKENS)
    policy = one.headers["content-security-policy"]
    assert policy != two.headers["content-security-policy"], "a nonce is used once"
    assert "unsafe" not in policy
    assert one.headers["cache-control"] == "no-store"
    assert one.headers["x-content-type-options"] == "nosniff"
    assert one.headers["strict-transport-security"]
    assert " style=" not in one.text
    assert "onclick=" not in one.text


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_an_unknown_path_of_the_api_is_a_problem(house: House, accept: str) -> None:
    async with house.program() as program:
        answer = await program.get("/api/v2/nothing", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


async def test_api_answers_carry_the_headers_and_are_not_kept(house: House) -> None:
    async with house.program() as program:
        answer = await program.get("/api/v2/me")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_api_describes_itself(house: House) -> None:
    async with house.program() as program:
        described = (await program.get("/api/v2/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert {"ApiToken", "Me"} <= described["components"]["schemas"].keys()
    assert not [name for name in described["components"]["schemas"] if "_" in name]
