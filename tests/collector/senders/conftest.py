"""The whole collector process, and a sender that pushes to it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.collector.app.site import Site, clock, runtime, site
from tests.collector.ingest.outside.made import gzipped, protobuf, snappy, write_request

__all__ = ["clock", "runtime", "site"]


@dataclass
class Pusher:
    """A program with a sender's token."""

    site: Site
    id: str
    token: str

    async def post(self, path: str, content: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.site.client(self.token, **named) as client:
            return await client.post(path, content=content)

    async def otlp(self, request: dict[str, Any]) -> httpx.Response:
        return await self.post(
            "/v1/metrics",
            gzipped(protobuf(request)),
            content_type="application/x-protobuf",
            content_encoding="gzip",
        )

    async def write(self, *series: tuple[dict[str, str], list[tuple[int, float]]]) -> httpx.Response:
        return await self.post(
            "/api/v1/write",
            snappy(write_request(*series)),
            content_type="application/x-protobuf",
            content_encoding="snappy",
            x_prometheus_remote_write_version="0.1.0",
        )

    async def known(self) -> dict[str, Any]:
        """What the page says of it, after what it did was written down."""
        await self.site.runtime.doors.intake.report()
        (found,) = [one for one in (await self.site.get("/api/v2/senders"))["items"] if one["id"] == self.id]
        return dict(found)


@pytest.fixture
def make_pusher(site: Site) -> Callable[..., Awaitable[Pusher]]:
    async def make(name: str = "lab", **caps: int) -> Pusher:
        async with site.client() as owner:
            answer = await owner.post("/api/v2/senders", json={"name": name, **caps})
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return Pusher(site, made["sender"]["id"], made["token"])

    return make


@pytest.fixture
async def pusher(make_pusher: Callable[..., Awaitable[Pusher]]) -> Pusher:
    return await make_pusher()
