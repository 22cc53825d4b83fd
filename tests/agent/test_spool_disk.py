"""Real disks that are full, read-only or gone: the queue goes on, tells what it lost, and leaks no descriptor."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pudim_agent.spool import Limits, Spool
from tests.agent.test_spool import drain, fill, seqs
from tests.small_disk import NOT_HERE, SmallDisk, small_disk

LIMITS = Limits(max_bytes=256 << 10)


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(128 << 10) as found:
        if found is None:
            pytest.skip(NOT_HERE)
        yield found


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def everything_once(spool: Spool, count: int) -> None:
    """Each of `count` batches of one boot is delivered, or declared as given up before another."""
    spool.rewind()
    found = drain(spool)
    assert sum(one.skipped + 1 for one in found) == count
    assert sum(one.skipped for one in found) == spool.lost + spool.thinned


def test_full_at_every_moment(disk: SmallDisk) -> None:
    """The disk fills up after each number of batches, and has room again after as many."""
    folder = disk.folder / "spool"
    before = open_files()
    for number in range(60):
        spool = Spool(folder, LIMITS)
        fill(spool, number)
        disk.fill()
        fill(spool, 20, start=number + 1)
        assert seqs(spool) == list(range(1, number + 21)), number
        disk.free()
        fill(spool, 600, start=number + 21)  # memory is left for a file when a piece of it is full
        assert spool.lost == 0
        assert list(folder.glob("*.spool"))
        everything_once(spool, number + 620)
        assert spool.acknowledge(spool.boot_id, number + 620)
        assert spool.batches == 0
        spool.close()
        shutil.rmtree(folder)
    assert open_files() == before


def test_a_disk_smaller_than_the_spool_may_be(disk: SmallDisk) -> None:
    """Nobody fills it but the spool itself."""
    before = open_files()
    spool = Spool(disk.folder / "spool", Limits(max_bytes=1 << 20))
    fill(spool, 3_000, every=10_000)
    everything_once(spool, 3_000)
    assert open_files() - before < 5
    spool.close()
    assert open_files() == before


def test_full_and_empty_at_random(disk: SmallDisk) -> None:
    choose = random.Random(7)  # noqa: S311 - the same each time
    spool = Spool(disk.folder / "spool", LIMITS)
    count = 0
    for _ in range(150):
        choose.choice((disk.fill, disk.free))()
        number = choose.randrange(1, 40)
        fill(spool, number, start=count + 1)
        count += number
        assert spool.bytes < LIMITS.max_bytes + (3 << 20)
    everything_once(spool, count)
    disk.free()
    on_disk = sum(one.stat().st_size for one in (disk.folder / "spool").glob("*.spool"))
    assert on_disk <= LIMITS.max_bytes
    spool.close()


def test_killed_while_the_disk_is_full(disk: SmallDisk) -> None:
    """What was in memory is gone, and that it is gone is counted by the one who finds what came after it."""
    spool = Spool(disk.folder / "spool", LIMITS)
    fill(spool, 10)
    disk.fill()
    fill(spool, 600, start=11)
    disk.free()
    fill(spool, 1_000, start=611)
    on_disk = set(range(1, 1_611)) - set(in_memory(spool))
    spool.close()
    again = Spool(disk.folder / "spool", LIMITS)
    assert set(seqs(again)) == on_disk
    lost = [one for one in range(1, max(on_disk)) if one not in on_disk]
    assert again.lost == len(lost) > 0
    again.close()


def in_memory(spool: Spool) -> list[int]:
    spool.rewind()
    return [one.seq for one in drain(spool) if one.segment.in_memory]


def test_a_disk_that_became_read_only(disk: SmallDisk) -> None:
    spool = Spool(disk.folder / "spool", LIMITS)
    fill(spool, 20)
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
    again = Spool(disk.folder / "spool", LIMITS)
    fill(again, 20)
    found = drain(again)
    assert [one.seq for one in found] == [*range(1, 21), *range(1, 21)]
    again.acknowledge(found[0].boot_id, 20)
    again.acknowledge(again.boot_id, 5)
    assert len(seqs(again)) == again.batches == 15
    again.close()
    subprocess.run(["mount", "-o", "remount,rw", str(disk.folder)], check=True)
    last = Spool(disk.folder / "spool", LIMITS)
    assert len(drain(last)) == 20  # nothing could be noted; the collector knows these batches
    last.close()


def test_its_folder_is_taken_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMITS)
    fill(spool, 10)
    shutil.rmtree(tmp_path / "spool")
    fill(spool, 200, start=11)
    assert seqs(spool)[-1] == 210
    everything_once(spool, 210)
    spool.acknowledge(spool.boot_id, 210)
    spool.close()
