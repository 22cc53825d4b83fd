"""Exponential histograms as buckets with fixed upper bounds: coarser where needed, never between their own bounds.

A bucket `i` of scale `s` holds (b^i, b^(i+1)] with b = 2^(2^-s); halving the scale joins its buckets in pairs exactly
(OpenTelemetry's data model, "Exponential Scale"). Kept at one scale, the bounds of successive points are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, ldexp

from pudim_collector.ingest.outside.refusals import BadPoint, TooManyBuckets

FINEST_SCALE = 2
"""Four buckets for each doubling: bounds 19 % apart."""
MAX_BUCKETS = 200
_SCALES = range(-11, 21)
_MOST_GIVEN = 1_000
_LARGEST_EXPONENT = 1_024


@dataclass(frozen=True)
class Exponential:
    """One data point: counts of the buckets from `offset` on, for positive values and for negative ones mirrored."""

    scale: int
    zero_threshold: float
    zero_count: int
    positive_offset: int
    positive: Sequence[int]
    negative_offset: int
    negative: Sequence[int]


def bounds_and_counts(point: Exponential) -> list[tuple[float, int]]:
    """(upper bound, how many values are not above it), ascending; what lies above all bounds is left out.

    Raises BadPoint or TooManyBuckets.
    """
    if point.scale not in _SCALES:
        raise BadPoint(f"an exponential histogram of scale {point.scale}")
    if max(len(point.positive), len(point.negative)) > _MOST_GIVEN:
        raise TooManyBuckets(f"an exponential histogram of more than {_MOST_GIVEN} buckets")
    scale, positive, negative = _coarser(point)
    buckets = [(-_bound(index, scale), negative.get(index, 0)) for index in reversed(_span(negative))]
    buckets.append((point.zero_threshold, point.zero_count))
    buckets += [(_bound(index + 1, scale), positive.get(index, 0)) for index in _span(positive)]
    return _running(buckets)


def _coarser(point: Exponential) -> tuple[int, dict[int, int], dict[int, int]]:
    """The finest scale at which the buckets are few enough, and those of them that hold anything."""
    scale = point.scale
    positive = _filled(point.positive_offset, point.positive)
    negative = _filled(point.negative_offset, point.negative)
    while scale > FINEST_SCALE or len(_span(positive)) + len(_span(negative)) > MAX_BUCKETS:
        scale, positive, negative = scale - 1, _halved(positive), _halved(negative)
    return scale, positive, negative


def _filled(offset: int, counts: Sequence[int]) -> dict[int, int]:
    return {index: count for index, count in enumerate(counts, offset) if count}


def _span(buckets: dict[int, int]) -> range:
    """From the first bucket that holds anything to the last: an empty one between them is a bound all the same."""
    return range(min(buckets), max(buckets) + 1) if buckets else range(0)


def _halved(buckets: dict[int, int]) -> dict[int, int]:
    joined: dict[int, int] = {}
    for index, count in buckets.items():
        joined[index >> 1] = joined.get(index >> 1, 0) + count
    return joined


def _bound(index: int, scale: int) -> float:
    """b^index; infinite where no float is so large."""
    whole, rest = (index >> scale, index & ((1 << scale) - 1)) if scale > 0 else (index << -scale, 0)
    if whole >= _LARGEST_EXPONENT:
        return inf
    return float(ldexp(2.0 ** (rest / (1 << max(scale, 0))), max(whole, -2 * _LARGEST_EXPONENT)))


def _running(buckets: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    found: dict[float, int] = {}
    total = 0
    for bound, count in buckets:
        total += count
        if abs(bound) != inf:
            found[bound] = total
    return sorted(found.items())
