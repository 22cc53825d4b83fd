"""The only reader of the machine's clocks, so that every other part can be driven by a made-up time."""

from __future__ import annotations

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
