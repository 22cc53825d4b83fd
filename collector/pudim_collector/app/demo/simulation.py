"""A day of one simulated server as frames of its sources, just as its agent would have sent them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pudim.vocabulary.metrics import METRICS, Kind
from pudim.wire.layouts import Layout, Source, labels_of
from pudim_collector.app.demo import panels
from pudim_collector.app.demo.machines import Machine
from pudim_collector.app.demo.panels import Measured
from pudim_collector.app.demo.signals import Column, Mask, Noise, Times, ticks_of
from pudim_collector.app.demo.story import Story


class Stream(NamedTuple):
    """Frames of one source: `values` has a row a time."""

    source: Source
    times: Times
    values: Column


@dataclass(frozen=True)
class Simulation:
    """One server from `start` until before `end`, in milliseconds."""

    machine: Machine
    story: Story
    seed: int
    start: int
    end: int

    def day(self, day: int) -> list[Stream]:
        """The frames of a day since the epoch; the first streams' source is `host`. Nothing is sent while it is off."""
        times = ticks_of(day)
        kept = (times >= self.start) & (times < self.end) & self.story.up(times)
        fresh = np.isin(times, self._first_ticks())[kept]
        return [
            _stream(source, times, measured, kept, fresh) for source, measured in self._measured(day, times)
        ]

    def _measured(self, day: int, times: Times) -> Iterator[tuple[tuple[str, str], list[Measured]]]:
        one = panels.Day.of(self.machine, self.story, times, Noise(self.seed, self.machine.number, day))
        yield ("host", ""), panels.host(one)
        for process in sorted(self.machine.kind.processes, key=lambda process: process.name):
            yield ("process", process.name), list(panels.process(one, process))

    def _first_ticks(self) -> list[int]:
        """Rates need a sample before, so the first frame of the history and of each boot has none."""
        return [self.start, *(stretch.end for stretch in self.story.downs)]


def _stream(
    name: tuple[str, str], times: Times, measured: Sequence[Measured], kept: Mask, fresh: Mask
) -> Stream:
    kind, executable = name
    labels = labels_of({"process.executable.name": executable} if executable else {})
    source = Source(kind, labels, Layout(tuple(one.series for one in measured)))
    values = np.stack([one.values for one in measured], axis=1)[kept]
    rates = np.array([METRICS[one.series.metric].kind is Kind.RATE for one in measured])
    values[np.ix_(fresh, rates)] = np.nan
    return Stream(source, times[kept], values)
