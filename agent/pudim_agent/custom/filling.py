"""Puts what was read of Prometheus' text into places: all of one reading at once, or nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from pudim.vocabulary.prometheus import unit_of
from pudim.wire.layouts import Series
from pudim_agent.custom.census import Origin
from pudim_agent.custom.exposition import BadExposition, Sample, label_pairs
from pudim_agent.custom.names import NotKept, kept_labels, kept_name
from pudim_agent.custom.places import Place
from pudim_agent.deltas import NAN

MOST_SAMPLES = 50_000
"""Of one reading, with those that are not wanted."""
_STRIDE = 256
_NAMES = 1024


class Filling:
    """One origin's. A line that was understood once is known again by how it is written, up to its value."""

    def __init__(self, origin: Origin, wanted: Callable[[str], bool] = lambda _name: True) -> None:
        self._origin = origin
        self._wanted = lru_cache(_NAMES)(wanted)
        self._known: dict[bytes, Place] = {}
        self.taken = 0
        self.not_kept: str | None = None
        """Why some of the last reading was left out, as one example; None when nothing was."""

    def steps(self, samples: Iterable[Sample], now: float) -> Iterator[None]:
        """Work that may be interrupted wherever it yields. Raises BadExposition; all values stay as they were then."""
        found: dict[Place | Series, Sample] = {}
        not_kept = None
        for number, sample in enumerate(samples, 1):
            if number % _STRIDE == 0:
                yield
            if number > MOST_SAMPLES:
                raise BadExposition(sample.line, f"more than {MOST_SAMPLES} samples")
            try:
                which = self._which(sample)
            except NotKept as refused:
                not_kept = f"line {sample.line}: {refused.detail}"
                continue
            if which in found:
                raise _twice(sample)
            if which is not None:
                found[which] = sample
        yield from self._take(found, now)
        self.not_kept = not_kept

    def fill(self, samples: Iterable[Sample], now: float) -> None:
        """Without interruption. Raises BadExposition."""
        for _ in self.steps(samples, now):
            pass

    def clear(self, now: float) -> None:
        """Nothing is known any more."""
        for place in self._known.values():
            place.value, place.used = NAN, now
        self._known = {}

    def _which(self, sample: Sample) -> Place | Series | None:
        """Where it is known to stand, or what it is; None for what is not wanted. Raises BadExposition or NotKept."""
        place = self._known.get(sample.key)
        if place is not None and not place.gone:
            return place
        name = kept_name(sample.name.decode())
        if not self._wanted(name):
            return None
        return Series(name, unit_of(name), kept_labels(label_pairs(sample), self._origin.labels))

    def _take(self, found: dict[Place | Series, Sample], now: float) -> Iterator[None]:
        """All of it is good by now: only then new series may take room."""
        values: dict[Place, float] = {}
        known: dict[bytes, Place] = {}
        for number, (which, sample) in enumerate(found.items(), 1):
            if number % _STRIDE == 0:
                yield
            place = which if isinstance(which, Place) else self._origin.place(which, now)
            if place is not None:
                if place in values:
                    raise _twice(sample)
                values[place], known[sample.key] = sample.value, place
        self._write(values, now)
        self._known, self.taken = known, len(values)

    def _write(self, values: dict[Place, float], now: float) -> None:
        for place in self._known.values():
            if place not in values:
                place.value, place.used = NAN, now
        for place, value in values.items():
            place.value, place.used = value, now


def _twice(sample: Sample) -> BadExposition:
    return BadExposition(sample.line, "a series that comes twice")
