"""What a sender's token and caps may be, and the lines that make others use it."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.senders.rules import (
    DEFAULT_SERIES,
    DEFAULT_SERVERS,
    RECENT,
    Caps,
    SenderNameError,
    SeriesCapError,
    ServersCapError,
    caps_of,
    clean_name,
    digest,
    looks_like_token,
    make_token,
    sends_now,
    shown_prefix,
    snippets,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TOKEN = make_token("A" * 43)


def test_a_token_is_known_by_its_look() -> None:
    assert looks_like_token(TOKEN)
    assert shown_prefix(TOKEN) == "pud_snd_AAAA"
    assert len(digest(TOKEN)) == 32


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: "pud_snd_" + raw.hex()))
def test_nothing_else_looks_like_one(text: str) -> None:
    assert looks_like_token(text) == bool(re.fullmatch("pud_snd_[A-Za-z0-9_-]{43}", text))
    assert not looks_like_token(f"{TOKEN}\n")


@pytest.mark.parametrize("name", ["", "   ", "x" * 129, "a\nb", "a\x00b", "a\u202eb"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(SenderNameError):
        clean_name(name)


def test_a_name_is_cleaned() -> None:
    assert clean_name("  lab 1 ") == "lab 1"


def test_caps_are_read_as_people_write_them() -> None:
    assert caps_of("", " ") == Caps(DEFAULT_SERIES, DEFAULT_SERVERS)
    assert caps_of("1,000", "2") == Caps(1000, 2)


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "x", "1000001", "9" * 40, "٣"])
def test_caps_beyond_bounds_are_refused_by_field(text: str) -> None:
    with pytest.raises(SeriesCapError) as series:
        caps_of(text, "1")
    with pytest.raises(ServersCapError) as servers:
        caps_of("1", text)
    assert (series.value.field, servers.value.field) == ("most_series", "most_servers")


def test_who_was_not_heard_of_sends_nothing_now() -> None:
    assert sends_now(NOW, NOW)
    assert not sends_now(NOW - RECENT, NOW)
    assert not sends_now(None, NOW)


def test_every_snippet_carries_address_and_token() -> None:
    lines = snippets("https://pudim.example.org", TOKEN)
    assert 'url: "https://pudim.example.org/api/v1/write"' in lines.prometheus
    assert 'endpoint: "https://pudim.example.org"' in lines.collector
    for text in (lines.prometheus, lines.collector, lines.environment):
        assert text.count(TOKEN) == 1
        assert "\t" not in text
    exported = dict(re.findall(r"^export (\w+)='?(.*?)'?$", lines.environment, re.MULTILINE))
    assert exported["OTEL_METRICS_EXPORTER"] == "otlp"
    assert exported["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] == "https://pudim.example.org/v1/metrics"
    assert exported["OTEL_EXPORTER_OTLP_METRICS_HEADERS"] == f"Authorization=Bearer%20{TOKEN}"
