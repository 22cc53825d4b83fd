"""What may be an address, a subject, a mail server, and when a mail is tried again, decided without a network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.mail.addresses import address
from pudim_collector.infra.mail.errors import BadAddress, BadMail
from pudim_collector.infra.mail.rules import LONGEST_DELAY, MOST_ATTEMPTS, next_try
from pudim_collector.infra.mail.server import Security, SmtpServer
from pudim_collector.infra.mail.writing import Mail, Writer, message, printable

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
FROM = "Pudim <pudim@example.org>"
SERVER = SmtpServer.parse("smtp://mail.example.org", FROM)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.Lovelace+x@EXAMPLE.org", "Ada.Lovelace+x@example.org"),
        ("root@localhost", "root@localhost"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("o'hara@example.org", "o'hara@example.org"),
    ],
)
def test_an_address(text: str, found: str) -> None:
    assert address(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *("", "ada", "@example.org", "ada@", "a b@example.org", "ada@example.org\r\nRCPT TO:<eve@x.test>"),
        *("ada@example.org\n", "ada\r\n@example.org", "ada@example.org, eve@x.test", "<ada@example.org>"),
        *("Ada <ada@example.org>", '"a b"@example.org', "ada@@example.org", "ada@eve@example.org", "ada@[127.0.0.1]"),
        *(".ada@example.org", "ada.@example.org", "a..b@example.org", "ada@-x.org", "ada@exam ple.org", "ada@x..org"),
        *("ädä@example.org", "ada@example.org\x00", "ada@example.org>", "a" * 65 + "@example.org", "ada@example.org."),
        "augusta.ada@" + "a" * 60 + "." + ("b" * 60 + ".") * 3 + "org",
    ],
)  # fmt: skip
def test_no_address(text: str) -> None:
    with pytest.raises(BadAddress):
        address(text)


@given(st.text(max_size=80))
def test_an_address_is_one_word(text: str) -> None:
    for one in (text, f"{text}@example.org", f"ada@{text}"):
        try:
            found = address(one)
        except BadAddress:
            continue
        assert found.isascii()
        assert found.count("@") == 1
        assert not set(found) & set(' \r\n\t<>,;:"()\\\x00')


def templates(
    folder: Path, text: str = "Hello {{ name }}\n", html: str = "<p>Hello {{ name }}</p>"
) -> Writer:
    (folder / "mail").mkdir(exist_ok=True)
    (folder / "mail" / "_hello.txt").write_text(text)
    (folder / "mail" / "_hello.html").write_text(html)
    return Writer(folder)


def test_what_people_typed_is_neither_markup_nor_a_line(tmp_path: Path) -> None:
    name = "<b>Eve</b>\r\n\r\nYour password expired:\u2028 http://evil.test \u202egnp.exe"
    mail = templates(tmp_path).write("ada@example.org", "hello", "Hello", {"name": name})
    assert mail.text == "Hello <b>Eve</b> Your password expired:  http://evil.test  gnp.exe\n"
    assert "<b>" not in mail.html
    assert "&lt;b&gt;Eve" in mail.html
    assert "\n" not in mail.html


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "//x.test", "", " https://x.test", "https://x\n"]
)
def test_a_link_leads_to_a_page(tmp_path: Path, link: str) -> None:
    writer = templates(tmp_path, html='<a href="{{ web_address(name) }}">go</a>')
    with pytest.raises(BadMail):
        writer.write("ada@example.org", "hello", "Hello", {"name": link})
    good = writer.write("ada@example.org", "hello", "Hello", {"name": 'https://x.test/?a="b'})
    assert good.html == '<a href="https://x.test/?a=&#34;b">go</a>'


@pytest.mark.parametrize(
    "subject",
    ["", "Hello\r\nBcc: eve@x.test", "Hello\nX: y", "Hello\x00", "a\rb", "a\u2028b", "\u202ea", "x" * 201],
)
def test_such_a_subject_is_refused(tmp_path: Path, subject: str) -> None:
    with pytest.raises(BadMail):
        templates(tmp_path).write("ada@example.org", "hello", subject, {"name": "Ada"})


@pytest.mark.parametrize("template", ["../hello", "hello.txt", "", "Hello", "_hello", "a" * 65])
def test_such_a_template_is_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(BadMail):
        templates(tmp_path).write("ada@example.org", template, "Hello", {"name": "Ada"})


def test_a_mail_that_is_too_long_is_refused(tmp_path: Path) -> None:
    writer = templates(tmp_path, html="{% for one in range(300000) %}x{% endfor %}")
    with pytest.raises(BadMail):
        writer.write("ada@example.org", "hello", "Hello", {"name": "Ada"})


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf"]), min_size=1, max_size=200))
def test_a_message_has_the_headers_it_should_and_no_other(subject: str) -> None:
    if not subject.strip():
        return
    mail = Mail("ada@example.org", "hello", subject, "text ü\n", "<p>html ü</p>\n")
    wire = message(mail, UUID(int=7), NOW, SERVER).as_bytes()
    found = message_from_bytes(wire, policy=default)
    assert set(map(str.lower, found.keys())) == {
        *("from", "to", "subject", "date", "message-id", "auto-submitted", "x-auto-response-suppress"),
        *("mime-version", "content-type"),
    }
    assert found["To"] == "ada@example.org"
    assert found["From"] == FROM
    assert found["Message-ID"] == "<00000000-0000-0000-0000-000000000007@example.org>"
    assert all(len(line) <= 998 for line in wire.split(b"\r\n"))
    assert wire.isascii()


@given(st.text(max_size=400))
def test_a_strangers_word_steers_no_terminal(text: str) -> None:
    said = printable(text, 300)
    assert len(said) <= 300
    assert not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 for one in said)


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtp://mail.example.org", "mail.example.org", 587, Security.STARTTLS),
        ("smtp://mail.example.org:2525/", "mail.example.org", 2525, Security.STARTTLS),
        ("smtps://mail.example.org", "mail.example.org", 465, Security.TLS),
        ("smtp+plain://[::1]", "::1", 25, Security.NONE),
        ("smtp+plain://10.0.0.25:2525", "10.0.0.25", 2525, Security.NONE),
    ],
)
def test_a_server(url: str, host: str, port: int, security: Security) -> None:
    found = SmtpServer.parse(url, FROM)
    assert (found.host, found.port, found.security) == (host, port, security)
    assert (found.sender_name, found.sender) == ("Pudim", "pudim@example.org")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mail.example.org",
            "http://mail.example.org",
            "smtp://",
            "smtp:///x",
            "smtp://x:0",
            "smtp://x:99999",
        ),
        *(
            "smtp://x/path",
            "smtp://x?y",
            "smtp://x#y",
            "smtp://x\r\ny",
            "smtp://[",
            "smtp://-x",
            "smtp://name@x",
        ),
        *("smtp+plain://n:s3cret@mail.example.org", "smtp+plain://n:s3cret@10.0.0.1"),
    ],
)
def test_no_server(url: str) -> None:
    with pytest.raises(ValueError) as said:  # noqa: PT011 - the words are for people
        SmtpServer.parse(url, FROM)
    assert "s3cret" not in str(said.value)


@pytest.mark.parametrize(
    "sender", ["", "Pudim", "Pudim <>", "a@b.org\nX: y", "Pu\ndim <a@b.org>", "x" * 129 + " <a@b.org>"]
)
def test_no_sender(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        SmtpServer.parse("smtp://mail.example.org", sender)


def test_a_password_may_stand_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse ü\n")
    found = SmtpServer.parse("smtp://n%40example.org@mail.example.org", FROM, path)
    assert (found.username, found.password) == ("n@example.org", "correct horse ü")
    assert "horse" not in repr(found)
    assert SmtpServer.parse("smtp://n:p%3Aq@mail.example.org", FROM).password == "p:q"
    assert SmtpServer.parse("smtp+plain://n:p@127.0.0.1", FROM).password == "p"


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff\xfe", b"x" * 2000, None])
def test_a_file_without_a_password(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="password file"):
        SmtpServer.parse("smtp://name@mail.example.org", FROM, path)


def test_attempts_come_further_and_further_apart_and_end() -> None:
    far = NOW + timedelta(days=365)
    tries = [next_try(attempts, NOW, far) for attempts in range(1, MOST_ATTEMPTS)]
    delays = [at - NOW for at in tries if at is not None]
    assert len(delays) == MOST_ATTEMPTS - 1
    assert delays == sorted(delays)
    assert delays[0] == timedelta(seconds=30)
    assert delays[-1] == LONGEST_DELAY
    assert sum(delays, timedelta()) < timedelta(days=1)
    assert next_try(MOST_ATTEMPTS, NOW, far) is None


def test_nothing_is_tried_when_it_is_no_longer_true() -> None:
    assert next_try(1, NOW, NOW + timedelta(seconds=30)) is None
    assert next_try(1, NOW, NOW + timedelta(seconds=31)) == NOW + timedelta(seconds=30)
