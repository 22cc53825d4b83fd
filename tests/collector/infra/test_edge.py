"""What every application has: metrics in one registry, static files that never expire, navigation by permission."""

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from pudim_collector.infra import telemetry
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.headers import add_headers
from pudim_collector.infra.manifest import NavigationEntry
from pudim_collector.infra.pages import open_links, static_router


def test_a_metric_is_ours_by_name_and_shown_with_its_labels() -> None:
    requests = telemetry.counter("pudim_test_requests_total", "Requests of a test.", ["code"])
    requests.labels('a\n"b').inc()
    shown = telemetry.exposition().decode()
    assert 'pudim_test_requests_total{code="a\\n\\"b"} 1.0' in shown
    assert "python_gc" not in shown
    with pytest.raises(ValueError, match="pudim_"):
        telemetry.gauge("requests", "No.")


async def test_static_files_never_expire_and_nothing_else_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "app-1A2B.js").write_text("1")
    (tmp_path / "secret").write_text("no")
    app = Litestar([static_router(folder)], before_send=[add_headers], openapi_config=None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://pudim.test") as client:
        served = await client.get("/static/app-1A2B.js")
        assert served.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert served.headers["content-type"].startswith("text/javascript")
        assert served.headers["etag"]
        assert "strict-transport-security" not in served.headers
        for path in ("..%2fsecret", "../secret", "%2e%2e/secret", "nothing.js", ""):
            assert (await client.get(f"/static/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("path", "active"), [("/servers", True), ("/servers/1", True), ("/serverside", False), ("/", False)]
)
def test_navigation_knows_where_one_is(path: str, active: bool) -> None:
    assert NavigationEntry("Servers", "/servers", "server", "servers:read").leads_to(path) is active


def test_navigation_shows_what_one_may_open() -> None:
    entries = [
        NavigationEntry("Servers", "/servers", "server", "servers:read"),
        NavigationEntry("Vault", "/vault", "key", "vault:open"),
    ]
    who = Principal(PrincipalKind.USER, uuid4(), uuid4(), "Ada", None, "viewer", {"servers:read"})
    assert [entry["label"] for entry in open_links(entries, "/servers", who)] == ["Servers"]
    assert open_links(entries, "/servers", None) == []
