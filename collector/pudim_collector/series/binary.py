"""Arrays as PostgreSQL sends them in binary, read by numpy: a Python number for each sample would cost more than all the rest."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from pudim_collector.series.blocks import Times

POSTGRES_EPOCH_MS = 946_684_800_000
"""2000-01-01, from which PostgreSQL counts microseconds."""
_HEAD, _DIMENSION = 12, 8
"""Bytes of an array's head, and of each dimension after it."""
_LENGTHS = struct.Struct("!ii")


def array_of(sent: bytes, kind: str) -> npt.NDArray[Any]:
    """An array without nulls, of numpy's `kind`: head, then each element with its length before it."""
    dimensions, _ = _LENGTHS.unpack_from(sent)
    shape = [_LENGTHS.unpack_from(sent, _HEAD + _DIMENSION * n)[0] for n in range(dimensions)]
    found = np.frombuffer(sent, _element(kind), offset=_HEAD + _DIMENSION * dimensions)["value"]
    return found.astype(found.dtype.newbyteorder("=")).reshape(shape)


@cache
def _element(kind: str) -> np.dtype[Any]:
    return np.dtype([("length", ">i4"), ("value", kind)])


def times_of(sent: bytes) -> Times:
    """`timestamptz[]`, as milliseconds since the epoch."""
    times: Times = array_of(sent, ">i8") // 1000 + POSTGRES_EPOCH_MS
    return times


def moment(milliseconds: int) -> bytes:
    """A `timestamptz`, of milliseconds since the epoch."""
    return ((milliseconds - POSTGRES_EPOCH_MS) * 1000).to_bytes(8, "big", signed=True)
