"""All that StatsD's lines add up to between two ticks, by name, kind and tags, in places of their own."""

from __future__ import annotations

from collections.abc import Sequence

from pudim_agent.custom.census import Origin
from pudim_agent.custom.names import NotKept, kept_labels, kept_name
from pudim_agent.custom.places import Place
from pudim_agent.custom.statsd_figures import Figure, figure, series_of
from pudim_agent.custom.statsd_lines import BadLine, Line, kind_of, line, name_of, tag_pairs
from pudim_agent.deltas import NAN
from pudim_agent.text import printable

_EXAMPLE = 80
_SHOWN_SECONDS = 600.0
_QUANTILE = ("quantile", "")
_MOST_WAYS = 16
"""In which one series may be written, with its tags in another order: each is remembered."""
_Key = tuple[bytes, bytes, bytes]


class _Row:
    """One figure, the places of its series, and the ways in which it is written."""

    def __init__(self, figure: Figure, places: Sequence[Place], now: float) -> None:
        self.figure, self.places, self.used = figure, places, now
        self.keys: list[_Key] = []

    def write(self, seconds: float, now: float) -> None:
        for place, value in zip(self.places, self.figure.take(seconds), strict=True):
            place.value, place.used = value, now

    def clear(self) -> None:
        for place in self.places:
            place.value = NAN


class StatsdTable:
    """`idle_seconds` is how long something is reported that nobody sends any more."""

    def __init__(self, origin: Origin, quantiles: Sequence[float], idle_seconds: float) -> None:
        self._origin, self._quantiles, self._idle_seconds = origin, quantiles, idle_seconds
        self._rows: dict[_Key, _Row] = {}
        self._held: dict[Place, _Row] = {}
        self.taken = self.bad = 0
        self.example: str | None = None
        """Why the newest bad line was refused, and how it begins; None when that was long ago."""
        self._bad_at = float("-inf")

    def take(self, packet: bytes, now: float) -> None:
        for text in packet.splitlines():
            if stripped := text.strip():
                try:
                    self._add(line(stripped), now)
                except (BadLine, NotKept) as refused:
                    self.bad += 1
                    self._bad_at = now
                    self.example = f"{refused.detail}: {printable(stripped, _EXAMPLE)!r}"

    def flush(self, seconds: float, now: float) -> None:
        """Write what came in the last `seconds`; all of it waits for the next time where these are none."""
        if now - self._bad_at > _SHOWN_SECONDS:
            self.example = None
        for row in list(dict.fromkeys(self._rows.values())):
            if now - row.used > self._idle_seconds:
                self._give_up(row)
            elif seconds > 0:
                row.write(seconds, now)

    def _give_up(self, row: _Row) -> None:
        row.clear()
        for place in row.places:
            del self._held[place]
        for key in row.keys:
            del self._rows[key]

    def _add(self, one: Line, now: float) -> None:
        """Raises BadLine or NotKept."""
        key = one.name, one.kind, one.tags
        row = self._rows.get(key)
        if row is None:
            row = self._row(one, now)
            if row is None:
                return
            self._rows[key] = row
            row.keys.append(key)
        row.figure.add(one.values, one.rate)
        row.used = now
        self.taken += 1

    def _row(self, one: Line, now: float) -> _Row | None:
        """A new one, or that of the same series written in another way; None when there is no room."""
        kind = kind_of(one.kind)
        taken = (*self._origin.labels, *([_QUANTILE] if kind == "timer" else []))
        labels = kept_labels(tag_pairs(one.tags), taken)
        wanted = series_of(kind, one.kind, kept_name(name_of(one.name)), labels, self._quantiles)
        places = [place for series in wanted if (place := self._origin.place(series, now))]
        if len(places) < len(wanted):
            return None
        made = figure(kind, self._quantiles)
        holders = {id(row): row for place in places if (row := self._held.get(place))}
        if holders:
            (row, *others) = holders.values()
            if len(row.keys) >= _MOST_WAYS:
                raise BadLine("a series that is written in too many ways; send its tags in one order")
            if others or type(row.figure) is not type(made) or len(row.places) != len(places):
                raise BadLine("a name that is used for another kind already")
            return row
        row = _Row(made, places, now)
        self._held.update(dict.fromkeys(places, row))
        return row
