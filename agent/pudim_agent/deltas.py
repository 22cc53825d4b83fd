"""Counters to rates. A rate that cannot be known (first look, reset, wrap, no time passed) is NaN, never zero."""

from __future__ import annotations

from collections.abc import Sequence

NAN = float("nan")


def increases(before: Sequence[float] | None, after: Sequence[float]) -> list[float]:
    """How far each counter of one device went up since `before`.

    One counter that went down says that the device was replaced or its driver reloaded, so the others, even
    those that happen to be higher, count from a new zero too: all are NaN.
    """
    if before is None or len(before) != len(after):
        return [NAN] * len(after)
    found = [new - old for old, new in zip(before, after, strict=True)]
    return found if all(one >= 0 for one in found) else [NAN] * len(found)


def rates(before: Sequence[float] | None, after: Sequence[float], seconds: float) -> list[float]:
    """`increases` a second. `seconds` is the time between the two looks."""
    if not seconds > 0:
        return [NAN] * len(after)
    return [one / seconds for one in increases(before, after)]


def ratio(part: float, whole: float) -> float:
    """The quotient, NaN when there is no whole."""
    return part / whole if whole > 0 else NAN


def shares(before: Sequence[float] | None, after: Sequence[float]) -> list[float]:
    """The share of each counter in what all of them gained, for counters of time such as CPU modes.

    Linux documents that idle and iowait may step back a little, so a small decrease counts as none; when the
    sum did not grow the shares are unknown.
    """
    if before is None or len(before) != len(after) or sum(after) <= sum(before):
        return [NAN] * len(after)
    gained = [max(0.0, new - old) for old, new in zip(before, after, strict=True)]
    whole = sum(gained)
    return [ratio(one, whole) for one in gained]
