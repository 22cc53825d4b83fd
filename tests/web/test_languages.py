"""Every text of a page can be said in another language, and is said whole in those that we bring."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import nodes

from pudim_collector.infra.language import Language, language, tags
from pudim_collector.infra.language_reader import Reader, time_zone
from pudim_web import LOCALES, TEMPLATES
from tests.web.sample_pages import SAMPLES, Sample, environment
from web import messages

# Mails are in English: what writes them does not know yet in which language their reader reads.
TEMPLATE_NAMES = sorted(
    name
    for name in (path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
    if not name.startswith("mail/")
)
CODES = sorted(path.name for path in LOCALES.iterdir() if path.is_dir())
SPOKEN = ("title", "alt", "aria-label", "placeholder", "hx-confirm", "data-label", "over", "heading", "label")
SAME_EVERYWHERE = frozenset(
    {"Pudim", "CPU", "PID", "UTC", "API", "TimescaleDB", "JSON", "CSV"}
    | {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "s", "ms", "m", "min", "h", "d", "C", "e"}
)
"""Names and units that no language writes otherwise."""
UNSPOKEN = frozenset({"code", "pre", "script", "style", "svg"})
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Spoken(HTMLParser):
    """The texts of a page that a person reads or hears, each with where it stands."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.texts += [(name, value) for name, value in attrs if name in SPOKEN and value]
        if tag in {"input", "meta", "link", "img", "br", "path", "rect", "circle", "line", "polyline"}:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not UNSPOKEN.intersection(self._open):
            self.texts.append(("text", data))


def words(text: str) -> list[str]:
    return [word for word in re.findall(r"[^\W\d_]+", text) if word not in SAME_EVERYWHERE]


def bare_texts(source: str) -> Iterator[str]:
    """What a template says itself, outside of expressions."""
    for place, text in Spoken(JINJA.sub(" ", source)).texts:
        if words(re.sub(r"&\w+;", " ", text)):
            yield f"{place}: {text.strip()}"


def bare_constants(source: str) -> Iterator[str]:
    """Texts in expressions that look like words for people and are not given to `_()`."""
    tree = environment().parse(source)
    said = {
        id(one)
        for call in tree.find_all(nodes.Call)
        if _translates(call)
        for one in call.find_all(nodes.Const)
    }
    loaded = {
        id(one)
        for kind in (nodes.Extends, nodes.Include, nodes.Import)
        for found in tree.find_all(kind)
        for one in found.find_all(nodes.Const)
    }
    compared = {
        id(one) for found in tree.find_all((nodes.Compare, nodes.Test)) for one in found.find_all(nodes.Const)
    }
    for const in tree.find_all(nodes.Const):
        if id(const) in said | loaded | compared or not isinstance(const.value, str):
            continue
        is_sentence = re.match(r"[A-Z][a-z]+", const.value) or re.search(r"[a-z]{2,} [a-z]{2,}", const.value)
        if is_sentence and words(const.value) and not const.value.startswith((" ", "btn", "d-")):
            yield const.value


def _translates(call: nodes.Call) -> bool:
    return isinstance(call.node, nodes.Name) and call.node.name in {"_", "ngettext", "gettext"}


@pytest.mark.parametrize("name", TEMPLATE_NAMES)
def test_no_template_has_a_bare_text(name: str) -> None:
    source = (TEMPLATES / name).read_text("utf-8")
    found = [*bare_texts(source), *bare_constants(source)]
    assert not found, f'{name} says these itself; write {{{{ _("...") }}}}, then run `just messages`: {found}'


@pytest.mark.parametrize(
    "text",
    [
        "<p>Hello</p>",
        '<a title="Go there">{{ icon }}</a>',
        '<input placeholder="Filter">',
        "<p>{{ _('Yes') }} and no</p>",
        '{{ m.field("name", "Name", errors) }}',
        '<p>{{ "no such thing" if x }}</p>',
    ],
)
def test_a_bare_text_is_noticed(text: str) -> None:
    assert [*bare_texts(text), *bare_constants(text)]


@pytest.mark.parametrize(
    "text",
    [
        '<p class="big one">{{ _("Hello") }} <code>just up</code> {{ size }} KiB</p>',
        '<a href="/x" title="{{ _("Go there") }}">{{ name }}</a>',
        '{% if state == "No Name" %}{{ ngettext("%(count)s day", "%(count)s days", 3) }}{% endif %}',
    ],
)
def test_what_is_translated_or_the_same_everywhere_is_fine(text: str) -> None:
    assert not [*bare_texts(text), *bare_constants(text)]


class Pseudo(NullTranslations):
    """Another language for everything: each message is marked at its ends, so that what has no marks was never asked for."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


PSEUDO = Reader(Language("xx", "Pseudo", Locale("en"), Pseudo(), {}))


def data_of(value: Any) -> Iterator[str]:
    """Every text that the collector hands to a page."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from (*data_of(key), *data_of(one))
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from data_of(one)
    elif hasattr(value, "__dict__") or hasattr(value, "__struct_fields__"):
        fields = getattr(value, "__struct_fields__", None) or vars(value)
        yield from data_of([getattr(value, name) for name in fields])


def unasked(sample: Sample) -> list[str]:
    """What a page says in the pseudo language that is neither a message nor data."""
    shell = "Servers Ada ada example org alert script Nov"
    known = set(re.findall(r"[^\W\d_]+", " ".join([shell, *data_of(sample.context)])))
    texts = Spoken(sample.render(PSEUDO)).texts
    # A message may have elements in it, so that its marks stand in texts that follow one another.
    running = "\n".join(text for place, text in texts if place == "text")
    return [
        f"{place}: {word} in {text[:200]}"
        for place, text in [("text", running), *(one for one in texts if one[0] != "text")]
        for word in words(unmarked(text))
        if word not in known
    ]


def unmarked(text: str) -> str:
    """What is left when messages are taken out, the inner ones first."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", text)) != text:
        text = shorter
    return text


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_put_together_out_of_bare_words(name: str) -> None:
    assert not unasked(SAMPLES[name])


@pytest.fixture(params=CODES)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    with (LOCALES / request.param / "pudim.po").open("rb") as source:
        return read_po(source, locale=request.param, abort_invalid=True)


def spoken(catalogue: Catalog) -> Iterable[Message]:
    return (message for message in catalogue if message.id)


def forms(said: Any) -> tuple[str, ...]:
    return tuple(said) if isinstance(said, tuple | list) else (said,)


def test_a_catalogue_has_every_text_of_the_sources_and_no_other(catalogue: Catalog) -> None:
    def shape(of: Catalog) -> set[tuple[Any, frozenset[str]]]:
        return {(one.id, frozenset(Path(path).suffix for path, _ in one.locations)) for one in spoken(of)}

    differing = {str(one) for one, _ in shape(catalogue) ^ shape(messages.template())}
    assert not differing, f"Run `just messages` and translate what is new: {sorted(differing)}"


def test_every_text_is_translated_and_none_is_a_guess(catalogue: Catalog) -> None:
    assert [one.id for one in spoken(catalogue) if not all(forms(one.string))] == []
    assert [one.id for one in catalogue if one.fuzzy and one.id] == []


def test_a_translation_has_the_placeholders_of_its_text(catalogue: Catalog) -> None:
    for one in spoken(catalogue):
        wanted = {name for form in forms(one.id) for name in PLACEHOLDER.findall(form)}
        for form in forms(one.string):
            assert set(PLACEHOLDER.findall(form)) <= wanted, one.id
            assert wanted - set(PLACEHOLDER.findall(form)) <= {"count"} & (
                {"count"} if len(forms(one.id)) > 1 else set()
            ), one.id
            assert "%" not in PLACEHOLDER.sub("", form).replace("%%", "") or not wanted, one.id


def test_a_translation_is_text_and_no_markup(catalogue: Catalog) -> None:
    for one in spoken(catalogue):
        for form in forms(one.string):
            assert not re.search(r"<[a-zA-Z/!]|&\w+;|javascript:", form), one.id
            assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08]", form), one.id


@pytest.mark.parametrize("tag", tags())
@pytest.mark.parametrize("name", SAMPLES)
def test_every_page_is_rendered_in_every_language(tag: str, name: str) -> None:
    text = SAMPLES[name].render(
        Reader(language(tag), time_zone("America/Sao_Paulo"), "America/Sao_Paulo", True)
    )
    assert f'<html lang="{tag}"' in text
    assert 'data-zone="America/Sao_Paulo"' in text
    assert "%(" not in re.sub(r'<meta name="words"[^>]*>', "", text)


def test_alphabets_are_told_apart() -> None:
    """The search for words sees those of other alphabets too."""
    assert words("größe 大小 Ärger") == ["größe", "大小", "Ärger"]
    assert not words("12:30, 4 KiB")
