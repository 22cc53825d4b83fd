"""What befalls a simulated server, counted back from the end of its history, so that the newest week has a bit of all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pudim_collector.app.demo.signals import DAY, TICK, Column, Mask, Times

HOUR = 3_600_000
MINUTE = 60_000
CYCLE = 23 * DAY
"""After so long the story repeats, towards the past."""


class Stretch(NamedTuple):
    """From `start` until before `end`, in milliseconds since the epoch."""

    start: int
    end: int


@dataclass(frozen=True)
class Story:
    """`downs`: the host is off and boots at each one's end. `spikes`: everybody comes at once. All in order of time."""

    downs: tuple[Stretch, ...]
    spikes: tuple[Stretch, ...]
    cleanups: tuple[int, ...]
    first_boot: int

    def up(self, times: Times) -> Mask:
        down = np.zeros(len(times), dtype=bool)
        for stretch in self.downs:
            down |= (times >= stretch.start) & (times < stretch.end)
        return ~down

    def booted(self, times: Times) -> Times:
        """When the host booted last before each time."""
        boots = self.boots
        return boots[np.searchsorted(boots, times, side="right") - 1]

    @property
    def boots(self) -> Times:
        return np.array([self.first_boot, *(stretch.end for stretch in self.downs)], dtype=np.int64)

    def crowd(self, times: Times) -> Column:
        """0 to 1: how far a spike has grown; it comes within minutes and goes more slowly."""
        crowd = np.zeros(len(times))
        for start, end in self.spikes:
            shape = np.array([start, start + 4 * MINUTE, start + (end - start) // 2, end])
            crowd += np.interp(times, shape, [0.0, 1.0, 0.8, 0.0], left=0.0, right=0.0)
        return crowd

    def filling(self, times: Times) -> Column:
        """0 to 1: how far a disk has filled since the cleanup before; a cleanup takes ten minutes."""
        at: list[float] = []
        level: list[float] = []
        for cleanup in self.cleanups:
            at += [cleanup, cleanup + 10 * MINUTE]
            level += [1.0, 0.0]
        return np.interp(times, at, level)


def story_of(seed: int, server: int, start: int, end: int) -> Story:
    """The story of one server from `start` to `end`, in milliseconds."""
    chance = np.random.default_rng([seed, server])
    outage, outage_hours, spike, reboot, cleanup = chance.uniform(
        [2.4, 17.5, 1.2, 10.0, 6.5], [4.9, 20.5, 2.0, 13.0, 9.5]
    )
    cycles = [n * CYCLE for n in range(-1, (end - start) // CYCLE + 2)]
    downs = []
    for ago in cycles:
        off = _tick(end - ago - outage * DAY)
        restart = _tick(end - ago - reboot * DAY)
        downs += [Stretch(off, off + _tick(outage_hours * HOUR)), Stretch(restart, restart + 9 * TICK)]
    spikes = [_stretch(end - ago - spike * DAY, 70 * MINUTE) for ago in cycles]
    cleanups = [_tick(end - ago - cleanup * DAY) for ago in cycles]
    return Story(
        downs=tuple(sorted(one for one in downs if start < one.start and one.end < end)),
        spikes=tuple(sorted(spikes)),
        cleanups=tuple(sorted(cleanups)),
        first_boot=_tick(start - 11.4 * DAY - server * HOUR),
    )


def _stretch(start: float, length: int) -> Stretch:
    return Stretch(_tick(start), _tick(start) + length)


def _tick(milliseconds: float) -> int:
    return int(milliseconds // TICK) * TICK
