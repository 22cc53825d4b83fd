"""Where the series of other programs stand: each keeps its place on a shelf as long as it comes.

Series come and go one by one, and each new layout costs the collector something for ever. So new ones share a shelf
with those that came with them, and small shelves are merged into one at least twice as large: however they trickle
in, no series is declared more often than about seven times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pudim.wire.layouts import Labels, Series
from pudim_agent.deltas import NAN

WIDTH = 128
_HALF = 2


class Place:
    """One series and its newest value, NaN while there is none; `used` is when that last changed, in seconds."""

    __slots__ = ("gone", "series", "used", "value")

    def __init__(self, series: Series, used: float) -> None:
        self.series, self.used = series, used
        self.value = NAN
        self.gone = False


class Shelf:
    """The series of one frame. `number` tells it from the other shelves of its source."""

    def __init__(self, number: int, places: Sequence[Place]) -> None:
        self.number, self.places = number, tuple(places)
        self.series = tuple(one.series for one in places)
        self.silent = True  # as long as nothing of it is known

    def values(self) -> list[float]:
        return [one.value for one in self.places]


class Shelves:
    """All places of one source."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, Labels], Place] = {}
        self._waiting: list[Place] = []
        self._shelves: list[Shelf] = []
        self._numbers = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(self._places.values())

    def get(self, series: Series) -> Place | None:
        """The place of that name and those labels, whatever its unit."""
        return self._places.get((series.metric, series.labels))

    def add(self, series: Series, now: float) -> Place:
        """A place for a series that has none."""
        place = self._places[series.metric, series.labels] = Place(series, now)
        self._waiting.append(place)
        return place

    def remove(self, places: Iterable[Place]) -> None:
        """Shelves that lose more than half are given up, and what is left of them is put together anew."""
        for one in places:
            one.gone = True
            del self._places[one.series.metric, one.series.labels]
        self._waiting = [one for one in self._waiting if not one.gone]
        kept = []
        for shelf in self._shelves:
            left = [one for one in shelf.places if not one.gone]
            if len(left) * _HALF < len(shelf.places):
                self._waiting += left
            else:
                kept.append(shelf)
        self._shelves = kept

    def settled(self) -> list[Shelf]:
        """The shelves, those that waited for a place included."""
        new, self._waiting = self._waiting, []
        if new:
            while fitting := [one for one in self._shelves if len(one.places) <= min(len(new), WIDTH - 1)]:
                smallest = min(fitting, key=lambda one: len(one.places))
                self._shelves.remove(smallest)
                new = [*(one for one in smallest.places if not one.gone), *new]
            for start in range(0, len(new), WIDTH):
                self._shelves.append(Shelf(self._numbers, new[start : start + WIDTH]))
                self._numbers += 1
        return self._shelves
