"""Samples as Prometheus remote write 1.0 carries them: protobuf laid out by numpy, snappy around it."""

from collections.abc import Mapping

import cramjam
import numpy as np

SAMPLE = np.dtype(
    # TimeSeries.samples (2), its 16 bytes: value (1, double), timestamp (2, varint of six bytes for milliseconds of today)
    [
        ("head", "u1", 2),
        ("value_tag", "u1"),
        ("value", "<f8"),
        ("time_tag", "u1"),
        ("time", "u1", 6),
    ]
)


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def labels(pairs: Mapping[str, str]) -> bytes:
    """TimeSeries.labels (1), in the order of their names, as the protocol wants."""
    return b"".join(
        field(1, field(1, name.encode()) + field(2, pairs[name].encode())) for name in sorted(pairs)
    )


def samples(times_ms: np.ndarray, columns: np.ndarray) -> list[bytes]:
    """The samples of each column of `columns` (rows are times) as they stand in a TimeSeries."""
    rows = np.zeros(columns.shape[::-1], dtype=SAMPLE)
    rows["head"] = (0x12, SAMPLE.itemsize - 2)
    rows["value_tag"], rows["time_tag"] = 0x09, 0x10
    rows["value"] = columns.T
    for place in range(6):
        more = 0x80 if place < 5 else 0
        rows["time"][:, :, place] = times_ms >> 7 * place & 0x7F | more
    return [row.tobytes() for row in rows]


def body(series: list[tuple[bytes, bytes]]) -> bytes:
    """A WriteRequest of (labels, samples), compressed."""
    return bytes(cramjam.snappy.compress_raw(b"".join(field(1, head + rest) for head, rest in series)))
