"""Web pages on a real server: what is fine, what is not, and what a hostile server cannot do."""

import asyncio
from typing import Any

import pytest

from pudim.checks import Figure, Outcome, Status
from pudim.checks.addresses import Guard, networks_of
from pudim.checks.certificates import REMAINING
from pudim.checks.http import CODE
from pudim.checks.http_client import MOST_BODY
from tests.shared.checks.places import DAY, Authority, Web, around, found, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def asked(web: Web, path: str = "/", **settings: Any) -> Outcome:
    async with serving(web) as port:
        return await found("http", url=f"http://127.0.0.1:{port}{path}", **settings)


async def test_a_page_that_answers() -> None:
    web = Web()
    outcome = await asked(
        web, "/a b".replace(" ", "%20") + "?q=1#top", contains="hell", matches="^h.*o$", lacks="bye"
    )
    assert (outcome.status, outcome.code, outcome.detail) == (Status.UP, "ok", "HTTP 200")
    assert outcome.figures[CODE] == 200
    phases = {dict(one.labels)["pudim.check.phase"] for one in outcome.figures if one.labels}
    assert phases == {"resolve", "connect", "wait", "receive"}
    assert 0 < sum(value for one, value in outcome.figures.items() if one.labels) <= outcome.duration
    assert web.asked[0].startswith("GET /a%20b?q=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"statuses": ["201-299"]}, "status"),
        ({"statuses": ["3xx", "404"]}, "status"),
        ({"contains": "bye"}, "text_missing"),
        ({"lacks": "hello"}, "text_present"),
        ({"matches": "^ello"}, "no_match"),
    ],
)
async def test_a_page_that_is_not_as_it_should_be(settings: dict[str, Any], code: str) -> None:
    outcome = await asked(Web(), **settings)
    assert (outcome.status, outcome.code) == (Status.DOWN, code)
    assert outcome.figures[CODE] == 200


async def test_what_is_sent() -> None:
    web = Web()
    await asked(web, method="POST", body="größe", headers=["X-Key: se:cret", "User-Agent: mine"])
    head, _, body = web.asked[0].partition("\r\n\r\n")
    assert head.split("\r\n")[0] == "POST / HTTP/1.1"
    assert {"X-Key: se:cret", "User-Agent: mine", "Content-Length: 7", "Connection: close"} <= set(
        head.split("\r\n")
    )
    assert body == "größe"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
            "hello",
        ),
        (b"HTTP/1.0 200\r\n\r\nuntil the end", "until the end"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok"),
    ],
)
async def test_forms_of_an_answer(answer: bytes, body: str) -> None:
    assert (await asked(Web(answer), matches=f"^{body}$")).code == "ok"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "cut_short"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "malformed"),
        (b"HTTP/1.1 999 Odd\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "cut_short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 20_000, "malformed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200, "malformed"),
        (b"HTTP/1.1 100 Wait\r\n\r\n" * 20, "malformed"),
    ],
)
async def test_what_is_no_answer_is_down(answer: bytes, code: str) -> None:
    outcome = await asked(Web(answer), contains="x")
    assert (outcome.status, outcome.code) == (Status.DOWN, code)


async def test_a_body_without_end_is_read_up_to_a_bound() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            sent += 65_536
            await writer.drain()

    async with serving(endless) as port:
        outcome = await found("http", url=f"http://127.0.0.1:{port}", contains="y")
    assert outcome.code == "text_missing"
    assert str(MOST_BODY) in outcome.detail
    assert sent < 16 * MOST_BODY


async def test_a_compressed_body_that_nobody_asked_for_is_not_judged() -> None:
    outcome = await asked(Web(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nx"), contains="x")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "encoded")


async def test_a_pattern_that_would_run_for_ever_is_ended() -> None:
    web = Web(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 60)
    outcome = await asked(web, matches="(a|a)*b", timeout=30)
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "pattern_too_slow")


async def test_a_server_that_says_nothing_is_down_by_the_timeout() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as port:
        outcome = await found("http", url=f"http://127.0.0.1:{port}", timeout=0.2)
    assert (outcome.status, outcome.code) == (Status.DOWN, "timeout")


# Redirects


def leading(to: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_redirects_are_followed_as_browsers_do() -> None:
    web = Web(paths={"/": leading("/b/c"), "/b/c": leading("../d", 307), "/d": OK})
    assert (await asked(web, contains="ok")).detail == "HTTP 200"
    web = Web(paths={"/": leading("/next", 303), "/next": OK})
    await asked(web, method="POST", body="x")
    assert web.asked[1].startswith("GET /next ")
    assert "x" not in web.asked[1].partition("\r\n\r\n")[2]


async def test_a_redirect_may_be_what_is_expected() -> None:
    assert (await asked(Web(leading("https://example.org")), redirects=0, statuses=["302"])).code == "ok"


async def test_redirects_are_bounded() -> None:
    web = Web(leading("/"))
    assert (await asked(web, redirects=2)).code == "too_many_redirects"
    assert len(web.asked) == 3


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "//169.254.169.254/",
        "http://metadata.test/",
    ],
)
async def test_a_redirect_to_where_nobody_may_ask_is_refused(to: str) -> None:
    async def resolve(host: str) -> list[str]:
        return {"metadata.test": ["169.254.169.254"]}[host]

    async with serving(Web(leading(to))) as port:
        outcome = await found("http", around(resolve=resolve), url=f"http://127.0.0.1:{port}/")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "address_refused")


@pytest.mark.parametrize(
    "to", ["ftp://x/", "file:///etc/passwd", "http://a:b@127.0.0.1/", "http://x/\x01", "http://["]
)
async def test_a_redirect_to_nowhere_is_down(to: str) -> None:
    assert (await asked(Web(leading(to)))).code == "bad_redirect"


async def test_secrets_are_not_sent_to_another_origin() -> None:
    other = Web(OK)
    async with serving(other) as elsewhere:
        web = Web(leading(f"http://127.0.0.1:{elsewhere}/", 307))
        await asked(web, method="POST", body="secret", headers=["Authorization: secret"])
    assert "secret" in web.asked[0]
    assert "secret" not in other.asked[0]


# Names and addresses


async def test_the_address_that_was_checked_is_the_one_that_is_asked() -> None:
    """A name that would lead elsewhere a moment later is asked for once."""
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    async def rebinding(_host: str) -> list[str]:
        return next(answers)

    web = Web()
    async with serving(web) as port:
        outcome = await found("http", around(resolve=rebinding), url=f"http://name.test:{port}/")
    assert outcome.code == "ok"
    assert f"Host: name.test:{port}\r\n" in web.asked[0]
    assert next(answers) == ["169.254.169.254"]


async def test_of_many_addresses_only_allowed_ones_are_asked() -> None:
    async def resolve(_host: str) -> list[str]:
        return ["169.254.169.254", "127.0.0.1"]

    async with serving(Web()) as port:
        url = f"http://name.test:{port}/"
        assert (await found("http", around(resolve=resolve), url=url)).code == "ok"
        narrow = Guard(networks=networks_of(["10.0.0.0/8"]))
        refused = await found("http", around(resolve=resolve, guard=narrow), url=url)
    assert (refused.status, refused.code) == (Status.UNKNOWN, "address_refused")


async def test_a_name_that_is_not_there_and_one_that_cannot_be_asked_for() -> None:
    import socket

    def failing(number: int) -> Any:
        async def resolve(_host: str) -> list[str]:
            raise socket.gaierror(number, "no")

        return around(resolve=resolve)

    gone = await found("http", failing(socket.EAI_NONAME), url="http://name.test")
    unasked = await found("http", failing(socket.EAI_AGAIN), url="http://name.test")
    assert (gone.status, gone.code) == (Status.DOWN, "name_unknown")
    assert (unasked.status, unasked.code) == (Status.UNKNOWN, "resolver_failed")


# TLS


async def test_a_certificate_is_judged(authority: Authority) -> None:
    async with serving(Web(), authority.made("127.0.0.1").context) as port:
        url = f"https://127.0.0.1:{port}"
        outcome = await found("http", url=url, ca=authority.pem)
        assert outcome.code == "ok"
        assert 89 * 86_400 < outcome.figures[REMAINING] < 91 * 86_400
        assert Figure("pudim.check.phase.duration", (("pudim.check.phase", "tls"),)) in outcome.figures
        assert (
            await found("http", url=url, ca=authority.pem, least_days=100)
        ).code == "certificate_ends_soon"
        assert (await found("http", url=url)).code == "certificate_untrusted"
        unverified = await found("http", url=url, verify=False)
        assert unverified.code == "ok"
        assert unverified.figures[REMAINING] == pytest.approx(outcome.figures[REMAINING], abs=60)


async def test_an_ended_certificate_is_down_unless_nobody_asks(authority: Authority) -> None:
    async with serving(Web(), authority.made("127.0.0.1", end=-DAY).context) as port:
        url = f"https://127.0.0.1:{port}"
        assert (await found("http", url=url, ca=authority.pem)).code == "certificate_expired"
        assert (await found("http", url=url, verify=False)).figures[REMAINING] < 0


async def test_plain_http_where_tls_is_expected_is_down() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with serving(plain) as port:
        assert (await found("http", url=f"https://127.0.0.1:{port}")).code == "tls_failed"
