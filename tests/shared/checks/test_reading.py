"""Definitions of checks as they are sent: everything wrong is told at once, and nothing hostile passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.checks import Spec, checks
from pudim.checks.reading import BadCheck, read

GOOD: dict[str, Any] = {
    "id": "a",
    "kind": "tcp",
    "interval": 60,
    "timeout": 5,
    "settings": {"host": "db", "port": 5432},
}


def faults(**changed: Any) -> dict[str, str]:
    with pytest.raises(BadCheck) as refused:
        read(GOOD | changed)
    return dict(refused.value.faults)


def test_a_good_one() -> None:
    spec = read(GOOD)
    assert spec == Spec("a", "tcp", 60.0, 5.0, checks["tcp"].Config(host="db", port=5432))


def test_everything_wrong_is_told_at_once() -> None:
    found = faults(id="", interval=1, timeout="x", settings={"host": "a b", "port": 0, "colour": 1})
    assert list(found) == ["id", "interval", "timeout", "settings.'colour'", "settings.port"]
    assert list(faults(settings={"host": "a b", "port": 1})) == ["settings.host"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"timeout": 61}, "timeout"),
        ({"interval": float("nan")}, "interval"),
        ({"interval": True}, "interval"),
        ({"kind": "addresses"}, "kind"),
        ({"kind": "../tcp"}, "kind"),
        ({"kind": None}, "kind"),
        ({"id": "a\x1b[0m"}, "id"),
        ({"id": "a" * 65}, "id"),
        ({"settings": []}, "settings"),
        ({"settings": {"port": 1}}, "settings.host"),
        ({"settings": {"host": "", "port": 1}}, "settings.host"),
        ({"settings": {"host": "a", "port": True}}, "settings.port"),
        ({"settings": {"host": "a", "port": 1.5}}, "settings.port"),
        ({"settings": {"host": "a\0", "port": 1}}, "settings.host"),
        ({"settings": {"host": "-x", "port": 1}}, "settings.host"),
        ({"settings": {"host": "a" * 254, "port": 1}}, "settings.host"),
        ({"kind": "http", "settings": {"url": "ftp://x"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://a:b@x"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://x/\r\nX: y"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://[::1"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://x:99999"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://x:0"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://[fe80::1%25eth0]/"}}, "settings.url"),
        ({"kind": "http", "settings": {"url": "http://x", "statuses": ["2"]}}, "settings.statuses"),
        ({"kind": "http", "settings": {"url": "http://x", "statuses": []}}, "settings.statuses"),
        ({"kind": "http", "settings": {"url": "http://x", "matches": "("}}, "settings.matches"),
        ({"kind": "http", "settings": {"url": "http://x", "headers": ["X: a\r\nY: b"]}}, "settings.headers"),
        ({"kind": "http", "settings": {"url": "http://x", "headers": ["Host: y"]}}, "settings.headers"),
        ({"kind": "http", "settings": {"url": "http://x", "method": "TRACE"}}, "settings.method"),
        ({"kind": "http", "settings": {"url": "http://x", "body": "x"}}, "settings.body"),
        ({"kind": "http", "settings": {"url": "http://x", "ca": "x"}}, "settings.ca"),
        (
            {"kind": "http", "settings": {"url": "http://x", "method": "HEAD", "contains": "x"}},
            "settings.method",
        ),
        (
            {"kind": "http", "settings": {"url": "http://x", "least_days": float("inf")}},
            "settings.least_days",
        ),
        ({"kind": "file", "settings": {"path": "srv/x"}}, "settings.path"),
        ({"kind": "file", "settings": {"path": "/srv/../etc/x"}}, "settings.path"),
        ({"kind": "file", "settings": {"path": "/srv/**/x"}}, "settings.path"),
        ({"kind": "dns", "settings": {"name": "a..b"}}, "settings.name"),
        ({"kind": "dns", "settings": {"name": "x", "resolver": "dns.example"}}, "settings.resolver"),
        ({"kind": "process", "settings": {}}, "settings.name"),
        ({"kind": "process", "settings": {"name": "x", "least": 2, "most": 1}}, "settings.most"),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], field: str) -> None:
    assert field in faults(**changed)


def test_names_of_other_scripts_are_known_by_their_ascii_form() -> None:
    assert read(GOOD | {"settings": {"host": "bücher.example", "port": 1}})
    assert read(GOOD | {"kind": "http", "settings": {"url": "https://bücher.example/a?b=ü#c"}})


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(checks)),
    st.dictionaries(
        st.sampled_from(
            ["host", "port", "url", "name", "path", "headers", "statuses", "expected", "ca", "x"]
        ),
        WILD,
    ),
)
def test_any_settings_are_read_or_refused_by_name(kind: str, settings: dict[str, Any]) -> None:
    try:
        spec = read(GOOD | {"kind": kind, "settings": settings})
    except BadCheck as refused:
        fields = {one.field.partition(".")[0] for one in refused.faults}
    else:
        fields = {"settings"} if spec.kind == kind else set()
    assert fields == {"settings"}


@given(st.dictionaries(st.sampled_from(["id", "kind", "interval", "timeout", "settings"]), WILD))
def test_any_document_is_read_or_refused_by_name(document: dict[str, Any]) -> None:
    with pytest.raises(BadCheck) as refused:
        read(document)
    assert refused.value.faults
