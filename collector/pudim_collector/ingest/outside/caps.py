"""How many series a sender has, and, when it has too many, which metric and which label are to blame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from pudim.wire.layouts import Labels, Series
from pudim_collector.infra.auth import Sender
from pudim_collector.ingest.outside.labels import MAX_KEY, MAX_NAME, shown
from pudim_collector.ingest.outside.refusals import SeriesCap
from pudim_collector.series.shelves import Shelving

DAY_MS = 86_400_000
"""A series counts for a day after it was last sent: long enough to stop a flood of new ones, and an end to old ones."""
_BLAMED_FOR_MS = 30_000
_SEVERAL = 2


class Census:
    """The series of one sender on this process' shelves."""

    def __init__(self, name: str, shelving: Shelving) -> None:
        self._name, self._shelving = name, shelving
        self._counted: int | None = None
        self._blame = ("", 0)

    def room(self, sender: Sender, wanted: int, now: int) -> int:
        """How many of `wanted` new series it may have; those that were not sent for a day are forgotten for it."""
        if self._counted is None or self._counted + wanted > sender.most_series:
            self._counted = self.sent_since(now - DAY_MS)
        return max(0, min(wanted, sender.most_series - self._counted))

    def added(self, number: int) -> None:
        self._counted = (self._counted or 0) + number

    def sent_since(self, time: int) -> int:
        return sum(shelves.used_since(time) for shelves in self._shelving.owned(self._name))

    def refusal(self, sender: Sender, refused: Iterable[tuple[Labels, Series]], now: int) -> SeriesCap:
        """Names what is to blame, new series included; for half a minute it is not looked for again."""
        if now >= self._blame[1]:
            self._blame = (blame([*self._all(), *refused]), now + _BLAMED_FOR_MS)
        return SeriesCap(
            f"{shown(sender.name, MAX_NAME)} may have {sender.most_series} series; {self._blame[0]}"
        )

    def _all(self) -> Iterator[tuple[Labels, Series]]:
        for shelves in self._shelving.owned(self._name):
            for series in shelves.places:
                yield shelves.owner.labels, series


def blame(found: Iterable[tuple[Labels, Series]]) -> str:
    """The metric with the most series, and of its labels the one with the most values."""
    by_metric: dict[str, list[tuple[Labels, Series]]] = {}
    for labels, series in found:
        by_metric.setdefault(series.metric, []).append((labels, series))
    if not by_metric:
        return "it has none"
    metric, all_of_it = max(by_metric.items(), key=lambda one: (len(one[1]), one[0]))
    most = f"{shown(metric, MAX_NAME)} has {len(all_of_it)}"
    values: dict[str, set[str]] = {}
    for labels, series in all_of_it:
        for key, value in (*labels, *series.labels):
            values.setdefault(key, set()).add(value)
    label, number = max(
        Counter({key: len(one) for key, one in values.items()}).items(), default=("", 0), key=_size
    )
    return f"{most}, and its label {shown(label, MAX_KEY)} {number} values" if number >= _SEVERAL else most


def _size(one: tuple[str, int]) -> tuple[int, str]:
    return one[1], one[0]
