"""What is going to end says so in every answer, and who still uses it is counted."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from litestar import get

from pudim_collector.features.conventions import FEATURE
from pudim_collector.infra.api.conventions import Conventions
from pudim_collector.infra.api.deprecation import deprecated
from pudim_collector.infra.auth import requires
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.telemetry import registry
from tests.collector.app.site import Site

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
ENDS = datetime(2027, 5, 1, 12, tzinfo=UTC)


@get(
    "/api/v2/old",
    opt=requires("account:read") | deprecated(SINCE, ends=ENDS, instead="/api/v2/new"),
    operation_id="get_old",
)
async def old() -> dict[str, int]:
    return {"a": 1}


@get("/api/v2/older", opt=requires("account:read") | deprecated(SINCE), operation_id="get_older")
async def older() -> dict[str, int]:
    return {"a": 1}


def application(site: Site) -> httpx.ASGITransport:
    feature = Feature("old", [old, older], {"account:read": "Read"})
    conventions = Conventions(b"k" * 32, None, site.runtime.clock)
    app = build_app([feature, FEATURE], site.runtime.authentication, conventions=conventions)
    return httpx.ASGITransport(app)  # type: ignore[arg-type]


async def test_each_answer_says_that_and_when_it_ends(site: Site) -> None:
    async with client(site) as program:
        answer, open_end = await program.get("/api/v2/old"), await program.get("/api/v2/older")
        other = await program.get("/api/v2/deprecations")
        described = (await program.get("/api/v2/openapi.json")).json()["paths"]
    assert answer.headers["deprecation"] == f"@{int(SINCE.timestamp())}"
    assert answer.headers["sunset"] == "Sat, 01 May 2027 12:00:00 GMT"
    assert answer.links["successor-version"]["url"] == "/api/v2/new"
    assert open_end.headers["deprecation"] == answer.headers["deprecation"]
    assert "sunset" not in open_end.headers
    assert "deprecation" not in other.headers
    assert described["/api/v2/old"]["get"]["deprecated"] is True
    assert not described["/api/v2/deprecations"]["get"].get("deprecated")


async def test_uses_are_counted_for_each_token_and_listed(site: Site) -> None:
    async with site.client() as owner:
        made = (await owner.post("/api/v2/tokens", json={"name": "nightly"})).json()
    async with client(site) as program, client(site, made["secret"]) as nightly:
        for _ in range(3):
            await nightly.get("/api/v2/old")
        await program.get("/api/v2/old")
        listed = (await program.get("/api/v2/deprecations")).json()["items"]
    assert [(one["operation"], one["method"], one["path"]) for one in listed] == [
        ("get_old", "GET", "/api/v2/old"),
        ("get_older", "GET", "/api/v2/older"),
    ]
    uses = {one["asker_name"]: one["uses"] for one in listed[0]["used_by"]}
    assert uses == {"nightly": 3, "local access": 1}
    assert listed[1]["used_by"] == []
    assert listed[0]["ends"] == "2027-05-01T12:00:00Z"
    labels = {"operation": "get_old", "asker": made["token"]["id"]}
    assert registry.get_sample_value("pudim_api_deprecated_uses_total", labels) == 3


async def test_the_product_lists_its_own(site: Site) -> None:
    assert await site.get("/api/v2/deprecations") == {"items": [], "next_cursor": None}


def client(site: Site, token: str | None = None) -> httpx.AsyncClient:
    bearer = {"authorization": f"Bearer {token or site.token}"}
    return httpx.AsyncClient(transport=application(site), base_url="http://pudim.test", headers=bearer)
