"""Frames on their way: a block is n frames of one source, a batch is blocks under one (boot_id, seq)."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pudim.wire.codec import is_whole, misshapen, pack
from pudim.wire.layouts import HASH_BYTES
from pudim.wire.refusals import BadFrame

BOOT_BYTES = 16
MAX_BLOCKS = 1024
MAX_SEQ = 2**62
MAX_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999, where PostgreSQL's and Python's dates still agree."""


class Block(NamedTuple):
    """n frames of one source: `times` is n int64 milliseconds since the epoch, strictly increasing, `values`
    n rows of float64, one value a series of the source's layout, both little-endian. NaN means missing.
    """

    source: bytes
    times: bytes
    values: bytes

    @property
    def frames(self) -> int:
        return len(self.times) // 8


@dataclass(frozen=True)
class Batch:
    """`skipped` sequence numbers directly before `seq` were lost at the agent and will never come."""

    boot_id: bytes
    seq: int
    skipped: int
    sent_at: int
    blocks: tuple[Block, ...]


def _little(values: array[Any]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def numbers(kind: str, little: bytes) -> array[Any]:
    """A block's times (`kind` "q") or values ("d"). Raises ValueError where the bytes do not come out even."""
    found = array(kind)
    found.frombytes(little)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def block(source: bytes, times: Sequence[int], rows: Iterable[Sequence[float]]) -> Block:
    """A block from plain numbers: one time in milliseconds a row."""
    values = array("d")
    for row in rows:
        values.extend(row)
    return Block(source, _little(array("q", times)), _little(values))


def encode_blocks(blocks: Iterable[Block]) -> bytes:
    """The immutable part of a batch, as the spool keeps it."""
    return pack([list(one) for one in blocks])


def encode_batch(boot_id: bytes, seq: int, skipped: int, sent_at: int, blocks: bytes) -> bytes:
    """A Batch message around blocks that `encode_blocks` made: [BATCH, boot_id, seq, skipped, sent_at, blocks]."""
    return b"\x96\x02" + b"".join((pack(boot_id), pack(seq), pack(skipped), pack(sent_at), blocks))


def decode_batch(message: tuple[Any, ...]) -> Batch:
    """The batch in a decoded Batch message. Raises Malformed or TooDeep."""
    match message:
        case (_, bytes(boot_id), seq, skipped, sent_at, tuple(blocks), *_) if (
            len(boot_id) == BOOT_BYTES
            and is_whole(seq, 1, MAX_SEQ)
            and is_whole(skipped, 0, seq - 1)
            and is_whole(sent_at, 0, MAX_TIME)
            and 0 < len(blocks) <= MAX_BLOCKS
        ):
            return Batch(boot_id, seq, skipped, sent_at, tuple([_decode_block(one) for one in blocks]))
    raise misshapen(message, "a batch is [2, boot_id, seq, skipped, sent_at, blocks]")


def _decode_block(value: Any) -> Block:
    match value:
        case (bytes(source), bytes(times), bytes(values), *_) if len(source) == HASH_BYTES:
            return Block(source, times, values)
    raise misshapen(value, "a block is [source hash, times, values]")


_ONE_TIME = struct.Struct("<q")


def span(one: Block, width: int) -> tuple[int, int]:
    """First and last time of a block whose source has `width` series. Raises BadFrame if it does not fit."""
    size = len(one.times)
    if not size or size % 8 or len(one.values) != size * width:
        raise BadFrame(f"{len(one.values)} bytes of values for {size / 8:g} frames of {width} series")
    if size == 8:  # noqa: PLR2004 - one frame, the usual case
        time: int = _ONE_TIME.unpack(one.times)[0]
        return time, time
    times = numbers("q", one.times)
    if any(map(int.__ge__, times, times[1:])):
        raise BadFrame("times do not increase")
    return times[0], times[-1]
