"""What every answer of every route carries, found and not listed; and what no route takes."""

import re

import httpx
import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.auth import Public, access_of
from pudim_collector.infra.headers import SUBDOMAINS
from tests.collector.app.site import PAGE
from tests.collector.app.test_walk import filled, routes

WANTED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
NONCE = re.compile(r"'nonce-([A-Za-z0-9_-]{22})'")


@pytest.fixture
async def app(runtime: Runtime) -> Litestar:
    await runtime.store.prepare(runtime.clock.now())
    return web_application(runtime)


def client(app: Litestar, scheme: str = "https", **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://pudim.test", headers=headers)


def check(answer: httpx.Response, where: str) -> None:
    for name, value in WANTED.items():
        assert answer.headers[name] == value, (where, name)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy, where
    assert "frame-ancestors 'none'" in policy, where
    assert "base-uri 'none'" in policy, where
    assert "unsafe" not in policy, where
    assert "camera=()" in answer.headers["permissions-policy"], where
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000"), where
    assert "server" not in answer.headers, where
    if "max-age" not in answer.headers["cache-control"]:
        assert re.search(r"no-store|no-cache", answer.headers["cache-control"]), where


async def test_every_answer_of_every_route_carries_them(app: Litestar, runtime: Runtime) -> None:
    token = await runtime.tokens.local_access_token()
    seen = 0
    for shown in ({}, {"authorization": f"Bearer {token}"}, PAGE):
        async with client(app, **shown) as program:
            for method, path, _ in routes(app):
                if "authorization" in shown and path.startswith("/live/servers") and "{" not in path:
                    continue  # never ends
                check(await program.request(method, filled(path)), f"{method} {path} {list(shown)}")
                seen += 1
    assert seen > 100
    async with client(app) as program:
        check(await program.get("/nothing/here"), "404")
        check(await program.get("/api/v2/nothing"), "404")


async def test_what_needs_somebody_signed_in_is_kept_by_no_cache(app: Litestar, runtime: Runtime) -> None:
    token = await runtime.tokens.local_access_token()
    async with client(app, authorization=f"Bearer {token}") as program:
        for method, path, handler in routes(app):
            if isinstance(access_of(handler), Public) or (path.startswith("/live/") and "{" not in path):
                continue
            cached = (await program.request(method, filled(path))).headers["cache-control"]
            assert re.search(r"no-store|private|no-cache", cached), (method, path, cached)
            assert "public" not in cached, (method, path, cached)


async def test_a_nonce_is_used_once(app: Litestar) -> None:
    async with client(app, **PAGE) as browser:
        pages = [await browser.get("/sign-in") for _ in range(3)]
    nonces = [found[1] for page in pages if (found := NONCE.search(page.headers["content-security-policy"]))]
    assert len(set(nonces)) == 3


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "TRACK", "DEBUG", "PROPFIND"])
async def test_no_route_takes_strange_methods(app: Litestar, runtime: Runtime, method: str) -> None:
    token = await runtime.tokens.local_access_token()
    async with client(app, authorization=f"Bearer {token}", cookie="pudim=secret") as program:
        for path in sorted({path for _, path, _ in routes(app)}):
            told = await program.request(method, filled(path))
            assert told.status_code in {404, 405}, (method, path)
            assert "secret" not in told.text


async def test_https_is_promised_only_over_https_and_for_subdomains_only_if_asked(app: Litestar) -> None:
    async with client(app, "http") as plain, client(app) as secure:
        assert "strict-transport-security" not in (await plain.get("/sign-in")).headers
        name = "strict-transport-security"
        assert (await secure.get("/sign-in")).headers[name] == "max-age=31536000"
        app.state[SUBDOMAINS] = True
        assert (await secure.get("/sign-in")).headers[name] == "max-age=31536000; includeSubDomains"
