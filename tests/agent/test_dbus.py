"""D-Bus messages: what we write, what we read, and what is no message."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.dbus import BadMessage, Bus, Call, CallFailed, decode_answer, encode_call

HELLO = Call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")


def answer(body: bytes, signature: str, *, kind: int = 2, serial: int = 7, endian: str = "<") -> bytes:
    """A method's return as the specification describes it."""
    fields = b"\x05\x01u\0" + struct.pack(f"{endian}I", serial)
    fields += b"\x08\x01g\0" + bytes((len(signature),)) + signature.encode() + b"\0"
    head = struct.pack(
        f"{endian}4B3I", ord("l" if endian == "<" else "B"), kind, 0, 1, len(body), 1, len(fields)
    )
    return head + fields + b"\0" * (-len(fields) % 8) + body


def test_a_call_is_written_as_the_specification_says() -> None:
    assert encode_call(1, HELLO, named=True) == bytes.fromhex(
        "6c01000100000000010000006d000000"
        "01016f00150000002f6f72672f667265656465736b746f702f444275730000000201730014000000"
        "6f72672e667265656465736b746f702e4442757300000000030173000500000048656c6c6f000000"
        "06017300140000006f72672e667265656465736b746f702e4442757300000000"
    )


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize(
    ("form", "values", "signature", "found"),
    [
        ("I", (5,), "u", (5,)),
        ("I3sxI", (3, b"abc", 9), "su", ("abc", 9)),
        ("BxhxxxxQ", (1, -2, 3), "ynt", (1, -2, 3)),
        ("B1sxxI", (1, b"u", 5), "v", (5,)),
        ("IxxxxI1sxxxI1sx", (14, 1, b"a", 1, b"b"), "a(s)", ([("a",), ("b",)],)),
        ("I", (0,), "as", ([],)),
        ("IxxxxII", (8, 5, 6), "a{uu}", ([(5, 6)],)),
    ],
)
def test_answers_are_read(
    endian: str, form: str, values: tuple[object, ...], signature: str, found: object
) -> None:
    assert decode_answer(answer(struct.pack(endian + form, *values), signature, endian=endian)) == (7, found)


def test_an_error_is_one() -> None:
    serial, found = decode_answer(answer(struct.pack("<I2sx", 2, b"no"), "s", kind=3))
    assert serial == 7
    assert isinstance(found, CallFailed)
    assert str(found) == "no"


def test_a_signal_answers_nothing() -> None:
    assert decode_answer(answer(b"", "", kind=4)) == (0, ())


@pytest.mark.parametrize(
    "message",
    [
        answer(struct.pack("<I", 100), "s"),
        answer(struct.pack("<I", 1 << 31), "as"),
        answer(struct.pack("<I3sx", 3, b"\xff\xff\xff"), "s"),
        answer(b"", "u"),
        answer(b"", "z"),
        answer(b"", "a"),
        answer(b"\x08\0\0\0\0\0\0\0" + b"\0" * 8, "a()"),
        answer(b"", "(((("),
        answer(b"\x01v\0" * 100, "v"),
        answer(b"", "a" * 200 + "u"),
    ],
)
def test_no_messages(message: bytes) -> None:
    with pytest.raises(BadMessage):
        decode_answer(message)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for message in (
        b"l\2\0\1" + body,
        answer(body, "a(ssssssouso)"),
        answer(body, "v"),
        answer(body, "a{sv}"),
    ):
        try:
            decode_answer(message)
        except BadMessage:
            continue


@given(st.lists(st.one_of(st.text(max_size=20), st.lists(st.text(max_size=9), max_size=4)), max_size=4))
def test_arguments_are_read_back(arguments: list[str | list[str]]) -> None:
    """A call read as if it were its answer; both have their fields and body alike."""
    call = encode_call(1, HELLO._replace(arguments=arguments), named=True)
    signature = "".join("s" if isinstance(one, str) else "as" for one in arguments)
    size = struct.unpack_from("<I", call, 4)[0]
    assert decode_answer(answer(call[len(call) - size :], signature)) == (7, tuple(arguments))


@pytest.fixture
async def bus_path(tmp_path: Path) -> AsyncIterator[str]:
    """A real bus."""
    path = tmp_path / "bus"
    command = ["dbus-daemon", "--session", f"--address=unix:path={path}", "--nofork", "--print-address"]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: ASYNC220 - a bus of its own
    except FileNotFoundError:
        pytest.skip("needs dbus-daemon")
    assert process.stdout is not None
    process.stdout.readline()
    yield str(path)
    process.kill()
    process.stdout.close()
    process.wait()


async def test_a_real_bus(bus_path: str) -> None:
    bus = await Bus.connect(bus_path, peer=False)
    names, owner, nobody = await bus.calls(
        [
            HELLO._replace(member="ListNames"),
            HELLO._replace(member="NameHasOwner", arguments=("org.freedesktop.DBus",)),
            Call("org.freedesktop.systemd1", "/x", "a.b", "C", ("d", ("e", "f"))),
        ]
    )
    bus.close()
    assert isinstance(names, tuple)
    assert "org.freedesktop.DBus" in names[0]
    assert owner == (1,)
    assert isinstance(nobody, CallFailed)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"REJECTED EXTERNAL\r\n", PermissionError),
        (b"", BadMessage),
        (b"x" * 5000, BadMessage),
        (b"OK 1234\r\n" + b"x" * 100, BadMessage),
        (b"OK 1234\r\nl\2\0\1" + b"\xff" * 12, BadMessage),
        (b"OK 1234\r\nl\2\0\1" + b"\0" * 6, BadMessage),
        (b"OK 1234\r\n" + answer(b"", "", serial=0xFFFFFFFF), BadMessage),
    ],
)
async def test_a_bus_that_lies(tmp_path: Path, said: bytes, error: type[Exception]) -> None:
    served: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n")
        writer.write(said)
        writer.close()
        served.append(writer)

    server = await asyncio.start_unix_server(serve, str(tmp_path / "bus"))
    with pytest.raises((error, ConnectionError)) as raised:
        await Bus.connect(str(tmp_path / "bus"), peer=False)
    assert not isinstance(raised.value, ConnectionError) or error is BadMessage
    while not served:
        await asyncio.sleep(0)
    server.close()
    await server.wait_closed()


def test_this_user_is_told_in_hexadecimal_digits_of_its_decimal_ones() -> None:
    assert str(os.geteuid()).encode().hex() == "".join(f"3{digit}" for digit in str(os.geteuid()))
