"""A D-Bus client that calls methods and reads their answers: what asking systemd takes, without a library or a program.

`systemctl show` would cost a process and 20 to 50 ms of CPU each time; this costs a tenth and keeps nothing open.
The protocol: https://dbus.freedesktop.org/doc/dbus-specification.html.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_LONGEST_MESSAGE = 8 << 20  # 20 000 units
_LONGEST_LINE = 1024
_DEEPEST = 16
_CALL, _RETURN, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 5, 6, 8
_FIXED = {"y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "b": "I", "h": "I"}
_TEXTS = ("s", "o")


class BadMessage(ValueError):
    """What came is no D-Bus message, or too long a one."""


class CallFailed(ValueError):
    """The other end answered with an error."""


class Call(NamedTuple):
    """A method of an object. `arguments` are texts or lists of texts."""

    destination: str
    path: str
    interface: str
    member: str
    arguments: Sequence[str | Sequence[str]] = ()


class Bus:
    """One connection. Raises OSError and ValueError; after either it can only be closed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, peer: bool) -> None:
        self._reader, self._writer, self._peer = reader, writer, peer
        self._serial = 0

    @classmethod
    async def connect(cls, path: str, *, peer: bool) -> Bus:
        """`peer`: a service listens there itself, which knows neither names nor Hello."""
        reader, writer = await asyncio.open_unix_connection(path, limit=_LONGEST_LINE)
        bus = cls(reader, writer, peer=peer)
        try:
            await bus._authenticate()
            if not peer:
                name = "org.freedesktop.DBus"
                await bus.call(Call(name, "/org/freedesktop/DBus", name, "Hello"))
        except BaseException:
            bus.close()
            raise
        return bus

    def close(self) -> None:
        self._writer.transport.abort()  # nothing is left to say

    async def _authenticate(self) -> None:
        """EXTERNAL: the kernel tells the other end who we are; we say the same."""
        self._writer.write(b"\0AUTH EXTERNAL %s\r\n" % str(os.geteuid()).encode().hex().encode())
        try:
            answer = await self._reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadMessage("no answer to AUTH") from error
        if not answer.startswith(b"OK "):
            raise PermissionError("the bus does not let this user in")
        self._writer.write(b"BEGIN\r\n")

    async def call(self, call: Call) -> tuple[Any, ...]:
        """What the method returns. Raises CallFailed too."""
        (answer,) = await self.calls([call])
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    async def calls(self, calls: Sequence[Call]) -> list[tuple[Any, ...] | CallFailed]:
        """The answers in the order of the calls, which go out together."""
        first = self._serial + 1
        for call in calls:
            self._serial += 1
            self._writer.write(encode_call(self._serial, call, named=not self._peer))
        await self._writer.drain()
        found: dict[int, tuple[Any, ...] | CallFailed] = {}
        wanted = range(first, first + len(calls))
        while len(found) < len(wanted):
            serial, answer = await self._answer()
            if serial in wanted:
                found[serial] = answer
        return [found[serial] for serial in wanted]

    async def _answer(self) -> tuple[int, tuple[Any, ...] | CallFailed]:
        """0 for what answers no call."""
        try:
            head = await self._reader.readexactly(16)
            rest = await self._reader.readexactly(_rest_of(head))
        except asyncio.IncompleteReadError as error:
            raise BadMessage("the connection ended within a message") from error
        return decode_answer(head + rest)


def encode_call(serial: int, call: Call, *, named: bool) -> bytes:
    fields = [(_PATH, "o", call.path), (_INTERFACE, "s", call.interface), (_MEMBER, "s", call.member)]
    if named:
        fields.append((_DESTINATION, "s", call.destination))
    body = bytearray()
    signature = ""
    for argument in call.arguments:
        signature += "s" if isinstance(argument, str) else "as"
        _put(body, argument)
    if signature:
        fields.append((_SIGNATURE, "g", signature))
    table = bytearray()
    for code, kind, text in fields:
        table += b"\0" * (-len(table) % 8) + bytes((code, 1)) + kind.encode() + b"\0"
        if kind == "g":
            table += bytes((len(text),)) + text.encode() + b"\0"
        else:
            _put(table, text)
    head = struct.pack("<4B3I", ord("l"), _CALL, 0, 1, len(body), serial, len(table))
    return head + bytes(table) + b"\0" * (-len(table) % 8) + bytes(body)


def _put(body: bytearray, value: str | Sequence[str]) -> None:
    body += b"\0" * (-len(body) % 4)
    if isinstance(value, str):
        raw = value.encode()
        body += struct.pack("<I", len(raw)) + raw + b"\0"
        return
    place = len(body)
    body += b"\0" * 4
    for one in value:
        _put(body, one)
    body[place : place + 4] = struct.pack("<I", len(body) - place - 4)


def _rest_of(head: bytes) -> int:
    """How many bytes follow the first 16: the header's fields, padded, and the body."""
    form = _endian(head)
    body, _, fields = struct.unpack_from(f"{form}3I", head, 4)
    size = fields + -fields % 8 + body
    if size > _LONGEST_MESSAGE:
        raise BadMessage(f"a message of {size} bytes")
    return int(size)


def _endian(head: bytes) -> str:
    if head[:1] not in (b"l", b"B") or head[3] != 1:
        raise BadMessage("no D-Bus message")
    return "<" if head[:1] == b"l" else ">"


def decode_answer(message: bytes) -> tuple[int, tuple[Any, ...] | CallFailed]:
    """The serial of the call that it answers, 0 when it is no answer. Raises BadMessage."""
    try:
        return _decode(message)
    except (struct.error, IndexError, UnicodeDecodeError, KeyError, RecursionError) as error:
        raise BadMessage(f"a message that cannot be read: {error}") from error


def _decode(message: bytes) -> tuple[int, tuple[Any, ...] | CallFailed]:
    reader = _Reader(message, _endian(message))
    if message[1] not in (_RETURN, _ERROR):
        return 0, ()
    reader.place = 12
    fields = dict(reader.read("a(yv)"))
    serial = fields.get(_REPLY_SERIAL)
    if not isinstance(serial, int):
        raise BadMessage("an answer to nothing")
    reader.align(8)
    signature = fields.get(_SIGNATURE, "")
    if not isinstance(signature, str):
        raise BadMessage("a signature that is none")
    body = tuple(reader.read(one) for one in _types(signature))
    return serial, body if message[1] == _RETURN else CallFailed(*body[:1])


class _Reader:
    def __init__(self, message: bytes, endian: str) -> None:
        self._message, self._endian = message, endian
        self._length = struct.Struct(f"{endian}I")
        self.place = 0
        self._depth = 0

    def align(self, size: int) -> None:
        self.place += -self.place % size

    def read(self, kind: str) -> Any:
        """One value of a complete type."""
        first = kind[0]
        if first in _TEXTS:
            return self._text()
        if first in _FIXED:
            return self._number(_FIXED[first])
        if first == "g":
            return self._bytes(self._number("B")).decode()
        self._depth += 1
        if self._depth > _DEEPEST:
            raise BadMessage("too deep")
        found = self._inside(first, kind)
        self._depth -= 1
        return found

    def _inside(self, first: str, kind: str) -> Any:
        if first == "a":
            return self._array(kind[1:])
        if first in "({":
            self.align(8)
            return tuple(self.read(one) for one in _types(kind[1:-1]))
        if first == "v":
            inside = list(_types(self._bytes(self._number("B")).decode()))
            if len(inside) != 1:
                raise BadMessage("a variant of none or several types")
            return self.read(inside[0])
        raise BadMessage(f"a type {kind!r}")

    def _array(self, kind: str) -> list[Any]:
        size = self._number("I")
        self.align(8 if kind[0] in "({xtd" else 1)
        end = self.place + size
        if end > len(self._message):
            raise BadMessage("an array beyond its message")
        if kind[0] in "({":
            return self._structs(list(_types(kind[1:-1])), end)
        found = []
        while self.place < end:
            found.append(self.read(kind))
        return found

    def _structs(self, kinds: list[str], end: int) -> list[tuple[Any, ...]]:
        if not kinds:
            raise BadMessage("structures of nothing")
        found = []
        while self.place < end:
            self.place += -self.place % 8
            found.append(tuple([self._text() if one in _TEXTS else self.read(one) for one in kinds]))
        return found

    def _text(self) -> str:
        place = self.place + -self.place % 4
        (size,) = self._length.unpack_from(self._message, place)
        self.place = place + 4
        return self._bytes(size).decode()

    def _bytes(self, size: int) -> bytes:
        """That many and the zero behind them."""
        start, self.place = self.place, self.place + size + 1
        if self.place > len(self._message):
            raise BadMessage("a text beyond its message")
        return self._message[start : start + size]

    def _number(self, form: str) -> Any:
        size = struct.calcsize(f"={form}")
        self.align(size)
        (found,) = struct.unpack_from(f"{self._endian}{form}", self._message, self.place)
        self.place += size
        return found


def _types(signature: str) -> Iterator[str]:
    """The complete types that a signature is made of."""
    start = 0
    while start < len(signature):
        end = _end_of_type(signature, start)
        yield signature[start:end]
        start = end


def _end_of_type(signature: str, start: int) -> int:
    place = start
    while signature[place] == "a":
        place += 1
    if signature[place] not in "({":
        return place + 1
    depth = 0
    for end in range(place, len(signature)):
        depth += {"(": 1, "{": 1, ")": -1, "}": -1}.get(signature[end], 0)
        if depth == 0:
            return end + 1
    raise BadMessage(f"a signature {signature!r}")
