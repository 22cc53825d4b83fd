"""Where senders bring metrics only their own tokens count, and only in the header."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, Request, post

from pudim_collector.infra.auth import (
    Principal,
    PrincipalKind,
    Sender,
    SenderAuthenticator,
    for_senders,
    requires,
)
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.pages import Pages

SENDER = Sender(UUID(int=1), UUID(int=2), "prometheus", 10, 2)
OWNER = Principal(
    PrincipalKind.USER, UUID(int=3), UUID(int=2), "Ada", None, "owner", frozenset(["house:open"])
)
GOOD = "pud_snd_good"


@dataclass
class Tokens:
    """Both ports in memory: one sender's token, and an owner that any cookie or API token stands for."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def by_sender_token(self, secret: str, address: str) -> Sender | None:
        self.asked.append((secret, address))
        return SENDER if secret == GOOD else None

    async def by_session(self, secret: str) -> Principal | None:
        return OWNER

    async def by_token(self, secret: str) -> Principal | None:
        return OWNER if secret == "pud_pat_good" else None


@post("/push", opt=for_senders(), status_code=200)
async def push(request: Request[Sender, Any, Any]) -> str:
    return request.user.name


@post("/open", opt=requires("house:open"), status_code=200)
async def open_house() -> str:
    return "open"


def application(senders: SenderAuthenticator | None) -> Litestar:
    feature = Feature("house", [push, open_house], {"house:open": "Open the house"})
    return build_app([feature], Tokens(), senders=senders, pages=Pages(assets=str))


def client(app: Litestar, **headers: str) -> httpx.AsyncClient:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 1))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://pudim.test", headers=named)


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "shown", [f"Bearer {GOOD}", f"bearer  {GOOD} ", basic(f"x:{GOOD}"), basic(f":{GOOD}")]
)
async def test_a_senders_token_lets_in(shown: str) -> None:
    tokens = Tokens()
    async with client(application(tokens), authorization=shown) as program:
        answer = await program.post("/push")
    assert (answer.status_code, answer.text) == (200, "prometheus")
    assert tokens.asked == [(GOOD, "203.0.113.7")]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "no_sender_token"),
        ({"cookie": "pudim=anything"}, "no_sender_token"),
        ({"authorization": "Bearer "}, "no_sender_token"),
        ({"authorization": "Basic !!!"}, "no_sender_token"),
        ({"authorization": "Basic /w=="}, "no_sender_token"),
        ({"authorization": basic(GOOD)}, "no_sender_token"),
        ({"authorization": f"Digest {GOOD}"}, "no_sender_token"),
        ({"authorization": "Bearer pud_pat_good"}, "bad_sender_token"),
        ({"authorization": basic(f"{GOOD}:x")}, "bad_sender_token"),
    ],
)
async def test_nothing_else_does(headers: dict[str, str], code: str) -> None:
    async with client(application(Tokens()), **headers) as program:
        answer = await program.post("/push")
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_senders_token_opens_nothing_else() -> None:
    async with client(application(Tokens()), authorization=f"Bearer {GOOD}") as program:
        assert (await program.post("/open")).json()["code"] == "bad_token"


async def test_a_page_of_another_site_pushes_nothing() -> None:
    shown = {
        "authorization": f"Bearer {GOOD}",
        "sec_fetch_site": "cross-site",
        "origin": "https://evil.example",
    }
    async with client(application(Tokens()), **shown) as program:
        assert (await program.post("/push")).json()["code"] == "foreign_origin"


async def test_without_senders_nobody_passes() -> None:
    async with client(application(None), authorization=f"Bearer {GOOD}") as program:
        assert (await program.post("/push")).status_code == 401
