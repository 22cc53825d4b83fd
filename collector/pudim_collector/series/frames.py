"""Frames as PostgreSQL's binary COPY rows, made by numpy for a whole commit at once.

A row is `(source_id int4, time timestamptz, values float8[])`. All rows of sources with the same number of
series have the same size, so they are one structured array: no Python runs for a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from pudim_collector.series.binary import POSTGRES_EPOCH_MS

COPY_FRAMES = "COPY frames (source_id, time, values) FROM STDIN WITH (FORMAT binary)"
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
_FLOAT8_OID = 701
_HOUR_MS = 3_600_000


class SourceFrames(NamedTuple):
    """Frames of one source: `times` int64 milliseconds, `values` rows of `width` float64, little-endian."""

    source_id: int
    width: int
    times: bytes
    values: bytes


@lru_cache(maxsize=512)
def _empty_row(width: int) -> np.ndarray[Any, np.dtype[np.void]]:
    """One COPY row with everything filled in that does not change from row to row."""
    row = np.zeros(
        1,
        dtype=[
            ("fields", ">i2"),
            ("source_size", ">i4"),
            ("source_id", ">i4"),
            ("time_size", ">i4"),
            ("time", ">i8"),
            ("array_size", ">i4"),
            ("dimensions", ">i4"),
            ("has_null", ">i4"),
            ("element", ">i4"),
            ("length", ">i4"),
            ("lower_bound", ">i4"),
            ("values", [("size", ">i4"), ("value", ">f8")], (width,)),
        ],
    )
    row["fields"], row["source_size"], row["time_size"] = 3, 4, 8
    row["array_size"] = 20 + 12 * width
    row["dimensions"], row["element"], row["length"], row["lower_bound"] = 1, _FLOAT8_OID, width, 1
    row["values"]["size"] = 8
    return row


def hours_of(frames: Sequence[SourceFrames]) -> tuple[list[int], list[int]]:
    """The sources and hours since the epoch that the frames are of, as pairs, each once."""
    times = np.frombuffer(b"".join([one.times for one in frames]), "<i8")
    sources = np.repeat([one.source_id for one in frames], [len(one.times) // 8 for one in frames])
    pairs = np.unique(sources.astype(np.int64) << 32 | times // _HOUR_MS)
    return (pairs >> 32).tolist(), (pairs & 0xFFFF_FFFF).tolist()


def hours_from(frames: Sequence[SourceFrames]) -> list[datetime]:
    """The beginnings of the hours that have frames."""
    _, hours = hours_of(frames)
    return [datetime.fromtimestamp(hour * 3600, UTC) for hour in sorted(set(hours))]


def copy_rows(frames: Iterable[SourceFrames]) -> Iterator[bytes]:
    """The body of a binary COPY (after COPY_HEADER), one piece for each width. Infinities become missing."""
    by_width: dict[int, list[SourceFrames]] = {}
    for one in frames:
        by_width.setdefault(one.width, []).append(one)
    for width, group in by_width.items():
        times = np.frombuffer(b"".join([one.times for one in group]), "<i8")
        values = np.frombuffer(b"".join([one.values for one in group]), "<f8").reshape(len(times), width)
        rows = np.repeat(_empty_row(width), len(times))
        rows["source_id"] = np.repeat(
            [one.source_id for one in group], [len(one.times) // 8 for one in group]
        )
        rows["time"] = (times - POSTGRES_EPOCH_MS) * 1000
        rows["values"]["value"] = np.where(np.isinf(values), np.nan, values)
        yield rows.tobytes()
