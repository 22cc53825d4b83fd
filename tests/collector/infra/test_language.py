"""Which language is meant, and what its catalogue makes of texts; read from real files."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from pudim_collector.infra.language import UnknownLanguageError, language, load, negotiated, tags
from pudim_collector.infra.language_reader import (
    Reader,
    UnknownTimeZoneError,
    teach,
    time_zone,
    time_zones,
)

HOSTILE = "<script>alert(1)</script>"
CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);\\n"

#: web/src/pure/clock.ts
msgid "just now"
msgstr "teď"

#: web/src/pure/signs.ts web/pudim_web/templates/servers/list.html
msgid "%(count)s disk"
msgid_plural "%(count)s disks"
msgstr[0] "%(count)s disk"
msgstr[1] "%(count)s disky"
msgstr[2] "%(count)s disků"

#: web/pudim_web/templates/servers/list.html
msgid "Hello %(name)s"
msgstr "<b>Ahoj</b> %(name)s & 100 %%"

#: collector/pudim_collector/features/accounts/service.py
msgid "Wait %(seconds)s s."
msgstr "Čekej %(seconds)s s."

#: collector/pudim_collector/features/accounts/service.py
msgid "Sign in again."
msgstr "Přihlas se znovu."
"""


@pytest.fixture
def czech(tmp_path: Path) -> Reader:
    (tmp_path / "cs").mkdir()
    (tmp_path / "cs" / "pudim.po").write_text(CATALOGUE, "utf-8")
    assert tags(tmp_path) == ["en", "cs"]
    return Reader(load("cs", tmp_path))


@pytest.mark.parametrize(
    ("chosen", "accepted", "default", "tag"),
    [
        (None, "", "en", "en"),
        (None, "", "pt-BR", "pt-BR"),
        (None, "pt-BR,pt;q=0.9", "en", "pt-BR"),
        (None, "pt-PT", "en", "pt-BR"),
        (None, "pt", "en", "pt-BR"),
        (None, "en-GB, pt;q=0.9", "pt-BR", "en"),
        (None, "en;q=0.1, pt-br", "en", "pt-BR"),
        (None, "pt;q=0, en", "pt-BR", "en"),
        (None, "tlh, *", "pt-BR", "pt-BR"),
        (None, "pt;q=nan,;;,\x00,pt-BR-x-" + "a" * 500, "en", "en"),
        ("pt-BR", "en", "en", "pt-BR"),
        ("tlh", "pt", "en", "pt-BR"),
        ("../../etc", "", "en", "en"),
    ],
)
def test_which_language_is_meant(chosen: str | None, accepted: str, default: str, tag: str) -> None:
    assert negotiated(chosen, accepted, default).tag == tag


@given(st.text(max_size=400))
def test_any_header_means_some_language(accepted: str) -> None:
    assert negotiated(None, accepted, "en").tag in tags()


@pytest.mark.parametrize("tag", ["tlh", "", "pt_BR", "../en", "en\x00"])
def test_a_language_that_there_is_not(tag: str) -> None:
    with pytest.raises(UnknownLanguageError):
        language(tag)


def test_translation_and_values_are_escaped_and_markup_stays(czech: Reader) -> None:
    said = czech.words("Hello %(name)s", name=HOSTILE)
    assert said == Markup("&lt;b&gt;Ahoj&lt;/b&gt; &lt;script&gt;alert(1)&lt;/script&gt; &amp; 100 %")
    assert "<bdi>x</bdi>" in czech.words("Hello %(name)s", name=Markup("<bdi>x</bdi>"))


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 disk"), (2, "2 disky"), (5, "5 disků"), (1_234, "1\xa0234 disků")]
)
def test_a_count_takes_its_plural_and_is_written_as_the_language_does(
    czech: Reader, count: int, words: str
) -> None:
    assert czech.words_of("%(count)s disk", "%(count)s disks", count) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sign in again.", "Přihlas se znovu."),
        ("Wait 12 s.", "Čekej 12 s."),
        ("Wait 12 s. Sign in again.", "Čekej 12 s. Přihlas se znovu."),
        ("Sign in again. Whatever this is.", "Přihlas se znovu. Whatever this is."),
        ("Nothing that we say.", "Nothing that we say."),
        ("Wait %(seconds)s s.", "Čekej %(seconds)s s."),
        (f"Wait {HOSTILE} s.", f"Čekej {HOSTILE} s."),
        ("", ""),
    ],
)
def test_what_code_said_in_english_is_recognised(czech: Reader, text: str, words: str) -> None:
    assert czech.said(text) == words


@given(st.text(alphabet="αβγ .?!%()", max_size=300))
def test_what_a_host_says_is_left_as_it_is(text: str) -> None:
    assert Reader(load("pt-BR")).said(text) == text


def test_a_long_text_is_left_alone(czech: Reader) -> None:
    text = "Wait " + "a. " * 100_000
    assert czech.said(text) is text


def test_scripts_get_their_own_words_and_the_rule_of_plurals(czech: Reader) -> None:
    words = czech.language.for_scripts
    assert words["just now"] == "teď"
    assert words["%(count)s disk"] == ("%(count)s disk", "%(count)s disky", "%(count)s disků")
    assert words[""][:6] == "201112"
    assert "Sign in again." not in words
    assert Reader(load("en")).for_scripts() == ""


def test_templates_say_it_by_who_reads(czech: Reader) -> None:
    environment = Environment(autoescape=True)
    teach(environment)
    template = environment.from_string(
        '<p title="{{ _("Hello %(name)s", name=name) }}">{{ say_number(1234.5) }}</p>'
    )
    assert template.render(page={"reader": czech}, name='"><b>').startswith(
        '<p title="&lt;b&gt;Ahoj&lt;/b&gt; &#34;&gt;&lt;b&gt;'
    )
    assert template.render(page={}, name="x") == '<p title="Hello x">1,234.5</p>'


def test_times_are_told_in_the_zone_with_its_name() -> None:
    reader = Reader(load("pt-BR"), time_zone("America/Sao_Paulo"), "America/Sao_Paulo", zone_chosen=True)
    assert reader.moment("2026-11-22T01:40:05Z") == "21 nov. 2026 22:40 BRT"
    assert reader.day(datetime(2026, 11, 22, 1, tzinfo=UTC)) == "21 de nov. de 2026"
    assert reader.day(date(2026, 11, 22)) == "22 de nov. de 2026"
    assert reader.day("2026-11-22") == "22 de nov. de 2026"


def test_without_a_zone_it_is_utc_and_says_so() -> None:
    assert Reader(load("en")).moment("2026-11-22T16:40:05+02:00") == "22 Nov 2026 14:40 UTC"


def test_figures_keep_their_digits() -> None:
    reader = Reader(load("pt-BR"))
    assert reader.figure("1,234.50 GiB") == "1.234,50 GiB"
    assert reader.number(1234567.89) == "1.234.567,89"


@pytest.mark.parametrize(
    "name", ["", "UTC/x", "../../etc/passwd", "/etc/localtime", "Europe", "europe/berlin\n", "A" * 500]
)
def test_a_zone_that_there_is_not(name: str) -> None:
    with pytest.raises(UnknownTimeZoneError):
        time_zone(name)


def test_every_zone_that_is_offered_can_be_chosen() -> None:
    for name in time_zones():
        assert datetime(2026, 1, 1, tzinfo=UTC).astimezone(time_zone(name)).utcoffset() is not None
    assert len(time_zones()) > 300
