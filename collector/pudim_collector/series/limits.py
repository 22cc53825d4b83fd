"""What one question may cost: refused by name before anything is read."""

from __future__ import annotations

from pudim.vocabulary.errors import PudimError
from pudim_collector.series.buckets import NORMAL_INTERVAL
from pudim_collector.series.tiers import Plan, Tier

MAX_SERIES = 2_000
MAX_POINTS = 5_000
MAX_CELLS = 1_000_000
"""Buckets of all series in one answer; each is five numbers."""
MAX_ROWS = 4_000_000
"""Samples or rollups that one answer is made of; numpy holds some fifty bytes for each."""

MAX_RANKED = 50_000
"""Series whose latest values are compared; each is looked up in the index once."""


class TooManySeries(PudimError):
    """This selects more series than one question may."""

    code = "too_many_series"
    status = 422
    hint = (
        f"Ask for fewer servers, a narrower metric or matchers; at most {MAX_SERIES} series are read at once."
    )


class TooManyPoints(PudimError):
    """This asks for more buckets than one answer may hold."""

    code = "too_many_points"
    status = 422
    hint = (
        f"Ask for wider steps, a shorter range or fewer series: at most {MAX_POINTS} buckets a series"
        f" and {MAX_CELLS} in all."
    )


class TooMuchTouched(PudimError):
    """This would read more samples than one question may."""

    code = "too_much_touched"
    status = 422
    hint = (
        "Ask for a shorter range, fewer series, or a step of 60 s or 3600 s and more, which rollups answer."
    )


def check_ranked(series: int) -> None:
    """Raises TooManySeries."""
    if series > MAX_RANKED:
        raise TooManySeries(f"{series} series to rank")


def check_touched(plan: Plan, series: int) -> None:
    """Raises TooManyPoints or TooMuchTouched."""
    milliseconds = sum(stretch.end - stretch.start for stretch in plan.stretches)
    buckets = -(-milliseconds // (plan.step * 1000))
    if buckets > MAX_POINTS + 2 or buckets * series > MAX_CELLS:
        raise TooManyPoints(f"{series} series of {buckets} buckets")
    rows = estimated_rows(plan, series)
    if rows > MAX_ROWS:
        raise TooMuchTouched(f"about {rows} samples of {series} series")


def estimated_rows(plan: Plan, series: int) -> int:
    """As if every source had a frame each normal interval."""
    each = {Tier.RAW: int(NORMAL_INTERVAL * 1000), Tier.MINUTE: 60_000, Tier.HOUR: 3_600_000}
    return series * sum((stretch.end - stretch.start) // each[stretch.tier] for stretch in plan.stretches)
