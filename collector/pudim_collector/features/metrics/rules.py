"""How a range of time is asked for in a URL: values and `now` in, times out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pudim.vocabulary.errors import PudimError

LONGEST_RANGE = timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-(\d{1,6})([smhdw])")
_EPOCH = datetime.fromtimestamp(0, UTC)


class BadTime(PudimError):
    """A time is an ISO 8601 date and time, Unix seconds, `now`, or relative like `-15m`, `-1h`, `-7d`."""

    code = "bad_time"
    status = 422


class BadRange(PudimError):
    """A range begins before it ends, and is at most a year long."""

    code = "bad_range"
    status = 422


@dataclass(frozen=True)
class Range:
    """From `start` until before `end`."""

    start: datetime
    end: datetime


def parse_time(text: str, now: datetime) -> datetime:
    """Raises BadTime. A time without a zone is UTC."""
    if text in {"", "now"}:
        return now
    try:
        if relative := _RELATIVE.fullmatch(text):
            return now - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
        if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return _EPOCH + timedelta(seconds=float(text))
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise BadTime from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parse_range(start: str, end: str, now: datetime) -> Range:
    """Raises BadTime or BadRange."""
    found = Range(parse_time(start, now), parse_time(end, now))
    if not timedelta() < found.end - found.start <= LONGEST_RANGE:
        raise BadRange
    return found
