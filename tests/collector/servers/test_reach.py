"""Whoever adds a server is told when its agent could not reach the collector, or only in the open."""

import shlex
from dataclasses import replace

import httpx
import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.servers.rules import Reach, reach
from tests.collector.app.site import PAGE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8460", Reach.THIS_HOST),
        ("http://127.8.0.1", Reach.THIS_HOST),
        ("https://localhost:8460", Reach.THIS_HOST),
        ("http://pudim.localhost", Reach.THIS_HOST),
        ("http://[::1]:8460", Reach.THIS_HOST),
        ("http://10.1.2.3:8460", Reach.PLAIN),
        ("http://[fd00::1]:8460", Reach.PLAIN),
        ("http://pudim.example.org", Reach.PLAIN),
        ("https://pudim.example.org", Reach.ENCRYPTED),
    ],
)
def test_who_can_use_an_address(url: str, expected: Reach) -> None:
    assert reach(url) is expected


@pytest.mark.parametrize(
    ("url", "said", "unsaid"),
    [
        (None, "PUDIM_PUBLIC_URL", "--insecure"),
        ("http://pudim.example.org", "--insecure", "cannot reach"),
        ("https://pudim.example.org", "pip install", "PUDIM_PUBLIC_URL"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_page_says_what_stands_in_the_way(
    runtime: Runtime, method: str, url: str | None, said: str, unsaid: str
) -> None:
    settings = replace(runtime.settings, public_url=url)
    app = web_application(replace(runtime, settings=settings))
    token = await runtime.tokens.local_access_token()
    headers = PAGE | {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),  # type: ignore[arg-type]
        base_url=settings.url,
        headers=headers,
    ) as client:
        answer = await client.request(
            method, "/servers/add", data={"name": "x"} if method == "POST" else None
        )
    assert answer.status_code == 200
    assert unsaid not in answer.text
    assert said in answer.text or (method == "GET" and said == "pip install")


async def test_the_line_is_safe_to_paste_whatever_the_address_is(runtime: Runtime) -> None:
    url = "https://pudim.example.org/$(reboot)"
    app = web_application(replace(runtime, settings=replace(runtime.settings, public_url=url)))
    token = await runtime.tokens.local_access_token()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),  # type: ignore[arg-type]
        base_url="https://pudim.example.org",
        headers={"authorization": f"Bearer {token}"},
    ) as client:
        command = (await client.post("/api/v2/enrolment-tokens", json={})).json()["command"]
    assert url in shlex.split(command)
    assert f"'{url}'" in command
