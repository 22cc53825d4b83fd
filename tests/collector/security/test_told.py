"""No secret is told a second time: each is marked, everything is done that takes or makes one, and then every log, page, answer and row is searched."""

from __future__ import annotations

import logging
from base64 import b64encode
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx
import pytest

from pudim_collector.infra.request_ids import NamingFormatter
from tests.collector.app.site import PAGE, Site, enrol
from tests.collector.audit.entries import rows

MARK = "Zq7m4rk"
READABLE = (
    *("/api/v2/audit?limit=100", "/api/v2/tokens", "/api/v2/senders", "/api/v2/token", "/api/v2/servers"),
    *("/metrics", "/readyz", "/api/v2/audit/export/csv", "/api/v2/audit/export/jsonl"),
)
PAGES = ("/audit", "/account/tokens", "/senders", "/servers", "/account/sessions", "/account/factors")


@dataclass
class Secrets:
    """Marked ones that were typed, and those that were made and shown once."""

    known: list[str] = field(default_factory=list)

    def typed(self, what: str) -> str:
        self.known.append(f"{MARK}-{what}")
        return self.known[-1]

    def shown(self, secret: str) -> str:
        assert len(secret) > 20
        self.known.append(secret)
        return secret

    def found_in(self, text: str) -> list[str]:
        return [one for one in self.known if one in text or one.encode().hex() in text]


async def everything_typed(site: Site, secrets: Secrets) -> httpx.AsyncClient:
    """By somebody without an account, then by the owner, whose browser is returned signed in."""
    browser = httpx.AsyncClient(
        base_url=site.url, headers=PAGE | {"sec-fetch-site": "same-origin"}, timeout=20
    )
    link = await site.runtime.accounts.ensure_setup_link()
    assert link
    password = secrets.typed("password")
    for path in ("/setup", "/reset", "/invitations"):
        await browser.get(f"{path}/{secrets.typed(path[1:])}")
    fields = {"name": "Ada", "email": "ada@example.org", "password": password}
    assert (await browser.post(link, data=fields)).status_code == 303
    secrets.shown(link.rpartition("/")[2])
    secrets.shown(browser.cookies["pudim"])
    async with httpx.AsyncClient(
        base_url=site.url, headers=PAGE | {"sec-fetch-site": "same-origin"}
    ) as stranger:
        for email, wrong in (
            ("ada@example.org", secrets.typed("mistyped")),
            (secrets.typed("in-the-wrong-field"), "x"),
        ):
            answer = await stranger.post("/sign-in", data={"email": email, "password": wrong})
            assert 400 <= answer.status_code < 500, answer.text
            assert not secrets.found_in(answer.text) or wrong == "x", "an address stays in its field"
        await stranger.post("/reset", data={"email": "ada@example.org"})
        await stranger.get("/servers", headers={"cookie": f"pudim={secrets.typed('cookie')}"})
    async with site.client(token="") as program:
        for header in (f"Bearer {secrets.typed('bearer')}", f"Bearer pud_pat_{secrets.typed('token')}"):
            assert (
                await program.get("/api/v2/servers", headers={"authorization": header})
            ).status_code == 401
        basic = b64encode(f"x:{secrets.typed('sender')}".encode()).decode()
        await program.post("/api/v1/write", headers={"authorization": f"Basic {basic}"})
        await program.get("/api/v2/servers", params={"access_token": secrets.typed("query")})
        await enrol(program, f"pud_enr_{secrets.typed('enrolment')}")
    return browser


async def everything_made(site: Site, secrets: Secrets) -> list[str]:
    """What is shown once by the answer that makes it; the paths that tell of it later."""
    agent = await site.enrol("web-1")
    checks = f"/api/v2/servers/{agent.agent_id}/checks"
    async with site.client(**{"idempotency-key": "once-and-for-all"}) as owner:
        token = (await owner.post("/api/v2/tokens", json={"name": "script"})).json()
        sender = (await owner.post("/api/v2/senders", json={"name": "prometheus"})).json()
        line = (await owner.post("/api/v2/enrolment-tokens", json={"name": "web-2"})).json()
        kind = {"name": "Shop", "kind": "http"}
        header = f"Authorization: Bearer {secrets.typed('check')}"
        settings = {"url": "https://shop.test", "headers": [header]}
        made = await owner.post(checks, json=kind | {"settings": settings})
        assert made.status_code == 201, made.text
        assert not secrets.found_in(made.text)
    for secret in (token["secret"], sender["token"], line["token"]):
        secrets.shown(secret)
    return [checks]


async def test_no_marked_secret_is_told_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.handler.setFormatter(NamingFormatter("%(levelname)s %(name)s: %(message)s"))
    secrets = Secrets()
    secrets.shown(site.token)
    caplog.set_level(logging.WARNING, "httpx")  # the test's own client tells what it asks
    served = logging.getLogger("uvicorn.access")
    assert not served.propagate, "requests with their paths are logged"
    caplog.set_level(logging.WARNING, served.name)  # pytest hears it all the same
    with caplog.at_level(logging.INFO):
        async with aclosing(await everything_typed(site, secrets)) as browser:
            told = [*READABLE, *await everything_made(site, secrets)]
            async with site.client() as owner:
                answers = [await owner.get(path) for path in told]
            answers += [await browser.get(path, follow_redirects=True) for path in PAGES]
    assert len(secrets.known) >= 15
    for answer in answers:
        assert answer.status_code == 200, answer.url
        assert not secrets.found_in(answer.text), answer.url
    assert caplog.text
    assert not secrets.found_in(caplog.text)
    for table in await rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"):
        for row in await rows(f'SELECT t::text AS told FROM "{table["name"]}" t'):  # noqa: S608 - its name comes from the catalogue
            assert not secrets.found_in(row["told"]), table["name"]
    data = site.runtime.settings.data_dir
    assert not [
        path for path in data.rglob("*") if path.is_file() and secrets.found_in(path.read_text("latin-1"))
    ]


@pytest.mark.parametrize(
    "steering", ["\r\n", "\n", "\r", "\x1b[2J", "\x85", "\u2028", "\u202e", "\x00", "\x08"]
)
def test_nobody_writes_a_line_of_the_log(steering: str) -> None:
    hostile = f"web-1{steering}ERROR pudim: all is well"
    error = (ValueError, ValueError(hostile), None)
    told = NamingFormatter("%(levelname)s %(name)s: %(message)s").format(
        logging.LogRecord("pudim", logging.WARNING, __file__, 1, "%s was refused", (hostile,), error)
    )
    assert not set(told) & set("\r\x1b\x85\u2028\u202e\x00\x08")
    first, *others = told.split("\n")
    assert first.startswith("WARNING pudim: web-1")
    assert all(line.startswith("    ") for line in others)
