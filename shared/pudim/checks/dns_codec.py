"""Questions and answers of DNS (RFC 1035) as bytes; everything in an answer is somebody else's and is bounded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28}
CODES = {0: "noerror", 1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"}
MOST_RECORDS = 256
MOST_BYTES = 65_535
UDP_BYTES = 1232
"""What we say that we take by UDP: fits every path without fragments."""
_HEAD = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_INTERNET, _OPT = 1, 41
_LONGEST_NAME = 255
_LONGEST_LABEL = 63
_POINTER = 0xC0
_ANSWER, _CUT, _RECURSE = 0x8000, 0x0200, 0x0100
_OPCODE = 0x7800


class BadMessage(ValueError):
    """These bytes are not an answer to our question."""


class Record(NamedTuple):
    """`text` is the value as people write it: an address, a name, `10 mail.example.org`, a text."""

    name: str
    type: int
    text: str


class Answer(NamedTuple):
    code: str
    is_cut: bool
    records: tuple[Record, ...]


def encode_question(number: int, name: str, type_: int) -> bytes:
    """Raises BadMessage for a name that cannot be asked for."""
    head = _HEAD.pack(number, _RECURSE, 1, 0, 0, 1)
    extension = b"\0" + _RECORD.pack(_OPT, UDP_BYTES, 0, 0)
    return head + _encoded(name) + struct.pack("!HH", type_, _INTERNET) + extension


def _encoded(name: str) -> bytes:
    labels = (
        [label.encode("ascii", "replace") for label in name.rstrip(".").split(".")] if name != "." else []
    )
    if any(not 0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise BadMessage("each part of a name has 1 to 63 characters")
    found = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(found) > _LONGEST_NAME:
        raise BadMessage("the name is too long")
    return found


def decode_answer(message: bytes, number: int, name: str, type_: int) -> Answer:
    """The answer to that question. Raises BadMessage."""
    try:
        return _decoded(message, number, name, type_)
    except (struct.error, IndexError) as error:
        raise BadMessage("the message ends too soon") from error


def _decoded(message: bytes, number: int, name: str, type_: int) -> Answer:
    if len(message) > MOST_BYTES:
        raise BadMessage("the message is too long")
    given, flags, questions, answers, _, _ = _HEAD.unpack_from(message)
    if given != number or not flags & _ANSWER or flags & _OPCODE or questions != 1:
        raise BadMessage("not an answer to this question")
    asked, at = _name(message, _HEAD.size)
    kind, family = struct.unpack_from("!HH", message, at)
    if asked.lower() != name.rstrip(".").lower() or (kind, family) != (type_, _INTERNET):
        raise BadMessage("an answer to another question")
    records = tuple(_records(message, at + 4, min(answers, MOST_RECORDS))) if not flags & _CUT else ()
    return Answer(CODES.get(flags & 0xF, f"rcode {flags & 0xF}"), bool(flags & _CUT), records)


def _records(message: bytes, at: int, count: int) -> Iterator[Record]:
    for _ in range(count):
        owner, at = _name(message, at)
        kind, family, _, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        if at + length > len(message):
            raise BadMessage("a record is longer than its message")
        if family == _INTERNET and kind in TYPES.values():
            yield Record(owner, kind, _text(message, at, length, kind))
        at += length


def _text(message: bytes, at: int, length: int, kind: int) -> str:
    value = message[at : at + length]
    if kind == TYPES["A"] and length == 4:  # noqa: PLR2004 - bytes of an address
        return str(IPv4Address(value))
    if kind == TYPES["AAAA"] and length == 16:  # noqa: PLR2004
        return str(IPv6Address(value))
    if kind in {TYPES["NS"], TYPES["CNAME"]}:
        return _inner_name(message, at, at + length)
    if kind == TYPES["MX"]:
        (preference,) = struct.unpack_from("!H", value)
        return f"{preference} {_inner_name(message, at + 2, at + length)}"
    if kind == TYPES["TXT"]:
        return "".join(_strings(value))
    raise BadMessage("an address of the wrong length")


def _inner_name(message: bytes, at: int, end: int) -> str:
    found, after = _name(message, at)
    if after != end:
        raise BadMessage("a name does not end where its record does")
    return found or "."


def _strings(value: bytes) -> Iterator[str]:
    at = 0
    while at < len(value):
        end = at + 1 + value[at]
        if end > len(value):
            raise BadMessage("a text is longer than its record")
        yield _shown(value[at + 1 : end])
        at = end


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name and where what follows it begins. Pointers lead backwards only, so that none is followed for ever."""
    labels: list[str] = []
    after, size, limit = 0, 1, at
    while length := message[at]:
        if length & _POINTER == _POINTER:
            target = (length & ~_POINTER) << 8 | message[at + 1]
            after = after or at + 2
            if target >= limit:
                raise BadMessage("a pointer that does not lead backwards")
            at = limit = target
            continue
        size += length + 1
        if length > _LONGEST_LABEL or size > _LONGEST_NAME or at + 1 + length > len(message):
            raise BadMessage("a name that is too long")
        labels.append(_shown(message[at + 1 : at + 1 + length], dots=True))
        at += 1 + length
    return ".".join(labels), after or at + 1


def _shown(value: bytes, *, dots: bool = False) -> str:
    r"""As zone files write it: what is not printable ASCII, and what would be read as something else, as \DDD."""
    special = b'\\"' + (b"." if dots else b"")
    return "".join(
        chr(one) if 0x20 <= one < 0x7F and one not in special else f"\\{one:03d}"  # noqa: PLR2004 - ASCII
        for one in value
    )
