"""Every route of the real application, found and not listed: who may pass is declared, and hostile input is refused."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from pudim.wire.enrolment import ENROL_PATH
from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.installing.service import INSTALL_PATH
from pudim_collector.features.tokens.service import Tokens
from pudim_collector.infra.auth import ForSenders, Public, Requires, access_of, is_automatic_options
from pudim_collector.infra.permissions import Rights
from pudim_collector.infra.rate_limits.metering import metered
from pudim_collector.infra.rate_limits.rules import Action
from tests.collector.app.site import PAGE, enrol
from tests.collector.conventions.described import as_described

STRANGER = str(UUID(int=7))
PUBLIC = {
    "GET /": "leads to the servers",
    "GET /errors": "what codes mean",
    "GET /errors/{code}": "what codes mean",
    "GET /healthz": "for operators' tools",
    "HEAD /healthz": "for operators' tools",
    "GET /readyz": "for operators' tools",
    "GET /metrics": "for operators' tools",
    "GET /.well-known/security.txt": "who found a weakness has no account",
    "GET /setup/{link}": "the link is the secret",
    "POST /setup/{link}": "the link is the secret",
    "GET /invitations/{secret}": "the link is the secret",
    "POST /invitations/{secret}/join": "the link is the secret",
    "GET /sign-in": "one is not signed in yet",
    "POST /sign-in": "one is not signed in yet",
    "GET /reset": "one is not signed in yet",
    "POST /reset": "one is not signed in yet",
    "GET /reset/{link}": "the link is the secret",
    "POST /reset/{link}": "the link is the secret",
    "GET /sign-in/factor": "half a session is shown",
    "POST /sign-in/factor": "half a session is shown",
    "POST /sign-in/passkey": "one is not signed in yet",
    "POST /sign-in/passkey/options": "one is not signed in yet",
    "POST /sign-in/factor/passkey": "half a session is shown",
    "POST /sign-in/factor/passkey/options": "half a session is shown",
    f"POST {ENROL_PATH}": "the token is the secret",
    f"GET {INSTALL_PATH}": "a new host has no account",
    "GET /agent/v1/bundle/release": "signed, not secret",
    "GET /agent/v1/bundle/successors": "signed, not secret",
    "GET /agent/v1/bundle/files/{digest}": "signed, not secret",
    "GET /api/v2": "describes the API",
    "GET /api/v2/openapi.json": "describes the API",
    "GET /api/v2/{path}": "describes the API: not found",
    "GET /static/{file_path}": "the sign-in page's own",
    "HEAD /static/{file_path}": "the sign-in page's own",
}

NO_WAY_IN = {f"POST {ENROL_PATH}": "a fleet enrols at once from one address, with tokens that nobody guesses"}


def routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        assert isinstance(route, HTTPRoute), route
        for handler in route.route_handlers:
            if not is_automatic_options(handler):
                for method in handler.http_methods:
                    yield method, route.path_format, handler


def filled(path: str, value: str = STRANGER) -> str:
    numbered = re.sub(r"\{sequence(:int)?\}", "1" if value == STRANGER else value, path)
    return re.sub(r"\{[^}]*\}", value, numbered)


def client(app: Litestar, token: str = "", **headers: str) -> httpx.AsyncClient:
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    hooks = {"response": [as_described]}
    return httpx.AsyncClient(
        transport=transport, base_url="http://pudim.test", headers=bearer | headers, event_hooks=hooks
    )


@pytest.fixture
async def app(runtime: Runtime) -> Litestar:
    await runtime.store.prepare(runtime.clock.now())
    return web_application(runtime)


@pytest.fixture
async def token(runtime: Runtime) -> str:
    return await runtime.tokens.local_access_token()


def test_what_is_public_is_written_down_here(app: Litestar) -> None:
    found = {
        f"{method} {path}" for method, path, handler in routes(app) if isinstance(access_of(handler), Public)
    }
    assert found == set(PUBLIC)


def test_each_public_change_is_limited_as_an_attempt_to_get_in(app: Litestar) -> None:
    otherwise = {
        f"{method} {path}"
        for method, path, handler in routes(app)
        if isinstance(access_of(handler), Public)
        and method not in {"GET", "HEAD"}
        and metered(handler, method).action is not Action.SIGN_IN
    }
    assert otherwise == set(NO_WAY_IN), "give its opt `| limited(Action.SIGN_IN)`, or say above why not"


def test_every_other_route_names_its_permission(app: Litestar) -> None:
    demands = {
        f"{method} {path}": access.permission
        for method, path, handler in routes(app)
        if isinstance(access := access_of(handler), Requires)
    }
    assert len(demands) >= 15
    assert demands["DELETE /api/v2/servers/{server_id}"] == "servers:revoke"
    assert demands["POST /api/v2/enrolment-tokens"] == demands["POST /servers/add"] == "servers:enrol"


async def test_where_senders_push_their_tokens_alone_count(app: Litestar, token: str) -> None:
    found = {
        f"{method} {path}"
        for method, path, handler in routes(app)
        if isinstance(access_of(handler), ForSenders)
    }
    assert found == {"POST /v1/metrics", "POST /api/v1/write"}
    for path in ("/v1/metrics", "/api/v1/write"):
        for shown in ("", "x", token, "pud_snd_" + "A" * 43):
            async with client(app, shown) as program:
                answer = await program.post(path)
            assert answer.status_code == 401, (path, shown)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert ("bad_sender_token" if shown else "no_sender_token") in answer.text


async def test_nobody_passes_without_showing_who_he_is(app: Litestar, token: str) -> None:
    broken = token[:-1] + ("A" if token[-1] != "A" else "B")
    for method, path, handler in routes(app):
        if not isinstance(access_of(handler), Requires):
            continue
        for shown, expected in (
            ("", "not_signed_in"),
            ("x", "bad_token"),
            (broken, "bad_token"),
            ("pud_pat_" + "A" * 49, "bad_token"),
        ):
            async with client(app, shown) as program:
                answer = await program.request(method, filled(path))
            assert (answer.status_code, answer.json()["code"]) == (401, expected), (method, path, shown)
            assert answer.headers["www-authenticate"] == "Bearer"
        if path.startswith("/api/"):
            continue
        async with client(app, **PAGE) as browser:
            answer = await browser.request(method, filled(path))
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")


async def test_a_role_without_the_permission_does_not_pass(runtime: Runtime, token: str) -> None:
    powerless = replace(
        runtime, tokens=Tokens(runtime.clock, Rights({}), runtime.accounts, runtime.address_lists)
    )
    app = web_application(powerless)
    async with client(app, token) as program:
        for method, path, handler in routes(app):
            access = access_of(handler)
            if isinstance(access, Requires):
                answer = await program.request(method, filled(path))
                # Of a server of which one may know nothing, not even that it exists.
                expected = (404, "no_such_server") if access.on else (403, "permission_missing")
                assert (answer.status_code, answer.json()["code"]) == expected, path
                assert access.on or access.permission in answer.json()["detail"]


async def test_every_route_answers_a_strangers_values_without_failing(app: Litestar, token: str) -> None:
    values = (STRANGER, "x", "%00", "..", "%2e%2e%2fetc%2fpasswd", "9" * 300, "%F0%9F%92%A5", "%ff", "'--")
    async with client(app, token) as program:
        for method, path, _ in routes(app):
            if path.startswith("/live/servers") and "{" not in path:
                continue  # never ends
            for value in values if "{" in path else ("",):
                for content in (b"", b"\xff\xfe", b"[" * 5000, b'{"a":1}') if method == "POST" else (b"",):
                    answer = await program.request(
                        method,
                        filled(path, value),
                        content=content,
                        headers={"content-type": "application/json"},
                    )
                    assert answer.status_code < 500, (method, path, value, content, answer.text)


async def test_forms_that_are_none_do_not_fail(app: Litestar, token: str) -> None:
    bodies = (
        b"",
        b"\xff",
        b"%ff=%fe",
        b"name=%00&email=a%00%40x&password=%00&next=%00&days=%00",
        b"&" * 3000,
        b"name=a&name=b",
        b"name[]=1",
        b"--x\r\n\r\n",
    )
    kinds = (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "x",
    )
    async with client(app, token) as program:
        for method, path, _ in routes(app):
            for kind in kinds if method == "POST" else ():
                for content in bodies:
                    answer = await program.post(filled(path), content=content, headers={"content-type": kind})
                    assert answer.status_code < 500, (path, kind, content, answer.text)


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text("0123456789-+.:TZsmhdw ", max_size=30),
    st.sampled_from(["", "now", "-1h", "nan", "1e999", "\x00", "9" * 400, "-0", "💥", STRANGER]),
)


@pytest.fixture
async def asked(app: Litestar, runtime: Runtime, token: str) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """The owner's program, and the id of a server."""
    invited = await runtime.servers.create_token("web-1")
    async with client(app, token) as program:
        enrolled, _ = await enrol(program, invited.token)
        yield program, enrolled.json()["agent_id"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "metric": HOSTILE | st.just("system.cpu.utilization"),
            "server": HOSTILE,
            "from": HOSTILE,
            "to": HOSTILE,
            "points": HOSTILE | st.integers().map(str),
        },
    ),
    st.booleans(),
)
async def test_any_query_is_read_or_refused(
    asked: tuple[httpx.AsyncClient, str], query: dict[str, str], known: bool
) -> None:
    program, server = asked
    answer = await program.get("/api/v2/series", params=query | ({"server": server} if known else {}))
    assert answer.status_code in {200, 400, 404, 422}, (query, answer.text)
