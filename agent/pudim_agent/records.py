"""The bytes of a spool segment: records of length, CRC and payload, so that a torn tail is recognised.

    length[4] crc32[4] kind[1] payload      (little-endian; length and CRC are of kind and payload)

A segment starts with its boot, holds each source before the first batch that needs it, and can thus be sent
by a later version or after a restart without anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

from pudim.vocabulary.errors import PudimError
from pudim.wire.batches import BOOT_BYTES
from pudim.wire.codec import pack, unpack
from pudim.wire.layouts import HASH_BYTES, Source, decode_layout, labels_of
from pudim.wire.refusals import Malformed

BOOT, SOURCE, BATCH = b"B", b"S", b"F"
HEADER = struct.Struct("<II")
_LONGEST = 1 << 22
_BATCH = struct.Struct("<QqH")


class DamagedRecord(PudimError):
    """A record of the spool is not what was written."""

    code = "damaged_record"


class Record(NamedTuple):
    """`end` is the offset after it."""

    kind: bytes
    payload: bytes
    end: int


class Stored(NamedTuple):
    """A batch as it was appended; `sources` are the hashes that its blocks name."""

    seq: int
    time_ms: int
    sources: tuple[bytes, ...]
    blocks: bytes


def framed(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return HEADER.pack(len(body), crc32(body)) + body


def size_of(header: bytes) -> int:
    """Bytes after `header`. Raises DamagedRecord."""
    if len(header) < HEADER.size:
        raise DamagedRecord
    length, _ = HEADER.unpack(header)
    if not 0 < length <= _LONGEST:
        raise DamagedRecord
    return int(length)


def record(header: bytes, body: bytes, offset: int) -> Record:
    """Raises DamagedRecord."""
    length, crc = HEADER.unpack(header)
    if len(body) != length or crc32(body) != crc:
        raise DamagedRecord
    return Record(body[:1], body[1:], offset + HEADER.size + length)


def whole_records(content: bytes) -> Iterator[Record]:
    """Every record up to the first that is damaged or incomplete."""
    offset = 0
    while offset < len(content):
        start = offset + HEADER.size
        header = content[offset:start]
        try:
            found = record(header, content[start : start + size_of(header)], offset)
        except DamagedRecord:
            return
        yield found
        offset = found.end


def encode_boot(boot_id: bytes) -> bytes:
    return framed(BOOT, boot_id)


def decode_boot(found: Record) -> bytes:
    """Raises DamagedRecord."""
    if found.kind != BOOT or len(found.payload) < BOOT_BYTES:
        raise DamagedRecord
    return found.payload[:BOOT_BYTES]


def encode_source(source: Source) -> bytes:
    return framed(SOURCE, source.hash + pack([source.name, dict(source.labels), source.layout.encoded()]))


def decode_source(payload: bytes) -> Source:
    """Raises DamagedRecord."""
    try:
        name, labels, layout, *_ = unpack(payload[HASH_BYTES:])
        return Source(name, labels_of(labels), decode_layout(layout))
    except (Malformed, ValueError, AttributeError) as error:
        raise DamagedRecord from error


def encode_batch(seq: int, time_ms: int, sources: Iterable[bytes], blocks: bytes) -> bytes:
    hashes = b"".join(sources)
    return framed(BATCH, _BATCH.pack(seq, time_ms, len(hashes) // HASH_BYTES) + hashes + blocks)


def decode_batch(payload: bytes) -> Stored:
    """Raises DamagedRecord."""
    if len(payload) < _BATCH.size:
        raise DamagedRecord
    seq, time_ms, count = _BATCH.unpack_from(payload)
    start, end = _BATCH.size, _BATCH.size + count * HASH_BYTES
    hashes = tuple(payload[at : at + HASH_BYTES] for at in range(start, end, HASH_BYTES))
    return Stored(seq, time_ms, hashes, payload[end:])
