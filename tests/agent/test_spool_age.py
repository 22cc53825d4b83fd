"""How old a batch is does not depend on what the wall clock says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pudim_agent import spool as spools
from pudim_agent.clock import Now
from pudim_agent.spool import Limits, Spool
from tests.agent.test_spool import drain, fill

HOUR = 3_600.0
YEAR = 365 * 24 * HOUR
LIMITS = Limits(max_bytes=1 << 20, max_age_ms=72 * 3_600_000)
FIRST, SECOND = b"1" * 16, b"2" * 16
"""Two runs of a host."""


@dataclass
class Hand:
    """A clock that is set by hand."""

    wall: float = 1.7e9
    steady: float = 1000.0

    def now(self) -> Now:
        return Now(int(self.wall * 1000), self.steady, self.steady)

    def passes(self, seconds: float) -> None:
        self.wall, self.steady = self.wall + seconds, self.steady + seconds


def put(spool: Spool, clock: Hand, count: int = 1) -> None:
    for _ in range(count):
        fill(spool, 1, start=int(clock.wall / 10), every=10_000)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def spool(tmp_path: Path, clock: Hand) -> Spool:
    return Spool(tmp_path / "spool", LIMITS, clock=clock, boot=FIRST)


def test_what_is_too_old_goes(spool: Spool, clock: Hand) -> None:
    for _ in range(200):
        put(spool, clock)
        clock.passes(HOUR)
    found = drain(spool)
    assert 72 <= len(found) <= 72 + 2 * 72 / 16 + 2
    assert spool.lost == 200 - len(found) == found[0].skipped
    spool.close()


@pytest.mark.parametrize("jump", [YEAR, -YEAR, 5 * HOUR, -5 * HOUR, 60 * YEAR, -53 * YEAR])
def test_a_clock_that_jumps_costs_nothing(spool: Spool, clock: Hand, jump: float) -> None:
    """Also one without a battery, which begins in 1970 and is set later."""
    put(spool, clock, 50)
    clock.wall += jump
    put(spool, clock, 50)
    clock.wall -= jump
    put(spool, clock, 50)
    clock.passes(HOUR)
    put(spool, clock, 50)
    assert len(drain(spool)) == 200
    assert spool.lost == 0
    spool.close()


def test_a_laptop_that_slept_for_a_month(spool: Spool, clock: Hand) -> None:
    put(spool, clock, 10)
    clock.passes(30 * 24 * HOUR)
    put(spool, clock, 10)
    put(spool, clock)
    assert len(drain(spool)) == 21  # the first are as young as their piece of the queue was when it slept
    clock.passes(73 * HOUR)
    put(spool, clock, 2)
    assert len(drain(spool)) == 2
    spool.close()


def hourly(spool: Spool, clock: Hand, hours: int) -> None:
    for _ in range(hours):
        put(spool, clock)
        clock.passes(HOUR)


def test_age_goes_on_over_a_restart_of_the_agent(spool: Spool, clock: Hand, tmp_path: Path) -> None:
    hourly(spool, clock, 40)
    spool.close()
    clock.wall = 0.0
    again = Spool(tmp_path / "spool", LIMITS, clock=clock, boot=FIRST)
    hourly(again, clock, 30)
    assert (again.lost, again.batches) == (0, 70)
    hourly(again, clock, 50)
    assert again.lost >= 40
    assert 72 <= again.batches <= 80
    again.close()


@pytest.mark.parametrize("steady", [5.0, 1e9])
def test_how_long_a_host_was_off_is_not_known(
    spool: Spool, clock: Hand, tmp_path: Path, steady: float
) -> None:
    """Its steady clock begins again, and might even be further than before."""
    hourly(spool, clock, 10)
    spool.close()
    clock.steady, clock.wall = steady, clock.wall + YEAR
    again = Spool(tmp_path / "spool", LIMITS, clock=clock, boot=SECOND)
    hourly(again, clock, 70)
    assert (again.lost, again.batches) == (0, 80)
    hourly(again, clock, 10)
    assert again.lost >= 10
    again.close()


def test_a_clock_that_flaps_begins_no_end_of_files(
    spool: Spool, clock: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "_MOST_SEGMENTS", 64)
    for _ in range(200):
        spool.new_boot()
        put(spool, clock)
    assert len(list((tmp_path / "spool").glob("*.spool"))) <= 64
    assert spool.batches + spool.lost == 200
    found = drain(spool)
    assert len(found) == spool.batches
    assert [one.seq for one in found] == [1] * len(found)
    for one in found:
        spool.acknowledge(one.boot_id, one.seq)
    assert spool.batches == 0
    spool.close()
