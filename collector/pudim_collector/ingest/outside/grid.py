"""Samples in columns as frames: one row for each shelf and time, missing where nothing came; no Python for a sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.shelves import Place, Shelf

Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Columns(NamedTuple):
    """Samples of one target: number of the series, milliseconds, value, and number of the data point."""

    series: Ints
    times: Ints
    values: Floats
    points: Ints

    def only(self, wanted: np.ndarray[Any, np.dtype[np.bool_]]) -> Columns:
        return Columns(*(column[wanted] for column in self))

    @property
    def point_count(self) -> int:
        return len(np.unique(self.points))


def frames_of(columns: Columns, places: Sequence[Place | None], now: int) -> Iterator[SourceFrames]:
    """The frames of samples whose series all have a place, in which the largest of several values at once stays.

    `places` are in the order of the series' numbers. What is sent twice makes the same frames twice.
    """
    shelves: dict[Shelf, int] = {}
    numbers = np.array([-1 if one is None else shelves.setdefault(one.shelf, len(shelves)) for one in places])
    positions = np.array([-1 if one is None else one.position for one in places])
    shelf = numbers[columns.series]
    order = np.lexsort((columns.values, columns.times, shelf))
    shelf, times = shelf[order], columns.times[order]
    position, values = positions[columns.series][order], columns.values[order]
    bounds = np.searchsorted(shelf, np.arange(len(shelves) + 1))
    for one, number in shelves.items():
        part = slice(bounds[number], bounds[number + 1])
        if part.start < part.stop:
            one.used[position[part]] = now
            yield _frames(one, times[part], position[part], values[part])


def _frames(shelf: Shelf, times: Ints, positions: Ints, values: Floats) -> SourceFrames:
    rows, row = np.unique(times, return_inverse=True)
    grid = np.full((len(rows), shelf.width), np.nan)
    grid[row, positions] = values  # in ascending order: the largest stays
    return SourceFrames(
        shelf.source_id, shelf.width, rows.astype("<i8").tobytes(), grid.astype("<f8").tobytes()
    )
