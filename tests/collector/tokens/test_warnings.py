"""Who is told by mail that a token ends: whom it concerns, a week and a day before, once each."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from litestar import Litestar

from pudim.wire import keys
from pudim_collector.app.keys import key_ring
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings
from pudim_collector.features.tokens.jobs import ExpiryWarnings
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.mailer import Content, Mailer
from pudim_collector.infra.mail.outbox import SEALED_MAIL
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import ManualClock
from tests.collector.teams.people import Someone, a_member, ask, back_again, code

TOKENS = "/api/v2/tokens"
URL = "https://pudim.test"


class Post:
    """The real outbox, read as the mail server would get it."""

    def __init__(self, runtime: Runtime, folder: Path, server: str | None = "smtp://127.0.0.1") -> None:
        sealer = Sealers(key_ring(Settings(folder), runtime.clock.now()), keys.generate()).of(SEALED_MAIL)
        smtp = SmtpServer.parse(server, "pudim@pudim.test") if server else None
        self.mailer, self._sealer, self._clock = (
            Mailer(database, smtp, sealer, runtime.clock),
            sealer,
            runtime.clock,
        )
        self.job = ExpiryWarnings(runtime.clock, runtime.tokens.rights, self.mailer, URL)

    async def told(self) -> list[tuple[str, str]]:
        """To whom, and the text; of one run."""
        await self.job.run_once()
        found = []
        while due := await self.mailer.outbox.claim(self._clock.now(), timedelta(days=1)):
            content = msgspec.msgpack.decode(self._sealer.open(due.content, due.id.bytes), type=Content)
            assert due.template == "token_expires"
            found.append((due.recipient, content.text))
            await self.mailer.outbox.remove(due.id)
        return sorted(found)


@pytest.fixture
def post(runtime: Runtime, tmp_path: Path) -> Callable[..., Post]:
    return lambda **named: Post(runtime, tmp_path, **named)


async def test_a_persons_token_is_told_to_him_twice(
    app: Litestar, owner: Someone, clock: ManualClock, post: Callable[..., Post]
) -> None:
    token = (await ask(app, owner, "POST", TOKENS, {"name": "night\nly"})).json()
    assert token["code"] == "name_refused"
    token = (await ask(app, owner, "POST", TOKENS, {"name": "nightly <b>"})).json()["token"]
    mails = post()
    told = []
    for _ in range(95):
        told.append(await mails.told())
        clock.advance(timedelta(days=1))
    assert [day for day, found in enumerate(told) if found] == [83, 89]
    ((recipient, text),) = told[83]
    assert recipient == owner.user.email
    assert "“nightly <b>”" in text
    assert f"{URL}/account/tokens/{token['id']}" in text


async def test_a_services_token_is_told_to_whoever_manages_tokens(  # noqa: PLR0917 - a test's fixtures
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone, clock: ManualClock, post: Callable[..., Post]
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    await a_member(runtime, team, Role.DEVELOPER)
    wanted = {"name": "ci", "kind": "service", "scopes": ["servers:read"]}
    assert await code(app, admin, "POST", TOKENS, wanted) == 201
    clock.advance(timedelta(days=84))
    mails = post()
    assert [to for to, _ in await mails.told()] == sorted([owner.user.email, admin.user.email])
    assert await mails.told() == []


async def test_what_is_short_revoked_renewed_or_endless_is_not_told(
    app: Litestar, runtime: Runtime, owner: Someone, clock: ManualClock, post: Callable[..., Post]
) -> None:
    async def made(**wanted: object) -> str:
        answer = await ask(app, owner, "POST", TOKENS, {"name": "x", **wanted})
        return str(answer.json()["token"]["id"])

    await made(expires_at=None)
    await made(expires_at=(clock.now() + timedelta(hours=12)).isoformat())
    revoked, renewed = await made(), await made()
    mails = post()
    clock.advance(timedelta(days=84))
    owner = await back_again(runtime, owner)
    assert await code(app, owner, "DELETE", f"{TOKENS}/{revoked}") == 204
    assert await code(app, owner, "POST", f"{TOKENS}/{renewed}/renew", {}) == 201
    assert await mails.told() == []
    clock.advance(timedelta(days=84))
    assert len(await mails.told()) == 1, "a renewed token is told of again before its new end"


async def test_who_left_the_team_is_told_nothing(  # noqa: PLR0917 - a test's fixtures
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone, clock: ManualClock, post: Callable[..., Post]
) -> None:
    admin = await a_member(runtime, team, Role.ADMIN)
    assert await code(app, admin, "POST", TOKENS, {"name": "x"}) == 201
    assert await code(app, owner, "DELETE", f"/api/v2/team/members/{admin.id}") == 204
    clock.advance(timedelta(days=84))
    assert await post().told() == []


async def test_without_a_mail_server_it_is_made_good_when_there_is_one(
    app: Litestar, owner: Someone, clock: ManualClock, post: Callable[..., Post]
) -> None:
    assert await code(app, owner, "POST", TOKENS, {"name": "x"}) == 201
    clock.advance(timedelta(days=84))
    assert await post(server=None).told() == []
    assert len(await post().told()) == 1
