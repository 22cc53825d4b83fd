"""A real name server's answers compared, a lying one's passed by, and every byte of an answer taken as hostile."""

import asyncio
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.checks import Outcome, Status
from pudim.checks.addresses import Guard, networks_of
from pudim.checks.dns import COUNT, system_resolvers
from pudim.checks.dns_codec import TYPES, BadMessage, decode_answer, encode_question
from tests.running import free_port
from tests.shared.checks.places import around, found

DNSMASQ = Path("/usr/sbin/dnsmasq")
LONG = [f"part {number} " + "x" * 200 for number in range(20)]


# A real name server


@pytest.fixture(scope="module")
def dnsmasq() -> Iterator[int]:
    """The port of a name server that knows a few names and asks nobody."""
    if not DNSMASQ.exists():
        pytest.skip(f"{DNSMASQ} is missing: packaging/system-packages installs it, as root")
    port = free_port()
    records = [
        "--host-record=www.shop.test,192.0.2.1,2001:db8::1",
        "--host-record=www.shop.test,192.0.2.2",
        "--cname=alias.shop.test,www.shop.test",
        "--mx-host=shop.test,mail.shop.test,10",
        "--txt-record=shop.test,v=spf1 -all,second",
        *(f"--txt-record=long.shop.test,{text}" for text in LONG),
        "--dns-rr=shop.test,2,026e73047368" + "6f70047465737400",
    ]
    running = subprocess.Popen(
        [
            *(DNSMASQ, "--no-daemon", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces"),
            *("--no-resolv", "--no-hosts", "--local=/test/", "--conf-file=/dev/null", "--pid-file"),
            *records,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait(port)
    yield port
    running.terminate()
    running.wait()


def _wait(port: int) -> None:
    import socket

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("dnsmasq did not come up")


@pytest.mark.parametrize(
    ("name", "type_", "expected"),
    [
        ("www.shop.test", "A", ["192.0.2.1", "192.0.2.2"]),
        ("WWW.Shop.Test.", "AAAA", ["2001:DB8:0::1"]),
        ("shop.test", "MX", ["10 Mail.shop.test."]),
        ("shop.test", "TXT", ["v=spf1 -allsecond"]),
        ("shop.test", "NS", ["ns.shop.test"]),
        ("alias.shop.test", "CNAME", ["www.shop.test"]),
        ("alias.shop.test", "A", ["192.0.2.1", "192.0.2.2"]),
    ],
)
async def test_what_a_real_server_answers(dnsmasq: int, name: str, type_: str, expected: list[str]) -> None:
    given_ = {"name": name, "type": type_, "resolver": "127.0.0.1", "port": dnsmasq}
    outcome = await found("dns", **given_, expected=expected, exact=True)
    assert (outcome.status, outcome.code) == (Status.UP, "ok"), outcome
    assert outcome.figures[COUNT] == len(expected)
    missing = await found("dns", **given_, expected=["192.0.2.9"])
    assert (missing.status, missing.code) == (Status.DOWN, "answer_missing")


async def test_what_a_real_server_does_not_know(dnsmasq: int) -> None:
    given_ = {"resolver": "127.0.0.1", "port": dnsmasq}
    assert (await found("dns", name="none.shop.test", **given_)).code == "nxdomain"
    assert (await found("dns", name="www.shop.test", type="MX", **given_)).code == "no_answer"
    assert (await found("dns", name="example.org", **given_)).code == "refused"
    more = await found("dns", name="www.shop.test", expected=["192.0.2.1"], exact=True, **given_)
    assert more.code == "answer_unexpected"


async def test_an_answer_too_long_for_udp_comes_by_tcp(dnsmasq: int) -> None:
    outcome = await found(
        "dns",
        name="long.shop.test",
        type="TXT",
        expected=LONG,
        exact=True,
        resolver="127.0.0.1",
        port=dnsmasq,
    )
    assert (outcome.status, outcome.figures[COUNT]) == (Status.UP, len(LONG)), outcome.detail[:200]


# A server that lies, or says nothing

Say = Callable[[bytes], list[bytes]]


class _Server(asyncio.DatagramProtocol):
    def __init__(self, say: Say) -> None:
        self._say = say
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        for one in self._say(data):
            self.transport.sendto(one, address)


@asynccontextmanager
async def answering(say: Say) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Server(say), local_addr=("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")[1]
    transport.close()


def answer(
    question: bytes, *, number: bytes | None = None, flags: int = 0x8180, name: bytes | None = None
) -> bytes:
    """One A record of 192.0.2.1, with a pointer to the name that was asked for."""
    asked = question[12 : question.index(b"\0", 12) + 5]
    asked = asked if name is None else name + asked[-4:]
    head = (question[:2] if number is None else number) + struct.pack("!5H", flags, 1, 1, 0, 0)
    return head + asked + b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + bytes((192, 0, 2, 1))


async def asked(say: Say, **settings: Any) -> Outcome:
    async with answering(say) as port:
        given_ = {"name": "shop.test", "resolver": "127.0.0.1", "port": port, **settings}
        return await found("dns", timeout=1, **given_)


async def test_forged_answers_are_passed_by() -> None:
    def forging(question: bytes) -> list[bytes]:
        other = bytes((question[0] ^ 1, question[1]))
        lies = [
            answer(question, number=other),
            answer(question, name=b"\x04evil\x04test\0"),
            answer(question, flags=0x0180),
            b"",
            b"\0" * 12,
            answer(question)[:-3],
        ]
        return [lie.replace(b"\xc0\0\2\1", b"\xc0\0\2\x63") for lie in lies] + [answer(question)]

    assert (await asked(forging, expected=["192.0.2.1"], exact=True)).status is Status.UP
    assert (await asked(lambda question: forging(question)[:-1])).code == "timeout"


async def test_a_question_that_got_lost_is_asked_again() -> None:
    seen: list[bytes] = []

    def second(question: bytes) -> list[bytes]:
        seen.append(question)
        return [answer(question)] if len(seen) > 1 else []

    assert (await asked(second)).status is Status.UP


async def test_each_question_has_a_number_and_a_port_of_its_own() -> None:
    numbers: set[bytes] = set()

    def noting(question: bytes) -> list[bytes]:
        numbers.add(question[:2])
        return [answer(question)]

    for _ in range(20):
        await asked(noting)
    assert len(numbers) > 15


@pytest.mark.parametrize(
    ("code", "said"), [(2, "servfail"), (3, "nxdomain"), (5, "refused"), (11, "rcode_11")]
)
async def test_a_server_that_says_no(code: int, said: str) -> None:
    outcome = await asked(lambda question: [answer(question, flags=0x8180 | code)])
    assert (outcome.status, outcome.code) == (Status.DOWN, said)


async def test_where_nobody_listens() -> None:
    outcome = await found("dns", name="shop.test", resolver="127.0.0.1", port=free_port())
    assert (outcome.status, outcome.code) == (Status.DOWN, "refused")


async def test_which_servers_may_be_asked() -> None:
    for resolver in ("169.254.169.254", "::ffff:169.254.169.254"):
        outcome = await found("dns", name="shop.test", resolver=resolver)
        assert (outcome.status, outcome.code) == (Status.UNKNOWN, "address_refused")
    narrow = around(guard=Guard(networks=networks_of(["10.0.0.0/8"])))
    assert (await found("dns", narrow, name="shop.test", resolver="127.0.0.1")).code == "address_refused"


async def test_the_systems_servers(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nsearch test\nnameserver 192.0.2.53\nnameserver evil\nnameserver ::1\nnameserver\n")
    assert system_resolvers(str(path)) == ["192.0.2.53", "::1"]
    outcome = await found("dns", around(resolv_conf=str(tmp_path / "none")), name="shop.test")
    assert (outcome.status, outcome.code) == (Status.UNKNOWN, "no_resolver")


# Bytes


@given(st.binary(max_size=600))
def test_any_bytes_are_an_answer_or_none(message: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_answer(message, 7, "shop.test", TYPES["A"])


@given(st.binary(max_size=300), st.sampled_from(sorted(TYPES)), st.integers(0, 65_535))
def test_any_bytes_behind_a_good_beginning_are_an_answer_or_none(tail: bytes, kind: str, count: int) -> None:
    question = encode_question(7, "shop.test", TYPES[kind])
    end = question.index(b"\0", 12) + 5
    message = struct.pack("!6H", 7, 0x8180, 1, count, 0, 0) + question[12:end] + tail
    try:
        found_ = decode_answer(message, 7, "Shop.Test.", TYPES[kind])
    except BadMessage:
        return
    assert len(found_.records) <= 256
    assert all(one.text.isprintable() and one.text.isascii() for one in found_.records)


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",
        b"\xc0\x1b",
        b"\xc0\xff",
        b"\x01a\xc0\x1b",
        b"\x40" + b"a" * 64 + b"\0",
        (b"\x3f" + b"a" * 63) * 4 + b"\0",
    ],
)
def test_names_that_lead_in_circles_or_on_for_ever_are_refused(name: bytes) -> None:
    """The record begins at 27, behind a question of its own whose name stands at 12."""
    question = encode_question(7, "shop.test", TYPES["CNAME"])
    head = struct.pack("!6H", 7, 0x8180, 1, 1, 0, 0) + question[12:27]
    value = struct.pack("!HHIH", TYPES["CNAME"], 1, 60, 2) + b"\xc0\x0c"
    if name == b"\xc0\x0c":
        assert (
            decode_answer(head + name + value, 7, "shop.test", TYPES["CNAME"]).records[0].text == "shop.test"
        )
    else:
        with pytest.raises(BadMessage):
            decode_answer(head + name + value, 7, "shop.test", TYPES["CNAME"])


@given(st.binary(max_size=255))
def test_texts_of_a_server_are_harmless(raw: bytes) -> None:
    question = encode_question(7, "shop.test", TYPES["TXT"])
    head = struct.pack("!6H", 7, 0x8180, 1, 1, 0, 0) + question[12 : question.index(b"\0", 12) + 5]
    value = bytes((len(raw),)) + raw
    record = b"\xc0\x0c" + struct.pack("!HHIH", TYPES["TXT"], 1, 60, len(value)) + value
    (found_,) = decode_answer(head + record, 7, "shop.test", TYPES["TXT"]).records
    assert found_.text.isascii()
    assert found_.text.isprintable() or not found_.text


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".test", ".".join(["x" * 60] * 5)])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(BadMessage):
        encode_question(7, name, 1)
