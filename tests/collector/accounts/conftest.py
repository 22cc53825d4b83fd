"""Accounts behind the real edge, on a real database, at a time that tests move."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from pudim_collector.app.authentication import Authentication
from pudim_collector.features.accounts import FEATURE as ACCOUNTS
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.addresses import FEATURE as ADDRESSES
from pudim_collector.features.addresses.service import ADDRESSES_CHANGED, AddressLists
from pudim_collector.features.attempts import FEATURE as ATTEMPTS
from pudim_collector.features.attempts.service import Attempts
from pudim_collector.features.factors import FEATURE as FACTORS
from pudim_collector.features.passkeys import FEATURE as PASSKEYS
from pudim_collector.features.servers import FEATURE as SERVERS
from pudim_collector.features.sessions import FEATURE as SESSIONS
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.features.teams import FEATURE as TEAMS
from pudim_collector.features.tokens import FEATURE as TOKENS
from pudim_collector.features.tokens.service import Tokens
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.pages import Pages
from pudim_collector.infra.passwords import Passwords
from pudim_collector.infra.permissions import Rights
from pudim_collector.kernel.clock import ManualClock

PASSWORD = "drei Pferde im Regen"
EMAIL = "Ada@example.org"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PAGE = {"accept": "text/html"}
FEATURES = (ACCOUNTS, ATTEMPTS, SESSIONS, TOKENS)
TABLES = (ACCOUNTS, TEAMS, ATTEMPTS, SESSIONS, PASSKEYS, FACTORS, SERVERS, ADDRESSES, TOKENS)
PERMISSIONS = {name: one for feature in FEATURES for name, one in feature.permissions.items()}


@dataclass
class House:
    """One installation, with what it told its security log."""

    accounts: Accounts
    tokens: Tokens
    sessions: Sessions
    clock: ManualClock
    events: list[object] = field(default_factory=list)
    app: Litestar = field(init=False)

    @property
    def authentication(self) -> Authentication:
        return Authentication(self.accounts, self.tokens)

    @property
    def services(self) -> dict[str, object]:
        """What handlers are given by name."""
        return {
            "accounts": self.accounts,
            "tokens": self.tokens,
            "sessions": self.sessions,
            "public_address": "https://pudim.test",
        }

    def browser(self, *, scheme: str = "https", address: str = "203.0.113.7") -> httpx.AsyncClient:
        return self._client(scheme, address, {**PAGE, "sec-fetch-site": "same-origin"})

    def program(self, token: str = "") -> httpx.AsyncClient:
        return self._client("https", "203.0.113.9", {"authorization": f"Bearer {token}"} if token else {})

    def _client(self, scheme: str, address: str, headers: dict[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 40_000))
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://pudim.test", headers=headers)

    async def owner(self, browser: httpx.AsyncClient) -> None:
        """Make the owner in this browser, which is signed in afterwards."""
        link = await self.accounts.ensure_setup_link()
        assert link
        answer = await browser.post(link, data={"name": "Ada", "email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 303, answer.text

    async def sign_in(
        self, browser: httpx.AsyncClient, password: str = PASSWORD, email: str = EMAIL, to: str = "/servers"
    ) -> httpx.Response:
        return await browser.post("/sign-in", data={"email": email, "password": password, "next": to})


async def csrf(browser: httpx.AsyncClient) -> str:
    """As a page carries it."""
    text = (await browser.get("/account/tokens")).text
    return text.partition('name="csrf-token" content="')[2].partition('"')[0]


@pytest.fixture
async def make_house(fresh_database: str) -> AsyncIterator[Callable[..., House]]:
    clock = ManualClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    await migrate(database, [one.migrations for one in TABLES if one.migrations], clock=clock)
    opened: list[Accounts] = []

    def make(hasher: PasswordHasher = CHEAP, **ports: Any) -> House:
        """`ports` are those of Sessions."""
        events: list[object] = []
        accounts = Accounts(clock, PERMISSIONS, passwords=Passwords(hasher), emit=events.append)
        sessions = Sessions(accounts, Attempts(clock), clock, emit=events.append, **ports)
        lists = AddressLists(Announcements(database, [ADDRESSES_CHANGED]), clock, emit=events.append)
        tokens = Tokens(clock, Rights(PERMISSIONS), accounts, lists, emit=events.append)
        opened.append(accounts)
        navigation = [entry for feature in FEATURES for entry in feature.navigation]
        pages = Pages(navigation, assets=lambda name: f"/static/{name}")
        house = House(accounts, tokens, sessions, clock, events)
        house.app = build_app(FEATURES, house.authentication, pages=pages, dependencies=house.services)
        return house

    yield make
    for accounts in opened:
        accounts.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()
