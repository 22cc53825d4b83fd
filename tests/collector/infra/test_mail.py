"""Mails on their way from a transaction to real mail servers, good and bad, until they are taken or given up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pudim.wire import keys
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.key_ring import KeyRing
from pudim_collector.infra.mail import outbox as outbox_module
from pudim_collector.infra.mail.errors import (
    Deferred,
    MailNotConfigured,
    NotSent,
    OutboxFull,
    Rejected,
    ServerNotReached,
    ServerTooSlow,
    ServerUntrusted,
    SignInRefused,
)
from pudim_collector.infra.mail.mailer import Mailer, dead, sent, waiting
from pudim_collector.infra.mail.outbox import MIGRATIONS, SEALED_MAIL
from pudim_collector.infra.mail.rules import DEAD_KEPT, LEASE, MOST_ATTEMPTS
from pudim_collector.infra.mail.sending import hand_over
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.mail.writing import Writer
from pudim_collector.infra.sealing import Sealer
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.ids import new_id
from tests.collector.infra.mail_places import NAME, PASSWORD, Handler, mail_server
from tests.shared.checks.places import Authority, serving

FROM = "Pudim ü <pudim@example.org>"
TEST = {"template": "test", "subject": "A test ü", "address": "https://pudim.example.org"}


@pytest.fixture
async def clock(fresh_database: str) -> ManualClock:
    made = ManualClock(datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
    await migrate(database, [MIGRATIONS], clock=made)
    return made


@pytest.fixture
def sealer(tmp_path: Path, clock: ManualClock) -> Sealer:
    return Sealer(KeyRing.made(tmp_path / "ring", clock.now()), SEALED_MAIL, keys.generate())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(made.pem)
    return made


def at(port: int, scheme: str = "smtp+plain", who: str = "", ca: Path | None = None) -> SmtpServer:
    return SmtpServer.parse(f"{scheme}://{who}127.0.0.1:{port}", FROM, None, ca)


class Post:
    """A mailer, the server that it talks to, and time that passes."""

    def __init__(self, handler: Handler, mailer: Mailer, clock: ManualClock) -> None:
        self.handler, self.mailer, self.clock = handler, mailer, clock

    async def write(self, to: str = "ada@example.org", **changed: Any) -> Any:
        return await self.mailer.post(to, **{**TEST, **changed})

    async def listed(self) -> list[tuple[str, int, str | None, bool]]:
        return [
            (one.recipient, one.attempts, one.failed, one.dead_at is not None)
            for one in await self.mailer.outbox.listed()
        ]


@pytest.fixture
async def post(sealer: Sealer, clock: ManualClock) -> AsyncIterator[Post]:
    handler = Handler()
    async with mail_server(handler) as port:
        yield Post(handler, Mailer(database, at(port), sealer, clock), clock)


async def test_a_mail_arrives_and_is_gone(post: Post) -> None:
    mail_id = await post.write("Ada@Example.org")
    assert await post.listed() == [("Ada@example.org", 0, None, False)]
    await post.mailer.send_due()
    (took,) = post.handler.took
    assert (took.sender, took.to) == ("pudim@example.org", ["Ada@example.org"])
    assert took.message["Subject"] == "A test ü"
    assert took.message["From"] == FROM
    assert took.message["Message-ID"] == f"<{mail_id}@example.org>"
    assert "https://pudim.example.org can send" in took.part("plain")
    assert "<h1" in took.part("html")
    assert '<a href="https://pudim.example.org"' in took.part("html")
    assert await post.listed() == []


async def test_it_goes_out_when_what_it_tells_of_was_committed(post: Post) -> None:
    with pytest.raises(ZeroDivisionError):
        await fails_after_writing(post)
    async with database.transaction():
        await post.write("eve@example.org")
    await post.mailer.send_due()
    assert [took.to for took in post.handler.took] == [["eve@example.org"]]


async def fails_after_writing(post: Post) -> None:
    async with database.transaction():
        await post.write()
        raise ZeroDivisionError


async def test_nothing_of_it_can_be_read_in_the_database(post: Post) -> None:
    await post.write(address="https://pudim.example.org/reset/s3cret")
    async with database.connection() as connection:
        rows = await (await connection.execute("SELECT o::text, o.content FROM mail_outbox o")).fetchall()
    ((row, content),) = rows
    assert "s3cret" not in row
    assert b"s3cret" not in bytes(content)
    assert "A test" not in row


async def test_what_cannot_be_opened_is_given_up(post: Post, tmp_path: Path) -> None:
    other = Sealer(KeyRing.made(tmp_path / "other", post.clock.now()), SEALED_MAIL, keys.generate())
    await post.write()
    mailer = Mailer(database, post.mailer._server, other, post.clock)
    await mailer.send_due()
    assert await post.listed() == [("ada@example.org", 1, "seal_key_missing", True)]


async def test_a_busy_server_is_asked_again_later(post: Post) -> None:
    post.handler.refusals["RCPT"] = ["450 busy", "451 still busy"]
    await post.write()
    for step in (0, 29, 1, 59, 1):
        post.clock.advance(step)
        await post.mailer.send_due()
    assert len(post.handler.took) == 1
    assert await post.listed() == []


async def test_a_busy_server_is_not_asked_before_its_time(post: Post) -> None:
    post.handler.refusals["RCPT"] = "450 busy"
    await post.write()
    for _ in range(5):
        await post.mailer.send_due()
    assert await post.listed() == [("ada@example.org", 1, "mail_deferred", False)]


async def test_one_that_is_never_taken_is_given_up_and_can_be_revived(post: Post) -> None:
    post.handler.refusals["MAIL"] = "550 who are you\x1b[31m"
    mail_id = await post.write()
    for _ in range(MOST_ATTEMPTS + 3):
        await post.mailer.send_due()
        post.clock.advance(timedelta(hours=2))
    assert await post.listed() == [("ada@example.org", MOST_ATTEMPTS, "mail_deferred", True)]
    assert (waiting._value.get(), dead._value.get()) == (0, 1)
    (row,) = await post.mailer.outbox.listed()
    assert "who are you" in (row.failed_said or "")
    assert "\x1b" not in (row.failed_said or "")
    del post.handler.refusals["MAIL"]
    assert await post.mailer.revive(mail_id) == 1
    await post.mailer.send_due()
    assert [took.to for took in post.handler.took] == [["ada@example.org"]]


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
async def test_a_mail_that_is_refused_for_good_is_given_up_at_once(post: Post, command: str) -> None:
    post.handler.refusals[command] = ["550 no such mailbox"]
    await post.write()
    await post.write("eve@example.org")
    await post.mailer.send_due()
    assert await post.listed() == [("ada@example.org", 1, "mail_rejected", True)]
    assert [took.to for took in post.handler.took] == [["eve@example.org"]]


async def test_one_that_is_no_longer_true_is_not_sent(post: Post) -> None:
    await post.write(life=timedelta(minutes=30))
    post.clock.advance(timedelta(minutes=30))
    await post.mailer.send_due()
    assert not post.handler.took
    assert await post.listed() == [("ada@example.org", 1, "expired", True)]


async def test_given_up_mails_are_forgotten_in_the_end(post: Post) -> None:
    await post.write(life=timedelta(minutes=1))
    post.clock.advance(timedelta(minutes=1))
    await post.mailer.send_due()
    post.clock.advance(DEAD_KEPT)
    await post.mailer.send_due()
    assert len(await post.listed()) == 1
    post.clock.advance(1)
    await post.mailer.send_due()
    assert await post.listed() == []


async def test_who_dies_while_sending_leaves_it_to_the_next(post: Post) -> None:
    await post.write()
    assert await post.mailer.outbox.claim(post.clock.now(), LEASE)
    await post.mailer.send_due()
    assert not post.handler.took
    post.clock.advance(LEASE)
    await post.mailer.send_due()
    assert len(post.handler.took) == 1


async def test_two_that_send_at_once_send_each_mail_once(post: Post) -> None:
    for one in range(30):
        await post.write(f"ada{one}@example.org")
    before = sent.labels("test")._value.get()
    await asyncio.gather(post.mailer.send_due(), post.mailer.send_due())
    assert sorted(took.to[0] for took in post.handler.took) == sorted(
        f"ada{one}@example.org" for one in range(30)
    )
    assert sent.labels("test")._value.get() == before + 30


async def test_the_outbox_is_bounded(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MOST_WAITING", 2)
    await post.write()
    await post.write()
    with pytest.raises(OutboxFull):
        await post.write()


async def test_without_a_server_nothing_is_taken(sealer: Sealer, clock: ManualClock) -> None:
    mailer = Mailer(database, None, sealer, clock)
    assert not mailer.is_configured
    with pytest.raises(MailNotConfigured):
        await mailer.post("ada@example.org", **TEST)
    await mailer.send_due()


async def deliver(server: SmtpServer, patience: float = 10) -> None:
    mail = Writer().write("ada@example.org", "test", "A test", {"address": "https://pudim.example.org"})
    await hand_over(mail, new_id(), datetime.now(UTC), server, patience)


WHO = f"{quote(NAME, safe='')}:{quote(PASSWORD, safe='')}@"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_tls_and_a_password(authority: Authority, tmp_path: Path, scheme: str) -> None:
    context, handler = authority.made("127.0.0.1").context, Handler()
    by_then = {"starttls": context, "auth_required": True}
    from_the_start = {"tls": context, "auth_require_tls": False}
    async with mail_server(handler, **(by_then if scheme == "smtp" else from_the_start)) as port:
        await deliver(at(port, scheme, WHO, tmp_path / "ca.pem"))
        with pytest.raises(SignInRefused) as refused:
            await deliver(at(port, scheme, "eve:wrong@", tmp_path / "ca.pem"))
    (took,) = handler.took
    assert took.signed_in == NAME
    assert took.is_secured or scheme == "smtps"
    assert "wrong" not in f"{refused.value} {refused.value.said}"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(("name", "is_known"), [("127.0.0.1", False), ("other.test", True)])
async def test_a_server_that_is_not_who_it_says(
    authority: Authority, tmp_path: Path, scheme: str, name: str, is_known: bool
) -> None:
    context, handler = authority.made(name).context, Handler()
    how = {"starttls": context} if scheme == "smtp" else {"tls": context}
    async with mail_server(handler, **how) as port:
        with pytest.raises(ServerUntrusted):
            await deliver(at(port, scheme, WHO, tmp_path / "ca.pem" if is_known else None))
    assert not handler.took


@pytest.mark.parametrize("scheme", ["smtp+plain", "smtp"])
async def test_a_server_that_lets_nobody_sign_in(authority: Authority, tmp_path: Path, scheme: str) -> None:
    context, handler = authority.made("127.0.0.1").context, Handler()
    without = {"auth_exclude_mechanism": ["LOGIN", "PLAIN"]}
    async with mail_server(handler, starttls=context if scheme == "smtp" else None, **without) as port:
        with pytest.raises(SignInRefused):
            await deliver(at(port, scheme, WHO, tmp_path / "ca.pem"))
    assert not handler.took


async def test_starttls_cannot_be_taken_away(authority: Authority) -> None:
    handler = Handler()
    async with mail_server(handler) as port:
        with pytest.raises(ServerUntrusted):
            await deliver(at(port, "smtp"))
    assert not handler.took


@pytest.mark.parametrize(
    ("command", "said", "error"),
    [
        ("MAIL", "550 no", Deferred),
        ("MAIL", "451 later", Deferred),
        ("RCPT", "550 no such mailbox", Rejected),
        ("RCPT", "450 greylisted", Deferred),
        ("DATA", "554 spam", Rejected),
        ("DATA", "452 full", Deferred),
        ("DATA", "hang up", ServerNotReached),
    ],
)
async def test_what_a_refusal_means(command: str, said: str, error: type[NotSent]) -> None:
    handler = Handler({command: said})
    async with mail_server(handler) as port:
        with pytest.raises(error) as found:
            await deliver(at(port))
    assert type(found.value) is error
    assert found.value.said == ("" if said == "hang up" else said)
    assert not handler.took


async def _silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _drips(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-wait\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _never_ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hello\r\n")
    while await reader.readline():
        writer.write(b"250-more\r\n")


async def _floods(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220-" + b"x" * 1_000_000)
    await writer.drain()
    await asyncio.sleep(60)


async def _leaves(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _speaks_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "errors"),
    [
        (_silent, (ServerTooSlow,)),
        (_drips, (ServerTooSlow, Deferred)),
        (_never_ready, (ServerTooSlow,)),
        (_floods, (Deferred,)),
        (_leaves, (ServerNotReached,)),
        (_speaks_http, (ServerNotReached, Deferred)),
    ],
)
async def test_what_is_no_good_mail_server(handler: Any, errors: tuple[type[NotSent], ...]) -> None:
    async with serving(handler) as port:
        with pytest.raises(errors):
            await deliver(at(port), patience=1)


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ServerNotReached):
        await deliver(at(port))
