"""Invitations that are mailed by a real mail server, sent again, withdrawn, and opened by the wrong one."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.accounts import queries as accounts
from pudim_collector.features.invitations.rules import INVITATION_LIFE
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.outbox import MOST_WAITING
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.permissions import Role
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import COLLECTOR_KEY
from tests.collector.infra.mail_places import Handler, mail_server
from tests.collector.teams.people import Someone, a_member, a_person, a_team, ask, client, code

INVITATIONS = "/api/v2/team/invitations"
PAGE = {"accept": "text/html"}


class Post:
    """A collector that mails through a real mail server."""

    def __init__(self, runtime: Runtime, handler: Handler, port: int) -> None:
        server = SmtpServer.parse(f"smtp+plain://127.0.0.1:{port}", "pudim@example.org", None, None)
        settings = replace(runtime.settings, mail=server)
        self.runtime = Runtime.assemble(settings, COLLECTOR_KEY, database, runtime.clock)
        self.app, self.handler = web_application(self.runtime), handler

    async def invite(self, who: Someone, email: str, role: str = "viewer") -> dict[str, Any]:
        answer = await ask(self.app, who, "POST", INVITATIONS, {"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def taken(self) -> list[tuple[str, str, str, str]]:
        """To whom, the subject, the text and the HTML of what the mail server took since the last call."""
        await self.runtime.mailer.send_due()
        took, self.handler.took = self.handler.took, []
        return [(one.to[0], one.message["Subject"], one.part("plain"), one.part("html")) for one in took]


@pytest.fixture
async def post(runtime: Runtime) -> Any:
    await runtime.store.prepare(runtime.clock.now())
    handler = Handler()
    async with mail_server(handler) as port:
        made = Post(runtime, handler, port)
        yield made
        made.runtime.accounts.close()


async def speaks(someone: Someone, language: str) -> None:
    await accounts.set_reading(someone.id, name=someone.user.name, language=language, time_zone=None)


async def test_an_invitation_is_mailed_with_the_link_that_is_shown(post: Post, owner: Someone) -> None:
    made = await post.invite(owner, "new@example.org")
    assert made["mailed"] is True
    ((to, subject, text, html),) = await post.taken()
    assert (to, subject) == ("new@example.org", "You are invited to a team at Pudim")
    assert made["link"] in text.replace("\n", "")
    assert made["link"] in html
    assert "ada invites you to the team “Pudim”." in text
    assert '<html lang="en">' in html


async def test_somebody_new_is_written_to_in_the_language_of_who_invites_him(
    post: Post, owner: Someone
) -> None:
    await speaks(owner, "pt-BR")
    await post.invite(owner, "new@example.org")
    ((_, subject, text, html),) = await post.taken()
    assert subject == "Convite para uma equipe no Pudim"
    assert "ada convida você para a equipe “Pudim”." in text
    assert '<html lang="pt-BR">' in html
    assert "Entrar na equipe" in html


async def test_who_has_an_account_is_written_to_in_his_own(
    post: Post, runtime: Runtime, owner: Someone
) -> None:
    bob = await a_person(runtime, "bob")
    await speaks(bob, "pt-BR")
    await post.invite(owner, "bob@example.org")
    ((_, subject, *_),) = await post.taken()
    assert subject == "Convite para uma equipe no Pudim"


async def test_names_in_a_mail_are_one_line_and_no_markup(post: Post, runtime: Runtime) -> None:
    team = await a_team(runtime, "<b>Team</b>\u202e &\n\nBcc: eve@example.org")
    boss = await a_member(runtime, team, Role.OWNER, "<i>boss</i>")
    await post.invite(boss, "new@example.org")
    ((_, _, text, html),) = await post.taken()
    assert "<i>boss</i> invites you to the team “<b>Team</b>  & Bcc: eve@example.org”." in text
    assert "&lt;i&gt;boss&lt;/i&gt; invites" in html
    assert "<b>" not in html
    assert "\u202e" not in text + html


async def test_an_invitation_is_sent_again_with_another_link(
    post: Post, clock: ManualClock, owner: Someone
) -> None:
    made = await post.invite(owner, "new@example.org")
    await post.taken()
    clock.advance(INVITATION_LIFE.total_seconds() - 60)
    path = f"{INVITATIONS}/{made['invitation']['id']}"
    again = (await ask(post.app, owner, "POST", f"{path}/resend")).json()
    ((_, _, text, _),) = await post.taken()
    assert again["link"] in text.replace("\n", "")
    assert again["invitation"]["id"] == made["invitation"]["id"]
    assert again["invitation"]["expires_at"] > made["invitation"]["expires_at"]
    assert (await opened(post.app, None, made["link"])).status_code == 404
    clock.advance(timedelta(days=6).total_seconds())
    assert (await opened(post.app, None, again["link"])).status_code == 200
    assert await code(post.app, owner, "DELETE", path) == 204
    assert (await opened(post.app, None, again["link"])).status_code == 404
    assert await code(post.app, owner, "POST", f"{path}/resend") == "no_such_invitation"


async def test_nobody_sends_again_what_he_could_not_give(
    post: Post, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    made = await post.invite(owner, "new@example.org", "owner")
    admin = await a_member(runtime, team, Role.ADMIN)
    path = f"{INVITATIONS}/{made['invitation']['id']}/resend"
    assert await code(post.app, admin, "POST", path) == "not_yours_to_give"
    stranger = await a_member(runtime, await a_team(runtime, "Other"), Role.OWNER)
    assert await code(post.app, stranger, "POST", path) == "no_such_invitation"
    assert await code(post.app, owner, "POST", f"{INVITATIONS}/{uuid4()}/resend") == "no_such_invitation"


async def test_without_room_for_mail_the_link_is_shown_all_the_same(post: Post, owner: Someone) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO mail_outbox (id, recipient, template, content, made_at, expires_at, next_at, attempts)"
            " SELECT gen_random_uuid(), 'x@example.org', 'test', '', now(), now(), now(), 0 FROM generate_series(1, $1)",
            [MOST_WAITING],
        )
    made = await post.invite(owner, "new@example.org")
    assert made["mailed"] is False
    assert (await opened(post.app, None, made["link"])).status_code == 200


async def test_without_a_mail_server_the_page_says_that_the_link_is_to_be_sent(
    app: Litestar, owner: Someone
) -> None:
    async with client(app, owner) as browser:
        shown = await browser.post(
            "/team/invitations", data={"email": "new@example.org", "role": "viewer"}, headers=PAGE
        )
        refused = await browser.post(
            "/team/invitations", data={"email": "<b>", "role": "viewer"}, headers=PAGE
        )
    assert "since no mail goes out" in shown.text
    assert (refused.status_code, "<b>" in refused.text) == (422, False)


async def test_who_is_signed_in_as_another_is_told_so(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    eve = await a_person(runtime, "eve")
    wish = {"email": "bob@example.org", "role": "viewer"}
    link = (await ask(app, owner, "POST", INVITATIONS, wish)).json()["link"]
    shown = await opened(app, eve, link)
    assert "for whom it is not" in shown.text
    assert "/accept" not in shown.text
    path = link.partition("/invitations/")[2]
    async with client(app, eve) as browser:
        refused = await browser.post(f"/invitations/{path}/accept", headers=PAGE)
    assert (refused.status_code, "for another address" in refused.text) == (403, True)


async def test_an_expiry_is_shown_to_both(app: Litestar, owner: Someone) -> None:
    wish = {"email": "bob@example.org", "role": "viewer"}
    made = (await ask(app, owner, "POST", INVITATIONS, wish)).json()
    day = re.escape(made["invitation"]["expires_at"][:4])
    assert re.search(rf"until \d+ \w+ {day} \d\d:\d\d UTC", (await opened(app, None, made["link"])).text)
    async with client(app, owner) as browser:
        assert (
            made["invitation"]["expires_at"][:19]
            in (await browser.get("/team/invitations", headers=PAGE)).text
        )


async def opened(app: Litestar, who: Someone | None, link: str) -> httpx.Response:
    async with client(app, who) as browser:
        return await browser.get("/invitations/" + link.rpartition("/")[2], headers=PAGE)
