"""The only reader of the machine's clocks, so that every other part can be driven by a made-up time."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Now:
    """One look at the clocks. `steady` runs on through suspend, so wall minus steady shows clock steps."""

    wall_ms: int
    steady: float
    monotonic: float


class Clock(Protocol):
    def now(self) -> Now: ...


class SystemClock:
    def now(self) -> Now:
        return Now(time.time_ns() // 1_000_000, time.clock_gettime(_STEADY), time.monotonic())


_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_HOST_BOOT = "/proc/sys/kernel/random/boot_id"


def host_boot() -> bytes:
    """16 bytes that name this run of the host, within which the steady clock counts on; empty if not known."""
    try:
        handle = os.open(_HOST_BOOT, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return bytes.fromhex(os.read(handle, 64).decode("ascii").strip().replace("-", ""))
        finally:
            os.close(handle)
    except (OSError, ValueError):
        return b""
