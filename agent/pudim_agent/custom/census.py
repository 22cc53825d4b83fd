"""How many series other programs may bring, who brings how many, and what is to blame when there are too many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isnan
from typing import Any

from pudim.wire.layouts import MAX_TEXT, Labels, Series
from pudim_agent.custom.distinct import Distinct
from pudim_agent.custom.places import Place, Shelves
from pudim_agent.notices import Notices
from pudim_agent.text import printable

MOST_SERIES = 5_000
"""Of all ways together: a session takes 50,000 declared series, and each is declared up to seven times."""
HOUR, DAY = 3_600.0, 86_400.0
"""A place without a value for an hour is given up where another needs it, after a day in any case."""
_LOOK_SECONDS = 60.0
_TELL_SECONDS, _SOON_SECONDS = 30.0, 5.0
_MOST_TOLD = 100
_MOST_BLAMED = 64
_EXAMPLES = 32
_SEVERAL = 2


class Origin:
    """One file, exporter or socket that brings series. `error` is what is wrong with it now, None when nothing is."""

    def __init__(self, share: Share, name: str, labels: Labels) -> None:
        self.share, self.name, self.labels = share, name, labels
        self.shelves = Shelves()
        self.dropped = Distinct(_MOST_BLAMED)
        self.at_ms: int | None = None
        self.left = False
        self._error: str | None = None

    @property
    def error(self) -> str | None:
        return self._error

    def say(self, error: str | None, at_ms: int) -> None:
        """How it is from `at_ms` on."""
        self.left = False
        if error != self._error or self.at_ms is None:
            self._error, self.at_ms = error, at_ms
            self.share.census.changed = True

    def leave(self) -> None:
        """It is no more; its places stay for a while, in case it comes back."""
        self._error, self.at_ms, self.left = None, None, True

    def place(self, series: Series, now: float) -> Place | None:
        """Where `series` stands, from now on at the latest; None when there is no room for it."""
        found = self.shelves.get(series)
        if found is None:
            if not self.share.has_room(now):
                self.turn_away(series, now)
                return None
            found = self.shelves.add(series, now)
        return found

    def turn_away(self, series: Series, now: float) -> None:
        key = repr(series).encode()
        self.dropped.add(key)
        self.share.blame.add(series, key, now)

    def forget(self, before: float) -> None:
        """Give up the places that had no value since `before`."""
        idle = [one for one in self.shelves if isnan(one.value) and one.used < before]
        if idle:
            self.shelves.remove(idle)

    def told(self) -> dict[str, Any]:
        return {
            "kind": self.share.kind,
            "name": printable(self.name.encode(), MAX_TEXT),
            "series": len(self.shelves),
            "dropped": len(self.dropped),
            "offender": self.share.offender() if len(self.dropped) else None,
            "error": None if self._error is None else printable(self._error.encode(), MAX_TEXT),
            "at": self.at_ms,
        }


class Blame:
    """What was turned away in the last hour: of each metric how many series, and some of their labels."""

    def __init__(self) -> None:
        self.by_metric: dict[str, tuple[Distinct, list[Labels]]] = {}
        self._since = 0.0

    def add(self, series: Series, key: bytes, now: float) -> None:
        if not self.by_metric:
            self._since = now
        found = self.by_metric.get(series.metric)
        if found is None:
            if len(self.by_metric) >= _MOST_BLAMED:
                return
            found = self.by_metric[series.metric] = Distinct(_MOST_BLAMED), []
        found[0].add(key)
        if len(found[1]) < _EXAMPLES:
            found[1].append(series.labels)

    def is_over(self, now: float) -> bool:
        return bool(self.by_metric) and now >= self._since + HOUR


class Share:
    """What may come one way: `kind` is textfile, statsd or scrape."""

    def __init__(self, census: Census, kind: str, most: int) -> None:
        self.census, self.kind, self.most = census, kind, most
        self.origins: dict[str, Origin] = {}
        self.blame = Blame()

    def __len__(self) -> int:
        return sum(len(origin.shelves) for origin in self.origins.values())

    @property
    def dropped(self) -> int:
        return sum(len(origin.dropped) for origin in self.origins.values())

    def origin(self, name: str, labels: Mapping[str, str]) -> Origin:
        found = self.origins.get(name)
        if found is None:
            found = self.origins[name] = Origin(self, name, tuple(sorted(labels.items())))
        return found

    def has_room(self, now: float) -> bool:
        if self._is_full():
            self.census.make_room(now)
        return not self._is_full()

    def _is_full(self) -> bool:
        return len(self) >= self.most or len(self.census) >= self.census.most

    def offender(self) -> str | None:
        """The metric with the most series, and of its labels the one with the most values."""
        full = len(self) >= self.most
        return worst([self] if full else list(self.census.shares.values()))

    def forget(self, before: float, now: float) -> None:
        for name, origin in list(self.origins.items()):
            origin.forget(before)
            if origin.left and not len(origin.shelves):
                del self.origins[name]
        if self.blame.is_over(now):
            self.blame = Blame()
            for origin in self.origins.values():
                origin.dropped = Distinct(_MOST_BLAMED)


class Census:
    """All shares of this agent."""

    def __init__(self, most: int = MOST_SERIES) -> None:
        self.most = most
        self.shares: dict[str, Share] = {}
        self.changed = False
        self._looked = self._told = self._asked = float("-inf")

    def __len__(self) -> int:
        return sum(map(len, self.shares.values()))

    def share(self, kind: str, most: int) -> Share:
        return self.shares.setdefault(kind, Share(self, kind, most))

    def make_room(self, now: float) -> None:
        if now >= self._looked + _LOOK_SECONDS:
            self._looked = now
            for share in self.shares.values():
                share.forget(now - HOUR, now)

    def look(self, now: float, at_ms: int, notices: Notices) -> None:
        """Before each of the samplers is asked: tell who brings what, soon when that changed and else twice a minute,
        and give up what nobody brought for a day.
        """
        if now == self._asked:
            return  # another sampler's turn in the same tick: only some have said by now how it is
        self._asked = now
        if now < self._told + (_SOON_SECONDS if self.changed else _TELL_SECONDS):
            return
        self._told, self.changed = now, False
        for share in self.shares.values():
            share.forget(now - DAY, now)
        origins = [
            one for share in self.shares.values() for one in share.origins.values() if one.at_ms is not None
        ]
        if origins:
            told = sorted((origin.told() for origin in origins), key=_worst_first)
            notices.tell("custom", at_ms, {"sources": told[:_MOST_TOLD]})


def _worst_first(told: Mapping[str, Any]) -> tuple[bool, int, str]:
    return told["error"] is None, -told["dropped"], told["name"]


def worst(shares: Iterable[Share]) -> str | None:
    """As a sentence's part: `'hits' has 900 series, and its label 'user' 900 values`."""
    counts: dict[str, int] = {}
    labels: dict[str, list[Labels]] = {}
    for metric, number, known in _counted(shares):
        counts[metric] = counts.get(metric, 0) + number
        labels.setdefault(metric, []).extend(known)
    if not counts:
        return None
    metric = max(counts, key=lambda one: (counts[one], one))
    said = f"{printable(metric.encode(), 80)!r} has {counts[metric]} series"
    label, number = _busiest_label(labels[metric])
    return f"{said}, and its label {label!r} {number} values" if number >= _SEVERAL else said


def _counted(shares: Iterable[Share]) -> Iterator[tuple[str, int, list[Labels]]]:
    for share in shares:
        for origin in share.origins.values():
            for place in origin.shelves:
                yield place.series.metric, 1, [place.series.labels]
        for metric, (distinct, examples) in share.blame.by_metric.items():
            yield metric, len(distinct), examples


def _busiest_label(found: Iterable[Labels]) -> tuple[str, int]:
    values: dict[str, set[str]] = {}
    for labels in found:
        for key, value in labels:
            values.setdefault(key, set()).add(value)
    label = max(values, key=lambda one: (len(values[one]), one), default="")
    return printable(label.encode(), 80), len(values.get(label, ()))
