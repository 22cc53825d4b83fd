"""What holds for every sampler: on this host, on hosts of files, and on a host with no files at all."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from pudim.vocabulary.metrics import METRICS, Kind
from pudim.vocabulary.registry import DuplicateKind, Registry
from pudim_agent import samplers as family
from pudim_agent.samplers import Host, SamplerConfig, Tick, samplers
from tests.agent.hosts import host, make, settled

KINDS = sorted(samplers)
HOSTS = [Host(), host("big"), host("small"), host("metal")]
NAMES = ["this", "big", "small", "metal"]
NEEDED = ("cpu", "disk", "filesystem", "load", "memory", "network", "process", "self", "uptime")
"""Every Linux has what these read, so that its absence is an error; what others read may be missing."""
LISTENING = ("statsd",)
"""Those that read nothing of the host say how much came to them."""
ELSEWHERE = ("pudim.check.", "pudim.scrape.", "pudim.textfile.", "container.", "pudim.container.", "systemd.")
"""Metrics that need a server or a directory of one's own, which other tests give them."""
SIGNED = ("system.linux.clock.offset", "hw.temperature")


def test_each_file_of_the_family_is_one_sampler_of_its_name() -> None:
    files = {path.stem for path in Path(family.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(KINDS) == files
    assert {sampler.__module__.rpartition(".")[2] for sampler in samplers.values()} == files


@pytest.mark.parametrize("on", HOSTS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_it_emits_only_what_the_table_says(kind: str, on: Host) -> None:
    sampler = settled(kind, on)
    for second in (100.0, 110.0):
        for reading in sampler.sample(Tick(int(second * 1000), second)):
            assert len(reading.series) == len(reading.values)
            assert len(set(reading.series)) == len(reading.series)
            for one in reading.series:
                metric = METRICS[one.metric]
                assert one.unit == metric.unit
                assert {key for key, _ in one.labels} <= set(metric.labels)


@pytest.mark.parametrize("on", HOSTS, ids=NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_series_stay_the_same_objects(kind: str, on: Host) -> None:
    sampler = settled(kind, on)
    first, second, third = (list(sampler.sample(Tick(at * 1000, float(at)))) for at in (100, 110, 120))
    fixed = [reading for reading in second if reading.source == "host"]
    assert all(
        one.series is two.series
        for one, two in zip(fixed, [r for r in third if r.source == "host"], strict=True)
    )
    assert {reading.source for reading in first} <= {"host", "process", "container", "unit", "custom"}


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_sane_on_this_host(kind: str) -> None:
    sampler = settled(kind, Host())
    list(sampler.sample(Tick(100_000, 100.0)))
    for reading in sampler.sample(Tick(110_000, 110.0)):
        for one, value in zip(reading.series, reading.values, strict=True):
            assert isnan(value) or value >= 0 or one.metric in SIGNED, one
            if METRICS[one.metric].unit == "1" and not one.metric.startswith("pudim."):
                assert isnan(value) or value <= 1.5, one


@pytest.mark.parametrize("kind", NEEDED)
def test_a_host_without_the_files_raises_which_costs_this_sampler_only(kind: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        list(make(kind, Host(proc=str(tmp_path / "none"))).sample(Tick(0, 0.0)))


@pytest.mark.parametrize("kind", sorted({*KINDS} - {*NEEDED, "clock", *LISTENING}))
def test_what_is_not_available_has_no_series(kind: str, tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    sampler = settled(kind, Host(proc=none, sys=none, run=none, programs=none, netlink=False))
    assert [one for at in (0, 10) for one in sampler.sample(Tick(at * 1000, float(at))) if one.series] == []


@pytest.mark.parametrize("kind", KINDS)
def test_its_options_explain_themselves(kind: str) -> None:
    from dataclasses import fields

    config = samplers[kind].Config
    assert issubclass(config, SamplerConfig)
    assert all(one.name == "enabled" or one.metadata["help"] for one in fields(config))


def test_every_metric_of_the_table_comes_from_a_sampler() -> None:
    emitted = {
        one.metric
        for on in HOSTS
        for kind in KINDS
        for reading in settled(kind, on).sample(Tick(0, 0.0))
        for one in reading.series
    }
    assert emitted == {name for name in METRICS if not name.startswith(ELSEWHERE)}


def test_a_rate_says_so() -> None:
    assert all((metric.kind is Kind.RATE) >= name.endswith(".rate") for name, metric in METRICS.items())


def test_two_plugins_of_one_kind_are_refused() -> None:
    family: Registry[type] = Registry("pudim_agent.samplers")
    family.register("x")(int)
    with pytest.raises(DuplicateKind):
        family.register("x")(str)


def test_third_parties_join_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pudim_sampler_moon.py").write_text(
        "from tests.agent.moon import register\nregister()\n", encoding="utf-8"
    )
    distribution = tmp_path / "pudim_sampler_moon-1.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: pudim-sampler-moon\nVersion: 1\n")
    (distribution / "entry_points.txt").write_text("[pudim.moons]\nmoon = pudim_sampler_moon\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from tests.agent import moon

    assert list(moon.moons) == ["luna"]
