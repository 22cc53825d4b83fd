"""How right the host's clock is, as the kernel knows from whatever keeps it (adjtimex, which changes nothing here)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_SERIES = (
    series("system.linux.clock.offset"),
    series("system.linux.clock.max_error"),
    series("system.linux.clock.synchronized"),
)
# struct timex in the machine's own sizes, up to `status`: modes, offset, freq, maxerror, esterror, status.
_TIMEX = struct.Struct("@Illlli")
_SIZE = 512  # more than any machine's struct timex
_UNSYNCHRONIZED, _NANOSECONDS = 0x0040, 0x2000
_ERROR = 5  # TIME_ERROR


@samplers.register("clock")
class Clock:
    """The offset is what the keeper has told and the kernel has not slewed away yet: chrony keeps most of it to itself."""

    Config = SamplerConfig

    def __init__(self, _host: Host, _config: SamplerConfig) -> None:
        self._adjtimex = _find()
        self._buffer = ctypes.create_string_buffer(_SIZE)

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        if self._adjtimex is None:
            return
        state = self._adjtimex(self._buffer)
        if state >= 0:  # a container may forbid even to ask
            yield Reading(_SERIES, decode(state, self._buffer.raw))


def _find() -> Callable[[ctypes.Array[ctypes.c_char]], int] | None:
    try:
        found: Callable[[ctypes.Array[ctypes.c_char]], int] = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    return found


def decode(state: int, timex: bytes) -> list[float]:
    """Offset and greatest error in seconds, and whether the clock is synchronised."""
    _, offset, _, most, _, status = _TIMEX.unpack_from(timex)
    unit = 1e-9 if status & _NANOSECONDS else 1e-6
    synchronized = state != _ERROR and not status & _UNSYNCHRONIZED
    return [offset * unit, most * 1e-6, float(synchronized)]
