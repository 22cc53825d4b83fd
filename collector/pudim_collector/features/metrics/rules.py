"""How times, ranges and the place in a live stream are said in a URL or header: values and `now` in, times out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pudim.vocabulary.errors import PudimError

LONGEST_RANGE = timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-([0-9]{1,6})([smhdw])")
_EVENT_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,10})")
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
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
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


class Place(NamedTuple):
    """Where a frame stands among a server's frames: they come in order of time, and of source within one time."""

    time: datetime
    source_id: int

    @property
    def event_id(self) -> str:
        return f"{(self.time - _EPOCH) // timedelta(milliseconds=1)}-{self.source_id}"


def parse_place(event_id: str | None) -> Place | None:
    """The place that an event id names; None if it names none."""
    found = _EVENT_ID.fullmatch(event_id or "")
    if found is None:
        return None
    try:
        return Place(_EPOCH + timedelta(milliseconds=int(found[1])), int(found[2]))
    except OverflowError:
        return None
