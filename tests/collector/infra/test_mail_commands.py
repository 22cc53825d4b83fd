"""`pudim admin mail` as an operator types it, with a real mail server and a real database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pudim_collector.app.mail_report import table
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import BadSetting, Settings, read_settings
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import COLLECTOR_KEY, clock, runtime
from tests.collector.infra.mail_places import Handler, mail_server

__all__ = ["clock", "runtime"]

FROM = "Pudim <pudim@example.org>"


class Operator:
    """Types commands in an environment of its own."""

    def __init__(self, conninfo: str, folder: Path, port: int, handler: Handler) -> None:
        self.handler = handler
        self._environment = {
            "PATH": "",
            "PUDIM_DATABASE_URL": conninfo,
            "PUDIM_DATA_DIR": str(folder),
            "PUDIM_SMTP_URL": f"smtp+plain://127.0.0.1:{port}",
            "PUDIM_MAIL_FROM": FROM,
        }

    async def types(self, *words: str, **changed: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("pudim")),
            *("admin", "mail", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment | changed,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()


@pytest.fixture
async def operator(fresh_database: str, tmp_path: Path) -> AsyncIterator[Operator]:
    handler = Handler()
    async with mail_server(handler) as port:
        yield Operator(fresh_database, tmp_path, port, handler)


async def test_a_test_mail(operator: Operator) -> None:
    assert await operator.types("test", "ada@example.org") == (
        0,
        "The mail server took it for ada@example.org.\n",
    )
    (took,) = operator.handler.took
    assert "can send mail to you" in took.part("plain")


@pytest.mark.parametrize(
    ("address", "changed", "said"),
    [
        ("ada", {}, "not a mail address"),
        ("ada@example.org", {"PUDIM_SMTP_URL": ""}, "sets PUDIM_SMTP_URL"),
        ("ada@example.org", {"PUDIM_MAIL_FROM": ""}, "PUDIM_MAIL_FROM needs a sender"),
        ("ada@example.org", {"PUDIM_SMTP_URL": "mail.example.org"}, "PUDIM_SMTP_URL must be like"),
        ("ada@example.org", {"PUDIM_CA_FILE": "/nonexistent"}, "PUDIM_CA_FILE must be"),
    ],
)
async def test_a_test_mail_that_cannot_be_sent(
    operator: Operator, address: str, changed: dict[str, str], said: str
) -> None:
    status, words = await operator.types("test", address, **changed)
    assert status == 1
    assert said in words
    assert "Traceback" not in words


async def test_the_servers_word_is_told(operator: Operator) -> None:
    operator.handler.refusals["RCPT"] = "550 no such mailbox"
    status, words = await operator.types("test", "ada@example.org")
    assert status == 1
    assert "550 no such mailbox" in words


def with_mail(runtime: Runtime, clock: ManualClock, port: int) -> Runtime:
    server = SmtpServer.parse(f"smtp+plain://127.0.0.1:{port}", FROM)
    return Runtime.assemble(replace(runtime.settings, mail=server), COLLECTOR_KEY, database, clock)


async def test_what_was_given_up_is_listed_retried_and_discarded(
    runtime: Runtime, clock: ManualClock, fresh_database: str
) -> None:
    handler = Handler({"RCPT": "550 no such mailbox\x1b[2J"})
    async with mail_server(handler) as port:
        operator = Operator(fresh_database, runtime.settings.data_dir, port, handler)
        assert await operator.types("list") == (0, "No mail waits, and none was given up.\n")
        mailer = with_mail(runtime, clock, port).mailer
        ids = [
            await mailer.post(f"{name}@example.org", "test", "A test", address="https://x.test")
            for name in ("ada", "eve")
        ]
        await mailer.send_due()
        status, words = await operator.types("list")
        assert status == 0
        assert words.count("given up") == 2
        assert "mail_rejected: 550 no such mailbox" in words
        assert "\x1b" not in words
        assert await operator.types("retry", str(ids[0])) == (0, "To be tried again: 1\n")
        assert await operator.types("discard", str(ids[1])) == (0, "")
        assert (await operator.types("discard", str(ids[1])))[0] == 1
        assert (await operator.types("retry"))[0] == 2
        handler.refusals.clear()
        clock.advance(timedelta(minutes=1))
        await mailer.send_due()
        assert [took.to for took in handler.took] == [["ada@example.org"]]
        assert await operator.types("retry", "--all") == (0, "To be tried again: 0\n")


async def test_a_collector_that_runs_sends_what_waits(runtime: Runtime, clock: ManualClock) -> None:
    handler = Handler()
    async with mail_server(handler) as port:
        running = with_mail(runtime, clock, port)
        await running.mailer.post("ada@example.org", "test", "A test", address="https://x.test")
        async with running.running(), asyncio.timeout(30):
            while not handler.took:
                await asyncio.sleep(0.05)
    assert handler.took[0].to == ["ada@example.org"]


def test_settings_of_mail_and_of_what_goes_out(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    found = read_settings(
        {
            "PUDIM_SMTP_URL": "smtp://pudim@mail.example.org",
            "PUDIM_SMTP_PASSWORD_FILE": str(tmp_path / "password"),
            "PUDIM_MAIL_FROM": FROM,
            "PUDIM_OUTBOUND_ALLOW": "10.0.0.0/8, hooks.internal:8443",
        }
    )
    assert found.mail is not None
    assert (found.mail.username, found.mail.password) == ("pudim", "correct horse")
    assert len(found.outbound.entries) == 2
    assert "correct horse" not in repr(found)
    assert read_settings({}) == Settings(Path(".pudim"))


@pytest.mark.parametrize("text", ["10.0.0.0/99", "http://x.test", "0x7f.1", "x.test:0"])
def test_a_bad_allow_list_is_named(text: str) -> None:
    with pytest.raises(BadSetting, match="PUDIM_OUTBOUND_ALLOW"):
        read_settings({"PUDIM_OUTBOUND_ALLOW": text})


def test_no_mails_are_no_table() -> None:
    assert table([]) == "No mail waits, and none was given up."
