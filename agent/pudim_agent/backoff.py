"""How long to wait before the next attempt, so that a fleet does not come back all at once."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Doubles from `low` to `high` seconds; each wait is drawn from the upper half of its step."""

    def __init__(self, low: float, high: float, draw: Callable[[], float] = random.random) -> None:
        self._low, self._high, self._draw = low, high, draw
        self._step = low

    def reset(self) -> None:
        self._step = self._low

    def next(self) -> float:
        step, self._step = self._step, min(self._high, self._step * 2)
        return self.jitter(step)

    def jitter(self, seconds: float) -> float:
        return seconds * (1 + self._draw()) / 2
