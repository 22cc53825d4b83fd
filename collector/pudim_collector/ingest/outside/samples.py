"""What every protocol is turned into: for each target columns of samples, each pointing to its series."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

from pudim.wire.layouts import Labels, Series
from pudim_collector.ingest.outside.refusals import Refused, TooManySamples

MAX_SAMPLES = 100_000
"""Of one request; alone at its time, each may need a frame of its own."""


class Target(NamedTuple):
    """What samples are about. It belongs to the server called `host`, if there is one, else to the one called `name`.

    `source` and `labels` become those of its sources; `made_of` says where its name comes from.
    """

    source: str
    host: str
    name: str
    made_of: str
    labels: Labels


@dataclass
class Arrival:
    """Samples of one target in columns: the series' number, milliseconds, the value, and the data point it is of."""

    target: Target
    series: list[Series] = field(default_factory=list)
    index: array[int] = field(default_factory=lambda: array("i"))
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    points: array[int] = field(default_factory=lambda: array("i"))
    _numbers: dict[Series, int] = field(default_factory=dict)

    def number(self, series: Series) -> int:
        found = self._numbers.setdefault(series, len(self.series))
        if found == len(self.series):
            self.series.append(series)
        return found

    def add(self, number: int, time: int, value: float, point: int) -> None:
        self.index.append(number)
        self.times.append(time)
        self.values.append(value)
        self.points.append(point)


@dataclass
class Push:
    """One decoded request. `points` are its data points so far, refused ones included."""

    arrivals: dict[Target, Arrival] = field(default_factory=dict)
    refused: Refused = field(default_factory=Refused)
    points: int = 0

    def of(self, target: Target) -> Arrival:
        found = self.arrivals.get(target)
        if found is None:
            found = self.arrivals[target] = Arrival(target)
        return found

    def next_point(self) -> int:
        """The number of one more data point. Raises TooManySamples."""
        self.points += 1
        if self.points > MAX_SAMPLES:
            raise TooManySamples(f"more than {MAX_SAMPLES} data points")
        return self.points

    def check_size(self) -> None:
        """Raises TooManySamples: a histogram's data point is many samples."""
        if sum(len(arrival.index) for arrival in self.arrivals.values()) > MAX_SAMPLES:
            raise TooManySamples(f"more than {MAX_SAMPLES} samples")
