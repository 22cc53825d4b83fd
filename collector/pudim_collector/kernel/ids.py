"""Identifiers that sort by the time they were made, so that indexes grow at one end (RFC 9562, version 7)."""

import secrets
import threading
import time
from uuid import UUID

_lock = threading.Lock()
_last_stamp = 0


def new_id() -> UUID:
    """A version 7 UUID, greater than every one this process made before."""
    stamp = _next_stamp()
    milliseconds, fraction = stamp >> 12, stamp & 0xFFF
    head = milliseconds << 80 | 0x7 << 76 | fraction << 64
    return UUID(int=head | 0b10 << 62 | secrets.randbits(62))


def _next_stamp() -> int:
    """Milliseconds since the epoch and 12 bits of their fraction; a clock set back does not reorder."""
    global _last_stamp  # noqa: PLW0603 - the order holds over the whole process
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    with _lock:
        _last_stamp = max(_last_stamp + 1, milliseconds << 12 | rest * 4096 // 1_000_000)
        return _last_stamp
