"""One frame a source, whatever a sampler does."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from math import isnan
from typing import ClassVar

import pytest

from pudim_agent.assembly import Assembly
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series
from tests.agent.hosts import host

UPTIME = (series("system.uptime"),)
LOAD = (series("system.cpu.load_average.1m"), series("system.cpu.load_average.5m"))
COUNT = (series("process.count"),)


class Scripted:
    """Gives what it is told, tick by tick; an exception is raised."""

    Config: ClassVar = SamplerConfig

    def __init__(self, *script: list[Reading] | Exception) -> None:
        self._script = list(script)

    def sample(self, _tick: Tick) -> Iterable[Reading]:
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        yield from step


def frames(assembly: Assembly) -> dict[str, list[float]]:
    return {
        " ".join([one.source.name, *(text for _, text in one.source.labels)]): list(one.values)
        for one in assembly.frames(Tick(0, 0.0))
    }


def test_readings_of_a_source_are_joined() -> None:
    sh = (("process.executable.name", "sh"),)
    one = Scripted([Reading(UPTIME, [1.0]), Reading(COUNT, [4.0], "process", sh)])
    two = Scripted([Reading(LOAD, [2.0, 3.0]), Reading((), [])])
    assert frames(Assembly({"one": one, "two": two}, Host())) == {
        "host": [1.0, 2.0, 3.0],
        "process sh": [4.0],
    }


def test_a_failing_sampler_costs_its_values_of_that_tick_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    right = [Reading(UPTIME, [1.0])]
    bad = Scripted([Reading(LOAD, [2.0, 3.0])], OSError("gone"), OSError("gone"), [Reading(LOAD, [4.0, 5.0])])
    on = Host()
    assembly = Assembly({"bad": bad, "good": Scripted(right, right, right, right)}, on)
    with caplog.at_level(logging.WARNING):
        first, second, third, fourth = (assembly.frames(Tick(0, 0.0)) for _ in range(4))
    for one in (second, third):
        assert [isnan(value) for value in one[0].values] == [True, True, False]
    assert fourth[0].values == [4.0, 5.0, 1.0]
    assert {one[0].source.hash for one in (first, second, third, fourth)} == {first[0].source.hash}
    assert on.vitals.sampler_errors == 2
    assert caplog.text.count("sampler bad failed") == 1


def test_a_sampler_that_never_worked_has_no_series() -> None:
    assembly = Assembly({"bad": Scripted(ValueError()), "good": Scripted([Reading(UPTIME, [1.0])])}, Host())
    assert frames(assembly) == {"host": [1.0]}


def test_too_few_values_are_a_failure() -> None:
    on = Host()
    assert frames(Assembly({"bad": Scripted([Reading(LOAD, [1.0])])}, on)) == {}
    assert on.vitals.sampler_errors == 1


def test_the_layout_is_made_again_only_when_a_part_changed() -> None:
    longer = (*LOAD, series("system.cpu.load_average.15m"))
    sampler = Scripted(
        [Reading(LOAD, [1.0, 2.0])], [Reading(LOAD, [1.0, 2.0])], [Reading(longer, [1.0, 2.0, 3.0])]
    )
    assembly = Assembly({"one": sampler}, Host())
    first, second, third = (assembly.frames(Tick(0, 0.0))[0].source for _ in range(3))
    assert first is second
    assert third is not second
    assert len(third.layout.series) == 3


def test_more_series_than_the_link_takes_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    many = tuple(
        series("system.cpu.logical.utilization", {"cpu.logical_number": str(n)}) for n in range(3000)
    )
    (frame,) = Assembly({"many": Scripted([Reading(many, [0.0] * 3000)])}, Host()).frames(Tick(0, 0.0))
    assert len(frame.values) == len(frame.source.layout.series) == 2048
    assert "only the first 2048" in caplog.text


@pytest.mark.parametrize("name", ["this", "big", "small"])
def test_all_samplers_together_name_no_series_twice(name: str) -> None:
    on = Host() if name == "this" else host(name)
    assembly = Assembly({kind: sampler(on, sampler.Config()) for kind, sampler in samplers.items()}, on)
    for _ in range(3):
        found = assembly.frames(Tick(0, 0.0))
        assert len({one.source.hash for one in found}) == len(found)
        for one in found:
            assert len(set(one.source.layout.series)) == len(one.source.layout.series)
    assert on.vitals.sampler_errors == 0
