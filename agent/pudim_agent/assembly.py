"""Joins what the samplers read into one frame a source, and keeps one sampler's failure to itself."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import MAX_SERIES, Labels, Layout, Source
from pudim_agent.deltas import NAN
from pudim_agent.rounding import Places, places_of, rounded
from pudim_agent.samplers import Host, Reading, Sampling, Series, Tick

_log = logging.getLogger(__name__)
_Key = tuple[str, Labels, int]


class Frame(NamedTuple):
    source: Source
    values: Sequence[float]


class _Known(NamedTuple):
    parts: tuple[tuple[Series, ...], ...]
    source: Source
    places: Places


class UnevenReading(PudimError):
    """A sampler gave more or fewer values than it named series."""

    code = "uneven_reading"


class Assembly:
    def __init__(self, samplers: Mapping[str, Sampling], host: Host) -> None:
        self._samplers, self._vitals = samplers, host.vitals
        self._last: dict[str, list[Reading]] = {}
        self._complained: set[tuple[str, type[Exception]]] = set()
        self._sources: dict[_Key, _Known] = {}

    def frames(self, tick: Tick) -> list[Frame]:
        gathered: dict[_Key, list[Reading]] = {}
        for name, sampler in self._samplers.items():
            for reading in self._readings(name, sampler, tick):
                if reading.series:
                    gathered.setdefault((reading.source, reading.labels, reading.part), []).append(reading)
        self._sources = {key: self._source(key, readings) for key, readings in gathered.items()}
        return [_frame(self._sources[key], readings) for key, readings in gathered.items()]

    def _readings(self, name: str, sampler: Sampling, tick: Tick) -> list[Reading]:
        try:
            found = [_even(one) for one in sampler.sample(tick)]
        except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; the others go on
            self._complain(name, error)
            return [one._replace(values=[NAN] * len(one.series)) for one in self._last.get(name, [])]
        self._last[name] = found
        return found

    def _complain(self, name: str, error: Exception) -> None:
        self._vitals.sampler_errors += 1
        if (name, type(error)) not in self._complained:
            self._complained.add((name, type(error)))
            _log.warning("sampler %s failed: %s: %s (said once)", name, type(error).__name__, error)

    def _source(self, key: _Key, readings: Sequence[Reading]) -> _Known:
        """The source of last time as long as every part of its layout is the same object."""
        parts = tuple(one.series for one in readings)
        known = self._sources.get(key)
        if known and len(known.parts) == len(parts) and all(map(_is, known.parts, parts)):
            return known
        joined = [one for part in parts for one in part]
        if len(joined) > MAX_SERIES:
            _log.warning("%s has %d series; only the first %d are sent", key[0], len(joined), MAX_SERIES)
        layout = tuple(joined[:MAX_SERIES])
        return _Known(parts, Source(*key[:2], Layout(layout)), places_of(layout))


def _even(reading: Reading) -> Reading:
    if len(reading.series) != len(reading.values):
        raise UnevenReading(f"{len(reading.values)} values for {len(reading.series)} series")
    return reading


def _is(one: object, other: object) -> bool:
    return one is other


def _frame(known: _Known, readings: Iterable[Reading]) -> Frame:
    joined = [value for reading in readings for value in reading.values][:MAX_SERIES]
    return Frame(known.source, rounded(joined, known.places))
