"""How finely values are told: digits that nobody would see would take most of the store's space.

A share or a rate comes out of a division with sixteen digits of which the last twelve are chance, and chance does not
compress: an hour of CPU shares takes 6.7 bytes a sample as divided and 1.6 with four decimals, operations a second 6.8
and 1.0, bytes a second 6.8 and 2.0, the mean wait of a disk 6.0 and 2.0. So shares are told to a hundredth of a per
cent, times to a microsecond, traffic to a byte and other rates to two decimals. But what is not nothing never becomes
zero: it keeps two digits then, so that one error in an hour is still seen. Only the agent's own metrics are rounded, for of
others' nobody here knows what is small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pudim.vocabulary.metrics import METRICS, Kind
from pudim.wire.layouts import Series

_DECIMALS = {"1": 4, "s": 6, "By/s": 0, "Cel": 3, "W": 3}
_OF_RATES = 2
Places = tuple[int | None, ...]


def places_of(layout: Iterable[Series]) -> Places:
    """Decimals by series; None leaves a value as it is."""
    return tuple(map(_decimals, layout))


def rounded(values: Sequence[float], places: Places) -> list[float]:
    return [
        value if decimals is None else _round(value, decimals)
        for value, decimals in zip(values, places, strict=True)
    ]


def _decimals(series: Series) -> int | None:
    metric = METRICS.get(series.metric)
    if metric is None:
        return None
    return _DECIMALS.get(metric.unit, _OF_RATES if metric.kind is Kind.RATE else None)


def _round(value: float, decimals: int) -> float:
    found = round(value, decimals)
    return found if found or not value else float(f"{value:.2g}")
