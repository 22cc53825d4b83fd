"""Every route that changes something leaves an entry: its own, or the floor's where no feature told of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from pudim_collector.app.factory import web_application
from pudim_collector.infra.auditing import UNTOLD, actions
from pudim_collector.infra.auth import Requires, access_of, is_automatic_options
from tests.collector.app.site import Site
from tests.collector.audit.entries import entries, rows

CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
CHECK = {"name": "web", "kind": "http", "every": 60, "timeout": 5, "settings": {"url": "https://example.org"}}


def changing(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            if not is_automatic_options(handler):
                for method in handler.http_methods & CHANGES:
                    yield str(method), route.path_format, handler


@pytest.fixture
async def server(site: Site) -> UUID:
    return (await site.enrol("web-1")).agent_id


async def told_by(site: Site, method: str, path: str, **asked: object) -> set[str]:
    """The actions of the entries that this one request left."""
    async with site.client() as owner:
        answer = await owner.request(method, path, **asked)  # type: ignore[arg-type] # a test's keywords
    assert answer.status_code < 400, (method, path, answer.text)
    found = await rows(
        "SELECT action FROM audit_entries WHERE request_id = $1", answer.headers["x-request-id"]
    )
    return {row["action"] for row in found}


async def test_features_tell_of_their_changes_by_name(site: Site, server: UUID) -> None:
    here = f"/api/v2/servers/{server}"
    assert "token.created" in await told_by(site, "POST", "/api/v2/tokens", json={"name": "x"})
    (token,) = await rows("SELECT id FROM api_tokens WHERE name = 'x'")
    assert "token.revoked" in await told_by(site, "DELETE", f"/api/v2/tokens/{token['id']}")
    assert "server.invited" in await told_by(site, "POST", "/api/v2/enrolment-tokens")
    assert "server.changed" in await told_by(site, "PATCH", here, json={"name": "y"})
    assert "server.changed" in await told_by(site, "POST", f"/servers/{server}/tags", data={"tags": "a,b"})
    assert "sender.created" in await told_by(site, "POST", "/api/v2/senders", json={"name": "prom"})
    (sender,) = await rows("SELECT id FROM senders")
    caps = {"most_series": 5, "most_servers": 5}
    assert "sender.caps_changed" in await told_by(site, "PATCH", f"/api/v2/senders/{sender['id']}", json=caps)
    assert "sender.revoked" in await told_by(site, "DELETE", f"/api/v2/senders/{sender['id']}")
    assert "server.revoked" in await told_by(site, "DELETE", here)


async def test_what_no_feature_tells_of_is_told_by_the_floor(site: Site) -> None:
    site.runtime.tokens._emit = lambda _: None
    assert "request.made" in await told_by(site, "POST", "/api/v2/tokens", json={"name": "silent"})
    (entry,) = await entries("request.made")
    assert entry["target_name"] == "POST /api/v2/tokens"


async def test_reading_leaves_no_entry_and_neither_does_what_failed(site: Site) -> None:
    await site.get("/api/v2/servers")
    before = len(await entries())
    await site.get("/api/v2/servers")
    async with site.client() as owner:
        assert (await owner.post("/api/v2/tokens", json={"name": ""})).status_code >= 400
    assert len(await entries()) == before


async def test_only_what_is_written_down_here_may_change_things_untold(site: Site) -> None:
    """The floor stands under all routes that need a permission; these alone say why they need none."""
    app = web_application(site.runtime)
    without = {
        f"{method} {path}": handler.opt[UNTOLD]
        for method, path, handler in changing(app)
        if isinstance(access_of(handler), Requires) and UNTOLD in handler.opt
    }
    assert without == {
        "POST /account/passkeys/options": "a challenge changes nothing",
        "POST /account/prove/passkey/options": "a challenge changes nothing",
        "POST /api/v2/storage/preview": "it only says what would be dropped",
    }


def test_each_action_is_named_and_said(site: Site) -> None:
    assert len(actions()) >= 25
    for name, action in actions().items():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", name)
        assert action.words[0].islower()
        assert not action.words.endswith(".")


async def test_a_request_id_is_taken_from_nobody_but_a_proxy(site: Site) -> None:
    given = "given-by-a-client-1"
    async with httpx.AsyncClient(base_url=site.url, headers={"x-request-id": given}) as stranger:
        for path in ("/api/v2/servers", "/no-such-page", "/healthz"):
            answer = await stranger.get(path)
            assert UUID(answer.headers["x-request-id"]).version == 7
