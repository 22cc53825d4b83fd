"""What every kind of answer says of itself, and what none of them gives away; asked over a real connection."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import aclosing

import httpx

import pudim_web
from tests.collector.app.site import PAGE, Site

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
EXPORTS = ("/api/v2/audit/export/csv", "/api/v2/audit/export/jsonl")
EVIL = "https://evil.example"


async def raw(site: Site, target: str, *headers: str, method: str = "GET") -> tuple[int, str, str]:
    """Status, head and body of a request whose target nobody made prettier on the way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = "".join(f"{line}\r\n" for line in ("Host: pudim.test", "Connection: close", *headers))
    writer.write(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
    try:
        async with asyncio.timeout(20):
            answer = (await reader.read()).decode()
    finally:
        writer.close()
        await writer.wait_closed()
    begin, _, body = answer.partition("\r\n\r\n")
    return int(begin.split()[1]), begin.lower(), body


def asset(ending: str) -> str:
    return next(
        f"/static/{path.name}" for path in sorted(pudim_web.STATIC.iterdir()) if path.suffix == ending
    )


async def test_every_kind_of_answer_says_what_it_is(site: Site) -> None:
    kinds = {
        "/sign-in": "text/html; charset=utf-8",
        "/nothing": "text/html; charset=utf-8",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
        asset(".css"): "text/css; charset=utf-8",
        asset(".js"): "text/javascript; charset=utf-8",
        EXPORTS[0]: "text/csv; header=present; charset=utf-8",
        EXPORTS[1]: "application/x-ndjson",
        "/healthz": "application/json",
        "/api/v2/servers": "application/json",
        "/api/v2/openapi.json": "application/vnd.oai.openapi+json",
        "/api/v2/nothing": "application/problem+json",
    }
    async with site.client() as program:
        for path, kind in kinds.items():
            answer = await program.get(path, headers=PAGE if kind.startswith("text/html") else {})
            assert answer.headers["content-type"] == kind, path
            if "json" in kind and "nd" not in kind:
                json.loads(answer.text)
            if kind.startswith("text/html"):
                assert answer.text.lower().startswith("<!doctype html>"), path
    async with site.client() as program, program.stream("GET", "/live/servers") as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_every_kind_of_answer_carries_the_headers(site: Site) -> None:
    """Those too that are given before anything of ours is reached, or instead of it."""
    asked = [
        ("GET", "/healthz", ()),
        ("HEAD", "/healthz", ()),
        ("OPTIONS", "/api/v2/servers", ()),
        ("GET", "/api/v2/servers", ()),
        ("GET", "/api/v2/servers", ("Authorization: Bearer x",)),
        ("GET", "/nothing", ("Accept: text/html",)),
        ("GET", "/" + "x" * 30_000, ()),
        ("GET", "/healthz", tuple(f"X-{number}: {'y' * 400}" for number in range(90))),
        ("POST", "/sign-in", ("Content-Length: 99999999", "Content-Type: application/x-www-form-urlencoded")),
        ("POST", "/api/v2/tokens", ("Content-Length: 2", "Content-Length: 3")),
        ("POST", "/api/v2/tokens", ("Content-Length: 2", "Transfer-Encoding: chunked")),
        ("DELETE", "/healthz", ()),
        ("TRACE", "/healthz", ()),
        ("GET", "/healthz", ("Host: [",)),
        ("GET", "/agent/v1/stream", ()),
    ]
    for method, target, headers in asked:
        status, head, body = await raw(site, target, *headers, method=method)
        for name, value in HEADERS.items():
            assert f"{name}: {value.lower()}" in head, (method, target[:40], status, name)
        assert "content-security-policy: default-src 'none'" in head, (method, target[:40], status)
        assert "\r\nserver:" not in head
        assert "Traceback" not in body
        assert ".py" not in body


async def test_what_streams_or_is_kept_carries_them_too(site: Site) -> None:
    async with site.client() as program:
        async with program.stream("GET", "/live/servers") as stream:
            found = [stream.headers]
        found += [(await program.get(path)).headers for path in (*EXPORTS, asset(".css"))]
    for headers in found:
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert found[0]["cache-control"] == "no-cache"
    assert found[1]["cache-control"] == found[2]["cache-control"] == "no-store"
    assert "immutable" in found[3]["cache-control"]


async def test_no_other_origin_may_read_an_answer(site: Site) -> None:
    preflight = {"origin": EVIL, "access-control-request-method": "DELETE"}
    async with site.client() as program:
        for path in (
            "/",
            "/sign-in",
            "/api/v2",
            "/api/v2/servers",
            "/api/v2/token",
            "/metrics",
            asset(".js"),
            "/no",
        ):
            for method, headers in (
                ("OPTIONS", preflight),
                ("GET", {"origin": EVIL}),
                ("GET", {"origin": "null"}),
            ):
                answer = await program.request(method, path, headers=headers)
                assert not [name for name in answer.headers if name.startswith("access-control-")], path


OUTSIDE = (
    *("/static", "/static/", "/static//", "/static/.", "/static/..", "/.git/config", "/static/.git/config"),
    *(
        "/static/../../../pyproject.toml",
        "/static/%2e%2e/%2e%2e/templates/error.html",
        "/static/..%2ftemplates%2ferror.html",
    ),
    *(
        "/static/..%5c..%5cetc",
        "/static/%252e%252e/pyproject.toml",
        "/static//etc/passwd",
        "/static/....//etc/passwd",
    ),
    *("/static/%00", "/static/app.css%00.js", "/errors/..%2f..%2fetc%2fpasswd", "/api/v2/../../etc/passwd"),
    *(
        "/agent/v1/bundle/files/..%2f..%2fsecrets.keys",
        "/agent/v1/bundle/files/%2fetc%2fpasswd",
        "/etc/passwd",
    ),
    *(
        "/static/package.json",
        "/static/../package-lock.json",
        "/%2e%2e/collector.key",
        "/server-status",
        "/debug",
    ),
)


async def test_no_path_leads_out_of_what_is_served(site: Site) -> None:
    for target in OUTSIDE:
        status, _, body = await raw(site, target)
        assert status in {400, 404}, (target, body)
        assert not re.search(r"root:|\[project\]|\[core\]|Index of|{%", body), target


async def test_no_header_or_field_makes_another_method(site: Site) -> None:
    agent = await site.enrol("web-1")
    here = f"/api/v2/servers/{agent.agent_id}"
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        async with site.client(**{name: "DELETE"}) as program:
            assert (await program.get(here)).status_code == 200
            assert (await program.post(here, json={})).status_code == 405
    async with site.client() as program:
        assert (await program.get(here, params={"_method": "DELETE"})).status_code == 200
        assert (await program.post(here, data={"_method": "DELETE"})).status_code == 405
        assert (await program.get(here)).json()["name"] == "web-1"


async def test_nobody_is_led_to_https_in_silence(site: Site) -> None:
    for path in ("/api/v2", "/healthz", "/sign-in"):
        status, head, _ = await raw(site, path)
        assert (status, "location:" in head) == (200, False), path


async def test_no_address_is_made_of_the_host_header(site: Site) -> None:
    """Nor of headers of a proxy that nobody trusts."""
    lies = (
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "Forwarded: host=evil.example;proto=https",
    )
    for target in ("/", "/servers", "/sign-in", "/api/v2", "/api/v2/openapi.json", "/reset"):
        _, head, body = await raw(site, target, *lies, "Accept: text/html")
        assert "evil.example" not in head + body
        where = re.search(r"location: (\S+)", head)
        assert where is None or re.match(r"/(?!/)", where[1])
    async with site.client(host="evil.example") as program:
        answer = await program.post("/api/v2/enrolment-tokens", json={"name": "web-1"})
        assert answer.status_code == 201, answer.text
        assert "evil.example" not in answer.text


async def test_a_download_is_a_file_and_no_page(site: Site) -> None:
    async with site.client() as program:
        for path, name in zip(EXPORTS, ("audit.csv", "audit.jsonl"), strict=True):
            answer = await program.get(path, params={"q": 'x"; filename="evil.html'})
            assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
            assert not answer.headers["content-type"].startswith("text/html")


async def signed_in(site: Site) -> httpx.AsyncClient:
    """The owner's browser; to be closed."""
    browser = httpx.AsyncClient(
        base_url=site.url,
        headers=PAGE | {"sec-fetch-site": "same-origin"},
        timeout=20,
        follow_redirects=False,
    )
    link = await site.runtime.accounts.ensure_setup_link()
    assert link
    fields = {"name": "Ada", "email": "ada@example.org", "password": "drei Pferde im Regen"}
    assert (await browser.post(link, data=fields)).status_code == 303
    return browser


async def test_signing_out_clears_what_the_browser_kept(site: Site) -> None:
    async with aclosing(await signed_in(site)) as browser:
        page = (await browser.get("/servers")).text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        answer = await browser.post("/sign-out", data={"csrf_token": token})
        assert answer.headers["clear-site-data"] == '"cache", "storage"'
        assert "max-age=0" in answer.headers["set-cookie"].lower()
        assert (await browser.get("/servers")).status_code == 303
