"""The bytes of a spool segment: records of length, CRC and payload, so that a torn tail is recognised.

    length[4] crc32[4] kind[1] payload      (little-endian; length and CRC are of kind and payload)

A segment starts with its boot, holds each source before the first batch that needs it, and can thus be sent
by a later version or after a restart without anything else. MINUTES is a batch that stands for several.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple
from zlib import crc32

from pudim.vocabulary.errors import PudimError
from pudim.wire.batches import BOOT_BYTES
from pudim.wire.codec import pack, unpack
from pudim.wire.layouts import HASH_BYTES, Source, decode_layout, labels_of
from pudim.wire.refusals import Malformed

BOOT, SOURCE, BATCH, MINUTES = b"B", b"S", b"F", b"M"
HEADER = struct.Struct("<II")
LONGEST = 1 << 22
_BATCH = struct.Struct("<QqH")
_SINCE = struct.Struct("<Q")
_BIRTH = struct.Struct("<16sQ")


class DamagedRecord(PudimError):
    """A record of the spool is not what was written."""

    code = "damaged_record"


class Record(NamedTuple):
    """`end` is the offset after it."""

    kind: bytes
    payload: bytes
    end: int


class Birth(NamedTuple):
    """When a segment was begun: the host's boot, empty if not known, and seconds on its steady clock."""

    host_boot: bytes = b""
    steady: float = 0.0


class Stored(NamedTuple):
    """A batch as it was appended; `sources` are the hashes that its blocks name.

    `since` is 0, or the first of the batches whose minutes this one sums up, `seq` being the last of them.
    """

    seq: int
    time_ms: int
    sources: tuple[bytes, ...]
    blocks: bytes
    since: int = 0


def framed(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return HEADER.pack(len(body), crc32(body)) + body


def size_of(header: bytes) -> int:
    """Bytes after `header`. Raises DamagedRecord."""
    if len(header) < HEADER.size:
        raise DamagedRecord
    length, _ = HEADER.unpack(header)
    if not 0 < length <= LONGEST:
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


def encode_boot(boot_id: bytes, birth: Birth) -> bytes:
    known = len(birth.host_boot) == BOOT_BYTES
    said = _BIRTH.pack(birth.host_boot, max(0, int(birth.steady * 1000))) if known else b""
    return framed(BOOT, boot_id + said)


def decode_boot(found: Record) -> bytes:
    """Raises DamagedRecord."""
    if found.kind != BOOT or len(found.payload) < BOOT_BYTES:
        raise DamagedRecord
    return found.payload[:BOOT_BYTES]


def decode_birth(found: Record) -> Birth:
    """What the record of a boot says of its segment; older versions said nothing."""
    if len(found.payload) < BOOT_BYTES + _BIRTH.size:
        return Birth()
    host_boot, steady_ms = _BIRTH.unpack_from(found.payload, BOOT_BYTES)
    return Birth(host_boot, steady_ms / 1000)


def encode_source(source: Source) -> bytes:
    return framed(SOURCE, source.hash + pack([source.name, dict(source.labels), source.layout.encoded()]))


def decode_source(payload: bytes) -> Source:
    """Raises DamagedRecord."""
    try:
        name, labels, layout, *_ = unpack(payload[HASH_BYTES:])
        return Source(name, labels_of(labels), decode_layout(layout))
    except (Malformed, ValueError, AttributeError) as error:
        raise DamagedRecord from error


def encode_batch(stored: Stored) -> bytes:
    hashes = b"".join(stored.sources)
    said = _BATCH.pack(stored.seq, stored.time_ms, len(stored.sources)) + hashes + stored.blocks
    return framed(MINUTES, _SINCE.pack(stored.since) + said) if stored.since else framed(BATCH, said)


def is_batch(found: Record) -> bool:
    return found.kind in {BATCH, MINUTES}


def decode_batch(found: Record) -> Stored:
    """Raises DamagedRecord."""
    start = _SINCE.size if found.kind == MINUTES else 0
    if len(found.payload) < start + _BATCH.size:
        raise DamagedRecord
    since = _SINCE.unpack_from(found.payload)[0] if start else 0
    seq, time_ms, count = _BATCH.unpack_from(found.payload, start)
    start += _BATCH.size
    end = start + count * HASH_BYTES
    hashes = tuple(found.payload[at : at + HASH_BYTES] for at in range(start, end, HASH_BYTES))
    return Stored(seq, time_ms, hashes, found.payload[end:], since)
