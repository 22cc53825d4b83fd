"""The languages that pages are written in: their catalogues, and which of them whoever asks understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations, c2py
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from pudim.vocabulary.errors import PudimError
from pudim_web import LOCALES

SOURCE = "en"
"""What our sources are written in; it has no catalogue."""
_FORMATS = {SOURCE: "en_GB"}  # days before months and 24 hours, as the rest of the world reads them
_CATALOGUE = "pudim.po"
_LONGEST_ACCEPT = 256
_MOST_WISHES = 16
_COUNTS = 200
"""Beyond these every rule of plurals repeats itself by hundreds."""
_LONGEST_SAID = 1_000
_VALUE = re.compile(r"%\((\w+)\)[a-z]")
_WISH = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}|\*)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?")


class UnknownLanguageError(PudimError):
    """Pages are not written in this language."""

    code = "unknown_language"
    status = 422


@dataclass(frozen=True)
class Shape:
    """A message with values in it, and how to recognise what it has become once they were filled in."""

    message: str
    recognised: re.Pattern[str]


@dataclass(frozen=True)
class Language:
    """`tag` is HTML's and HTTP's name of it, such as pt-BR; `name` is what those who speak it call it."""

    tag: str
    name: str
    locale: Locale
    catalogue: NullTranslations
    for_scripts: Mapping[str, str | tuple[str, ...]]
    shapes: Sequence[Shape] = ()

    def translated(self, message: str) -> str:
        return self.catalogue.gettext(message) if message else ""

    def said(self, text: str) -> str:
        """A text that the code made up in English, perhaps of two messages or with values in it.

        Errors are raised far from any page, and the API tells them in English. What no message looks like stays so.
        """
        if self.tag == SOURCE or not text or len(text) > _LONGEST_SAID:
            return text
        found = self._whole(text)
        if found is not None:
            return found
        for end in re.finditer(r"[.?!] ", text):
            first, rest = self._whole(text[: end.start() + 1]), text[end.end() :]
            if first is not None:
                return f"{first} {self.said(rest)}"
        return text

    def _whole(self, text: str) -> str | None:
        translated = self.catalogue.gettext(text)
        if translated != text:
            return translated
        for shape in self.shapes:
            if found := shape.recognised.fullmatch(text):
                return _filled(self.catalogue.gettext(shape.message), found.groupdict())
        return None


def _filled(message: str, values: Mapping[str, str]) -> str:
    """The values are texts by now, whatever they were."""
    filled = _VALUE.sub(lambda found: values.get(found[1], ""), message)
    return filled.replace("%%", "%")


def tags(folder: Path = LOCALES) -> list[str]:
    """Every language that there is, ours first."""
    return [SOURCE, *sorted(path.parent.name.replace("_", "-") for path in folder.glob(f"*/{_CATALOGUE}"))]


def language(tag: str) -> Language:
    """Raises UnknownLanguageError."""
    if tag not in tags():
        raise UnknownLanguageError
    return load(tag)


@cache
def load(tag: str, folder: Path = LOCALES) -> Language:
    """Read once in a process: a catalogue of some hundred messages takes a tenth of a second."""
    code = tag.replace("-", "_")
    name = Locale.parse(code).get_display_name() or tag
    name = name[:1].upper() + name[1:]
    locale = Locale.parse(_FORMATS.get(tag, code))
    if tag == SOURCE:
        return Language(tag, name, locale, NullTranslations(), {})
    with (folder / code / _CATALOGUE).open("rb") as source:
        return of_catalogue(tag, name, locale, read_po(source, locale=code, abort_invalid=True))


def of_catalogue(tag: str, name: str, locale: Locale, catalogue: Catalog) -> Language:
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    for_scripts = dict(_for_scripts(catalogue, c2py(catalogue.plural_expr)))
    return Language(tag, name, locale, GNUTranslations(compiled), for_scripts, tuple(_shapes(catalogue)))


def _for_scripts(
    catalogue: Catalog, plurals: Callable[[int], int]
) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """Only what the browser says by itself is sent along with a page; under "" which plural a count takes."""
    yield "", "".join(str(plurals(count)) for count in range(_COUNTS))
    for message in catalogue:
        if message.id and any(path.endswith(".ts") for path, _ in message.locations):
            said = message.string or ""
            key = message.id if isinstance(message.id, str) else message.id[0]
            yield key, said if isinstance(said, str) else tuple(said)


def _shapes(catalogue: Catalog) -> Iterator[Shape]:
    for message in catalogue:
        if not isinstance(message.id, str) or not any(path.endswith(".py") for path, _ in message.locations):
            continue
        parts = _VALUE.split(message.id)
        if len(parts) > 1:
            yield Shape(message.id, re.compile("".join(_recognised(parts)), re.DOTALL))


def _recognised(parts: Sequence[str]) -> Iterator[str]:
    """A regular expression out of texts with the names of values between them."""
    seen: set[str] = set()
    for place, part in enumerate(parts):
        if place % 2 == 0:
            yield re.escape(part.replace("%%", "%"))
        elif part in seen:
            yield f"(?P={part})"
        else:
            seen.add(part)
            yield f"(?P<{part}>.*?)"


def negotiated(chosen: str | None, accepted: str, default: str) -> Language:
    """What the person chose, else what the browser asks for (Accept-Language), else the installation's."""
    known = {tag.lower(): tag for tag in tags()}
    if chosen is not None and chosen.lower() in known:
        return load(known[chosen.lower()])
    for wish in _wishes(accepted):
        if wish == "*":
            break
        near = next((tag for tag in known if tag.partition("-")[0] == wish.partition("-")[0]), None)
        if found := known.get(wish) or (known[near] if near else None):
            return load(found)
    return load(known.get(default.lower(), SOURCE))


def _wishes(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the dearest first."""
    found: list[tuple[float, int, str]] = []
    for text in accepted[:_LONGEST_ACCEPT].split(",")[:_MOST_WISHES]:
        wish = _WISH.fullmatch(text)
        if wish is not None and float(wish[2] or 1) > 0:
            found.append((-float(wish[2] or 1), len(found), wish[1].lower()))
    return [tag for _, _, tag in sorted(found)]
