"""An owner with second factors behind the real edge, on a real database, at a time that tests move."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pyotp
import pytest
from litestar import Litestar

from pudim.wire import keys
from pudim_collector.app.keys import key_ring
from pudim_collector.app.settings import Settings
from pudim_collector.features.accounts import FEATURE as ACCOUNTS
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.attempts import FEATURE as ATTEMPTS
from pudim_collector.features.attempts.service import Attempts
from pudim_collector.features.credentials import FEATURE as CREDENTIALS
from pudim_collector.features.credentials.service import Credentials
from pudim_collector.features.factors import FEATURE as FACTORS
from pudim_collector.features.factors import queries
from pudim_collector.features.factors.service import (
    RECOVERY_KEYS,
    TOTP_SECRETS,
    Demands,
    EnrolledFactors,
    Factors,
)
from pudim_collector.features.passkeys import FEATURE as PASSKEYS
from pudim_collector.features.passkeys.service import Passkeys
from pudim_collector.features.sessions import FEATURE as SESSIONS
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.features.teams import FEATURE as TEAMS
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.mail.mailer import Content, Mailer
from pudim_collector.infra.mail.outbox import MIGRATIONS as MAIL
from pudim_collector.infra.mail.outbox import SEALED_MAIL
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.pages import Pages
from pudim_collector.infra.passwords import Passwords
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import ManualClock
from tests.collector.accounts.conftest import CHEAP, EMAIL, PAGE, PASSWORD
from tests.collector.app.site import clock, runtime
from tests.collector.teams.conftest import app, owner, team

__all__ = ["app", "clock", "owner", "runtime", "team"]

FEATURES = (ACCOUNTS, ATTEMPTS, SESSIONS, CREDENTIALS, PASSKEYS, FACTORS)
PERMISSIONS = {name: one for feature in FEATURES for name, one in feature.permissions.items()}
SITE = "https://pudim.test"
ME = "/api/v2/me"


@dataclass
class House:
    app: Litestar
    accounts: Accounts
    sessions: Sessions
    credentials: Credentials
    mailer: Mailer
    sealers: Sealers
    factors: Factors
    passkeys: Passkeys
    clock: ManualClock
    events: list[object] = field(default_factory=list)

    def browser(self, address: str = "203.0.113.7", url: str = SITE) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 40_000))
        return httpx.AsyncClient(
            transport=transport, base_url=url, headers={**PAGE, "sec-fetch-site": "same-origin"}
        )

    async def owner(self, browser: httpx.AsyncClient) -> UUID:
        """Make the owner in this browser, which is signed in afterwards."""
        link = await self.accounts.ensure_setup_link()
        assert link
        answer = await browser.post(link, data={"name": "Ada", "email": EMAIL, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return UUID((await browser.get(ME)).json()["id"])

    async def demand(self, *, demanded: bool = True) -> None:
        """A second factor of the team's members."""
        await queries.set_demand(Scope(await self.accounts.ensure_team()), demanded=demanded)

    async def sign_in(self, browser: httpx.AsyncClient, password: str = PASSWORD) -> httpx.Response:
        form = {"email": EMAIL, "password": password, "next": "/servers"}
        return await browser.post("/sign-in", data=form)

    async def letters(self) -> list[tuple[str, str, str]]:
        """To whom, which and what text: all that wait to be sent, each told once."""
        found = []
        while due := await self.mailer.outbox.claim(self.clock.now(), timedelta(days=1)):
            plain = self.sealers.of(SEALED_MAIL).open(due.content, due.id.bytes)
            found.append((due.recipient, due.template, msgspec.msgpack.decode(plain, type=Content).text))
        return found

    def code(self, secret: str, *, steps: int = 0) -> str:
        return pyotp.TOTP(secret).at(self.clock.now() + timedelta(seconds=30 * steps))

    async def add_app(self, browser: httpx.AsyncClient) -> tuple[str, list[str]]:
        """An authenticator app's secret, and the recovery codes; half a minute passes."""
        page = (await browser.get("/account/factors/app")).text
        secret = page.partition("into the app: <code>")[2].partition("<")[0]
        answer = await post(browser, "/account/factors/app", code=self.code(secret))
        assert answer.status_code == 200, answer.text
        self.clock.advance(30)
        return secret, codes_of(answer)


def codes_of(answer: httpx.Response) -> list[str]:
    return answer.text.partition('<pre id="recovery-codes">')[2].partition("</pre>")[0].split()


async def csrf(browser: httpx.AsyncClient) -> str:
    """As a page carries it."""
    text = (await browser.get("/account/sessions")).text
    return text.partition('name="csrf-token" content="')[2].partition('"')[0]


async def post(browser: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    return await browser.post(path, data={"csrf_token": await csrf(browser), **form})


async def say(browser: httpx.AsyncClient, path: str, said: dict[str, Any] | None = None) -> httpx.Response:
    """As the page's script does it."""
    headers = {"accept": "application/json", "x-csrf-token": await csrf(browser)}
    return await browser.post(path, json=said or {}, headers=headers)


@pytest.fixture
async def make_house(fresh_database: str, tmp_path: Path) -> AsyncIterator[Callable[..., House]]:
    clock = ManualClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    await migrate(
        database,
        [MAIL, *(one.migrations for one in (ACCOUNTS, TEAMS, *FEATURES[1:]) if one.migrations)],
        clock=clock,
    )
    sealers = Sealers(key_ring(Settings(tmp_path), clock.now()), keys.generate())
    opened: list[Accounts] = []

    def make(url: str = SITE, *, sends_mail: bool = True) -> House:
        events: list[object] = []
        demands, attempts = Demands(emit=events.append), Attempts(clock)
        server = SmtpServer.parse("smtp://127.0.0.1", "pudim@pudim.test") if sends_mail else None
        mailer = Mailer(database, server, sealers.of(SEALED_MAIL), clock)
        accounts = Accounts(clock, PERMISSIONS, passwords=Passwords(CHEAP), emit=events.append)
        sessions = Sessions(
            accounts,
            attempts,
            clock,
            factors=EnrolledFactors(),
            policy=demands,
            letters=mailer,
            emit=events.append,
        )
        credentials = Credentials(accounts, sessions, attempts, clock, url=url, emit=events.append)
        passkeys = Passkeys(url, sessions, clock, emit=events.append)
        factors = Factors(
            sessions,
            passkeys,
            attempts,
            clock,
            totp=sealers.of(TOTP_SECRETS),
            recovery=sealers.of(RECOVERY_KEYS),
            emit=events.append,
        )
        opened.append(accounts)
        app = build_app(
            FEATURES,
            accounts,
            pages=Pages([], assets=lambda name: f"/static/{name}"),
            dependencies={
                "accounts": accounts,
                "sessions": sessions,
                "credentials": credentials,
                "passkeys": passkeys,
                "factors": factors,
            },
        )
        return House(
            app,
            accounts,
            sessions,
            credentials,
            mailer,
            sealers,
            factors,
            passkeys,
            clock,
            events,
        )

    yield make
    for accounts in opened:
        accounts.close()


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house()
