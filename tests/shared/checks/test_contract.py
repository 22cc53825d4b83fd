"""What holds for every check: its settings explain themselves, and what it tells is in the vocabulary's table."""

import subprocess
import sys
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import pytest

from pudim.checks import Status, all_figures, checks
from pudim.checks.reading import configure
from pudim.vocabulary.metrics import METRICS

KINDS = sorted(checks)
SMALLEST: dict[str, dict[str, Any]] = {
    "dns": {"name": "example.org"},
    "file": {"path": "/srv/x"},
    "http": {"url": "http://example.org"},
    "icmp": {"host": "example.org"},
    "process": {"name": "nginx"},
    "tcp": {"host": "example.org", "port": 22},
    "tls": {"host": "example.org"},
}


def test_the_family() -> None:
    assert sorted(SMALLEST) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_tells_is_in_the_table(kind: str) -> None:
    figures = all_figures(kind)
    assert len(set(figures)) == len(figures)
    for one in figures:
        assert {key for key, _ in one.labels} <= set(METRICS[one.metric].labels)


def test_every_metric_of_checks_is_told_by_one() -> None:
    told = {one.metric for kind in KINDS for one in all_figures(kind)}
    assert told == {name for name in METRICS if name.startswith("pudim.check.")}


@pytest.mark.parametrize("kind", KINDS)
def test_its_settings_explain_themselves(kind: str) -> None:
    check = checks[kind]
    assert check.title
    assert check.help.endswith(".")
    assert isinstance(check.silence, Status)
    types = get_type_hints(check.Config)
    for one in fields(check.Config):
        assert one.metadata["label"]
        assert one.metadata["help"].endswith(".")
        assert types[one.name] in {bool, int, float, str, tuple[str, ...]}
        assert one.metadata["required"] is (one.default is MISSING)


@pytest.mark.parametrize("kind", KINDS)
def test_its_defaults_are_good(kind: str) -> None:
    config, faults = configure(checks[kind], SMALLEST[kind])
    assert faults == []
    again, faults = configure(checks[kind], {one.name: getattr(config, one.name) for one in fields(config)})
    assert faults == []
    assert again == config


def test_only_the_kind_in_use_is_imported() -> None:
    program = (
        "import sys; from pudim.checks import checks; checks['tcp'];"
        "print(*sorted(name for name in sys.modules if name.startswith('pudim.checks.')))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.split() == [
        "pudim.checks.addresses",
        "pudim.checks.connecting",
        "pudim.checks.tcp",
    ]
