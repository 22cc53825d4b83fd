"""Who reads a page: words in his language, figures as it writes them, times in his zone. Templates call it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.language import SOURCE, Language, load

UTC_NAME = "UTC"
_THOUSANDS, _POINT = ",", "."


class UnknownTimeZoneError(PudimError):
    """There is no such time zone."""

    code = "unknown_time_zone"
    status = 422
    hint = "Zones have names such as America/Sao_Paulo or Europe/Berlin."


def time_zone(name: str) -> tzinfo:
    """Raises UnknownTimeZoneError."""
    if name == UTC_NAME:
        return UTC
    if name not in _zones():
        raise UnknownTimeZoneError
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    """Looked for once in a process: that walks a folder of six hundred files."""
    return frozenset(available_timezones())


def time_zones() -> list[str]:
    """Those with a place in their name, and UTC: the others are older names of the same."""
    return [UTC_NAME, *sorted(name for name in _zones() if _is_place(name))]


def _is_place(name: str) -> bool:
    area, _, place = name.partition("/")
    return bool(place) and area not in {"Etc", "SystemV", "US", "posix", "right"}


@dataclass(frozen=True)
class Reader:
    """`zone_chosen` says whether he chose one; a browser otherwise shows times in its own."""

    language: Language
    zone: tzinfo = UTC
    zone_name: str = UTC_NAME
    zone_chosen: bool = False

    def words(self, message: str, **values: Any) -> Markup:
        """A message in his language. Translation and values are data: what is no markup yet is escaped."""
        found = escape(self.language.translated(message))
        return found % values if values else found

    def words_of(self, one: str, many: str, count: float, **values: Any) -> Markup:
        """A message that depends on a count, which it may name as %(count)s."""
        found = escape(self.language.catalogue.ngettext(one, many, int(count)))
        return found % {"count": self.number(count), **values}

    def said(self, text: str) -> str:
        """What the code said in English, such as an error."""
        return self.language.said(str(text))

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.language.locale)

    def figure(self, text: str) -> str:
        """A figure that was written out in English, with the separators of his language."""
        if self.language.tag == SOURCE:
            return text
        symbols = self.language.locale.number_symbols["latn"]
        signs = str.maketrans({_THOUSANDS: symbols["group"], _POINT: symbols["decimal"]})
        return text.translate(signs)

    def moment(self, instant: str | datetime) -> str:
        """Day, time and the zone's name."""
        at = _instant(instant).astimezone(self.zone)
        return format_datetime(at, f"d MMM y HH:mm {self._zone_sign}", locale=self.language.locale)

    @property
    def _zone_sign(self) -> str:
        """How the zone is named behind a time; Unicode would say UTC in many words."""
        return f"'{UTC_NAME}'" if self.zone is UTC else "z"

    def day(self, instant: str | date | datetime) -> str:
        """The day on which it was where he is; a date of its own is that date anywhere."""
        at = _date(instant) or _instant(instant).astimezone(self.zone)
        return format_date(at, "medium", locale=self.language.locale)

    def for_scripts(self) -> str:
        """What the browser's own words are, as JSON; empty where they are ours."""
        return json.dumps(self.language.for_scripts, ensure_ascii=False) if self.language.for_scripts else ""


def _date(instant: str | date | datetime) -> date | None:
    """None for what is a time too."""
    if isinstance(instant, str):
        return date.fromisoformat(instant) if len(instant) == len("2026-11-22") else None
    return None if isinstance(instant, datetime) else instant


def _instant(instant: str | date | datetime) -> datetime:
    if isinstance(instant, datetime):
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    read = datetime.fromisoformat(str(instant))
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def teach(environment: Environment) -> None:
    """Give templates `_()` and what else depends on who reads; `page.reader` says who."""
    for name, call in _CALLS.items():
        environment.globals[name] = _in_context(call)


def _in_context(call: Callable[..., Any]) -> Callable[..., Any]:
    @pass_context
    def called(context: Context, *args: Any, **values: Any) -> Any:
        page = context.get("page") or {}
        return call(page.get("reader") or Reader(load(SOURCE)), *args, **values)

    return called


_CALLS: dict[str, Callable[..., Any]] = {
    "_": Reader.words,
    "gettext": Reader.words,
    "ngettext": Reader.words_of,
    "tell": Reader.said,
    "say_number": Reader.number,
    "say_figure": Reader.figure,
    "say_moment": Reader.moment,
    "say_day": Reader.day,
}
