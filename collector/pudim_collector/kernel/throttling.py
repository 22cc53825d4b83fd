"""Slow down whoever keeps failing: waiting times that grow with failures and are forgotten after a quiet while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_MOST_KEYS = 10_000


@dataclass(frozen=True)
class Patience:
    """`free` failures cost nothing; each further one doubles the wait from `first` up to `most`."""

    free: int
    first: timedelta
    most: timedelta
    forgotten_after: timedelta = timedelta(hours=1)

    def wait_after(self, failures: int) -> timedelta:
        if failures < self.free:
            return timedelta(0)
        return min(self.most, self.first * float(1 << min(failures - self.free, 30)))


@dataclass(frozen=True)
class Failures:
    count: int
    last: datetime


@dataclass
class Throttle:
    """Failures per key, in this process; the least recent keys give way when there are too many."""

    patience: Patience
    _failures: OrderedDict[Hashable, Failures] = field(default_factory=OrderedDict)

    def wait(self, key: Hashable, now: datetime) -> timedelta:
        """How long `key` has to wait from now; zero if not at all."""
        known = self._known(key, now)
        if known is None:
            return timedelta(0)
        return max(timedelta(0), known.last + self.patience.wait_after(known.count) - now)

    def failed(self, key: Hashable, now: datetime) -> None:
        known = self._known(key, now)
        self._failures[key] = Failures(known.count + 1 if known else 1, now)
        self._failures.move_to_end(key)
        if len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        self._failures.pop(key, None)

    def _known(self, key: Hashable, now: datetime) -> Failures | None:
        known = self._failures.get(key)
        if known is not None and now - known.last > self.patience.forgotten_after:
            del self._failures[key]
            return None
        return known
