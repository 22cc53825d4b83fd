"""The compact form of many rows of one source: a column each, compressed, so that one is read without the others.

Columns are coded by pcodec, which finds decimals, integers and repetition in floating-point numbers. A frame's
column holds its values; a rollup's holds counts, then minima, maxima and sums, as one run of four times the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from pcodec import ChunkConfig, DeltaSpec, standalone

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]
Rows: TypeAlias = "slice | npt.NDArray[np.intp] | npt.NDArray[np.bool_]"
UNREADABLE = (RuntimeError, ValueError, TypeError, IndexError, KeyError)
"""What reading damaged bytes raises. Most damage is found by PostgreSQL's checksums of pages before."""
_STATISTICS = 4
_FRAMES = ChunkConfig()
# Trying differences as well takes three times as long and saves 3 % where minima meet maxima.
_ROLLUPS = ChunkConfig(delta_spec=DeltaSpec.no_op())


class Block(NamedTuple):
    """Rows of one source in the store's form: column p (from 0) is `body[offsets[p]:offsets[p + 1]]`."""

    rows: int
    times: bytes
    offsets: list[int]
    body: bytes


@dataclass(frozen=True)
class Rollup:
    """What samples were in each bucket; arrays of one shape. Where count is 0 the others are NaN."""

    count: Floats
    low: Floats
    high: Floats
    total: Floats

    def __getitem__(self, rows: Rows) -> Rollup:
        return Rollup(self.count[rows], self.low[rows], self.high[rows], self.total[rows])

    @classmethod
    def stacked(cls, parts: Sequence[Rollup], axis: int = 0) -> Rollup:
        return cls(
            np.concatenate([one.count for one in parts], axis),
            np.concatenate([one.low for one in parts], axis),
            np.concatenate([one.high for one in parts], axis),
            np.concatenate([one.total for one in parts], axis),
        )


def pack_frames(times: Times, values: Floats) -> Block:
    """`times` in milliseconds, ascending; `values` of shape (rows, width)."""
    return _pack(times, values, _FRAMES)


def pack_rollup(times: Times, rollup: Rollup) -> Block:
    """`times` are the buckets' beginnings in milliseconds, ascending; arrays of shape (buckets, width)."""
    # What is missing is told by its count, so the others need no NaN, which compresses badly.
    present = rollup.count > 0
    parts = [np.where(present, part, 0.0) for part in (rollup.low, rollup.high, rollup.total)]
    return _pack(times, np.concatenate([rollup.count, *parts]), _ROLLUPS)


def unpack_times(packed: bytes) -> Times:
    return np.asarray(standalone.simple_decompress(packed), dtype=np.int64)


def unpack_values(column: bytes) -> Floats:
    """One column of a block of frames."""
    return np.asarray(standalone.simple_decompress(column), dtype=np.float64)


def unpack_rollup(column: bytes) -> Rollup:
    """One column of a block of rollups."""
    run = np.asarray(standalone.simple_decompress(column), dtype=np.float64)
    count, low, high, total = run.reshape(_STATISTICS, -1)
    missing = count == 0
    if missing.any():
        low, high, total = (np.where(missing, np.nan, part) for part in (low, high, total))
    return Rollup(count, low, high, total)


def columns_of(offsets: Sequence[int], body: bytes) -> list[bytes]:
    return [body[start:end] for start, end in pairwise(offsets)]


def unpack_frame_block(block: Block) -> tuple[Times, Floats]:
    """Times, and values of shape (rows, width)."""
    columns = [unpack_values(column) for column in columns_of(block.offsets, block.body)]
    return unpack_times(block.times), np.stack(columns, axis=1)


def unpack_rollup_block(block: Block) -> tuple[Times, Rollup]:
    """Beginnings of buckets, and arrays of shape (buckets, width)."""
    columns = [unpack_rollup(column) for column in columns_of(block.offsets, block.body)]
    return unpack_times(block.times), Rollup(
        np.stack([one.count for one in columns], axis=1),
        np.stack([one.low for one in columns], axis=1),
        np.stack([one.high for one in columns], axis=1),
        np.stack([one.total for one in columns], axis=1),
    )


def _pack(times: Times, values: Floats, config: ChunkConfig) -> Block:
    columns = [standalone.simple_compress(column, config) for column in np.ascontiguousarray(values.T)]
    offsets = [0, *np.cumsum([len(column) for column in columns]).tolist()]
    packed_times = standalone.simple_compress(np.ascontiguousarray(times, dtype=np.int64), _FRAMES)
    return Block(len(times), packed_times, offsets, b"".join(columns))
