"""What other programs brought as readings: one a shelf, and how much there is of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from pudim.vocabulary.metrics import METRICS
from pudim_agent.custom.census import Share
from pudim_agent.custom.names import KIND
from pudim_agent.samplers import Reading, Series, series

SOURCE = "custom"


def readings(share: Share, counts: tuple[Series, ...]) -> Iterator[Reading]:
    """Of each source in the order in which its shelves were made.

    A shelf on which nothing is known is said once, so that nobody takes its last values for the newest, and left out
    from then on.
    """
    if not share.origins:
        return
    yield Reading(counts, [float(len(share)), float(share.dropped)], SOURCE)
    for origin in share.origins.values():
        for shelf in origin.shelves.settled():
            values = shelf.values()
            silent, shelf.silent = shelf.silent, all(map(isnan, values))
            if not (silent and shelf.silent):
                yield Reading(shelf.series, values, SOURCE, origin.labels, shelf.number)


def counts_of(kind: str) -> tuple[Series, ...]:
    return tuple(series(name, {KIND: kind}) for name in ("pudim.custom.series", "pudim.custom.dropped"))


def own(metric: str) -> Series:
    """A metric of ours about one source; the source's labels say which."""
    return Series(metric, METRICS[metric].unit)
