"""What StatsD's lines add up to between two ticks: one class for each kind of metric.

A counter is a sum over an interval, hence a rate as OpenTelemetry's are; a timer is what a summary is: quantiles, and
how many and how much a second.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pudim.wire.layouts import Labels, Series, labels_of
from pudim_agent.custom.distinct import Distinct
from pudim_agent.deltas import NAN

MOST_TIMES = 512
"""Times of one timer that are kept between two ticks: then each of all of them is kept with the same chance."""
MOST_MEMBERS = 1024
"""Members of a set that are counted exactly; beyond, the count is good to some 3 percent."""
_UNITS = {b"ms": "ms"}


class Figure(Protocol):
    """What one name, kind and tags add up to."""

    def add(self, values: Sequence[bytes], rate: float) -> None: ...

    def take(self, seconds: float) -> Iterable[float]:
        """The values of its series, in their order, after `seconds` since the last time; and a new beginning."""
        ...


class Counter:
    def __init__(self) -> None:
        self._sum = 0.0

    def add(self, values: Sequence[bytes], rate: float) -> None:
        self._sum += sum(map(float, values)) / rate

    def take(self, seconds: float) -> Iterable[float]:
        found, self._sum = self._sum / seconds, 0.0
        return (found,)


class Gauge:
    def __init__(self) -> None:
        self._level = 0.0

    def add(self, values: Sequence[bytes], _rate: float) -> None:
        """A sign makes a step of it, as Etsy has it: to set a negative level one sets zero first."""
        for value in values:
            self._level = float(value) + (self._level if value[:1] in b"+-" else 0.0)

    def take(self, _seconds: float) -> Iterable[float]:
        return (self._level,)


class Set:
    def __init__(self) -> None:
        self._members = Distinct(MOST_MEMBERS)

    def add(self, values: Sequence[bytes], _rate: float) -> None:
        for value in values:
            self._members.add(value)

    def take(self, _seconds: float) -> Iterable[float]:
        found, self._members = float(len(self._members)), Distinct(MOST_MEMBERS)
        return (found,)


class Timer:
    """Quantiles of a reservoir (Vitter's algorithm R), smallest and largest exactly."""

    def __init__(self, quantiles: Sequence[float], draw: Callable[[int], int] = random.randrange) -> None:
        self._quantiles, self._draw = quantiles, draw
        self._begin()

    def _begin(self) -> None:
        self._kept = array("d")
        self._seen = 0
        self._count = self._sum = 0.0
        self._low, self._high = float("inf"), float("-inf")

    def add(self, values: Sequence[bytes], rate: float) -> None:
        for text in values:
            value = float(text)
            self._seen += 1
            if len(self._kept) < MOST_TIMES:
                self._kept.append(value)
            elif (place := self._draw(self._seen)) < MOST_TIMES:
                self._kept[place] = value
            self._count += 1 / rate
            self._sum += value / rate
            self._low, self._high = min(self._low, value), max(self._high, value)

    def take(self, seconds: float) -> Iterable[float]:
        found = [self._count / seconds, self._sum / seconds]
        if self._seen:
            kept = sorted(self._kept)
            found += [self._low, *(quantile(kept, one) for one in self._quantiles), self._high]
            self._begin()
        else:
            found += [NAN] * (len(self._quantiles) + 2)
        return found


def quantile(ascending: Sequence[float], share: float) -> float:
    """By linear interpolation between neighbours (Hyndman and Fan's type 7, numpy's default)."""
    at = share * (len(ascending) - 1)
    below = int(at)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (ascending[above] - ascending[below]) * (at - below)


def figure(kind: str, quantiles: Sequence[float]) -> Figure:
    made: dict[str, Callable[[], Figure]] = {
        "counter": Counter,
        "gauge": Gauge,
        "set": Set,
        "timer": lambda: Timer(quantiles),
    }
    return made[kind]()


def series_of(
    kind: str, letter: bytes, name: str, labels: Labels, quantiles: Sequence[float]
) -> list[Series]:
    """In the order of `take`, named as the collector names what OpenTelemetry pushes."""
    if kind == "counter":
        return [Series(f"{name}.rate", "1/s", labels)]
    if kind == "gauge":
        return [Series(name, "", labels)]
    if kind == "set":
        return [Series(name, "1", labels)]
    unit = _UNITS.get(letter, "")
    return [
        Series(f"{name}.count.rate", "1/s", labels),
        Series(f"{name}.sum.rate", f"{unit or '1'}/s", labels),
        *(
            Series(name, unit, labels_of({**dict(labels), "quantile": f"{one:.6g}"}))
            for one in (0.0, *quantiles, 1.0)
        ),
    ]
