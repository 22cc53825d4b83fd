"""The queue loses nothing that it need not, says what it lost, and survives any cut."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pudim.wire.batches import decode_batch, encode_batch
from pudim.wire.codec import unpack
from pudim.wire.layouts import Layout, Series, Source
from pudim_agent import spool as spools
from pudim_agent.assembly import Frame
from pudim_agent.segments import FileMedium
from pudim_agent.spool import Entry, Limits, Spool, SpoolInUse

HOST = Source("host", (), Layout((Series("system.uptime", "s"), Series("system.cpu.utilization", "1"))))
PROCESS = Source(
    "process", (("process.executable.name", "sh"),), Layout((Series("process.count", "{process}"),))
)
SMALL = Limits(max_bytes=16 * 1024)


def fill(spool: Spool, count: int, start: int = 1, every: int = 1000) -> None:
    for number in range(start, start + count):
        spool.append([Frame(HOST, [float(number), 0.5]), Frame(PROCESS, [1.0])], number * every)


def drain(spool: Spool) -> list[Entry]:
    found = []
    while (entry := spool.read()) is not None:
        found.append(entry)
    return found


def seqs(spool: Spool) -> list[int]:
    spool.rewind()
    return [entry.seq for entry in drain(spool)]


class OpenSpool(Protocol):
    """Opens the test's spool, after closing it if it is open."""

    def __call__(self, limits: Limits | None = None) -> Spool: ...


@pytest.fixture
def open_spool(tmp_path: Path) -> Iterator[OpenSpool]:
    opened: list[Spool] = []

    def start(limits: Limits | None = None) -> Spool:
        if opened:
            opened[-1].close()
        opened.append(Spool(tmp_path / "spool", limits))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_what_goes_in_comes_out_in_order_with_its_sources(open_spool: OpenSpool) -> None:
    spool = open_spool()
    fill(spool, 3)
    first, *_ = entries = drain(spool)
    assert [(one.seq, one.skipped, one.boot_id) for one in entries] == [
        (n, 0, spool.boot_id) for n in (1, 2, 3)
    ]
    assert first.declarations(set()) == [HOST, PROCESS]
    assert first.declarations({HOST.hash}) == [PROCESS]
    batch = decode_batch(unpack(encode_batch(first.boot_id, first.seq, 0, 1, first.blocks)))
    assert [block.source for block in batch.blocks] == [HOST.hash, PROCESS.hash]


def test_an_acknowledged_batch_leaves_and_the_rest_is_sent_again(open_spool: OpenSpool) -> None:
    spool = open_spool()
    fill(spool, 5)
    drain(spool)
    spool.acknowledge(spool.boot_id, 3)
    assert spool.batches == 2
    assert seqs(spool) == [4, 5]


def test_a_restart_sends_the_older_boot_first(open_spool: OpenSpool) -> None:
    old = open_spool()
    fill(old, 4)
    drain(old)
    old.acknowledge(old.boot_id, 1)
    new = open_spool()
    fill(new, 2)
    assert [(one.boot_id, one.seq, one.skipped) for one in drain(new)] == [
        (old.boot_id, 2, 0),
        (old.boot_id, 3, 0),
        (old.boot_id, 4, 0),
        (new.boot_id, 1, 0),
        (new.boot_id, 2, 0),
    ]
    assert new.boot_id != old.boot_id


def test_a_restart_after_everything_was_acknowledged_leaves_no_file(
    open_spool: OpenSpool, tmp_path: Path
) -> None:
    spool = open_spool()
    fill(spool, 4)
    drain(spool)
    spool.acknowledge(spool.boot_id, 4)
    again = open_spool()
    assert drain(again) == []
    assert list((tmp_path / "spool").glob("*.spool")) == []


def test_two_agents_cannot_share_it(open_spool: OpenSpool, tmp_path: Path) -> None:
    open_spool()
    with pytest.raises(SpoolInUse):
        Spool(tmp_path / "spool")


def test_when_full_what_was_sent_goes_as_a_whole_and_is_counted_and_reported(
    open_spool: OpenSpool, tmp_path: Path
) -> None:
    spool = open_spool(SMALL)
    for number in range(1, 401):
        fill(spool, 1, start=number)
        spool.read()
    on_disk = sum(one.stat().st_size for one in (tmp_path / "spool").glob("*.spool"))
    assert on_disk <= SMALL.max_bytes
    spool.rewind()
    first, *rest = drain(spool)
    assert spool.thinned == 0
    assert spool.lost == first.seq - 1 > 0
    assert first.skipped == spool.lost
    assert [one.seq for one in rest] == list(range(first.seq + 1, 401))
    assert all(one.skipped == 0 for one in rest)


def test_a_batch_given_up_is_declared_as_skipped(open_spool: OpenSpool) -> None:
    spool = open_spool()
    fill(spool, 4)
    drain(spool)
    spool.acknowledge(spool.boot_id, 1)
    spool.give_up(spool.boot_id, 2)
    spool.rewind()
    assert [(one.seq, one.skipped) for one in drain(spool)] == [(3, 1), (4, 0)]
    assert (spool.lost, spool.batches) == (1, 2)
    spool.give_up(spool.boot_id, 2)
    assert spool.lost == 1


def test_the_collector_knows_better_where_to_go_on(open_spool: OpenSpool) -> None:
    spool = open_spool(SMALL)
    for number in range(1, 401):
        fill(spool, 1, start=number)
        spool.read()
    again = open_spool(SMALL)
    first, *_ = drain(again)
    assert first.skipped == 0  # what was lost before the restart is not known any more
    again.expect(first.boot_id, 1)
    again.rewind()
    first, *_ = drain(again)
    assert first.skipped == first.seq - 1


@pytest.mark.parametrize("seq", [2**62, 10**6])
def test_an_acknowledgement_of_what_was_never_sent_takes_nothing_with_it(
    open_spool: OpenSpool, seq: int
) -> None:
    spool = open_spool()
    fill(spool, 2)
    drain(spool)
    fill(spool, 1, start=3)
    spool.acknowledge(spool.boot_id, seq)
    spool.acknowledge(b"x" * 16, seq)
    spool.expect(spool.boot_id, seq)
    spool.give_up(spool.boot_id, 3)
    assert seqs(spool) == [3]
    assert spool.lost == 0


def test_a_new_boot_starts_over(open_spool: OpenSpool) -> None:
    spool = open_spool()
    fill(spool, 2)
    before = spool.boot_id
    spool.new_boot()
    fill(spool, 1)
    assert [(one.boot_id, one.seq) for one in drain(spool)] == [(before, 1), (before, 2), (spool.boot_id, 1)]


def test_cut_anywhere_it_opens_and_keeps_every_whole_record(open_spool: OpenSpool, tmp_path: Path) -> None:
    spool = open_spool()
    ends = []
    for number in range(1, 4):
        fill(spool, 1, start=number)
        ends.append(spool.bytes)
    spool.close()
    (path,) = (tmp_path / "spool").glob("*.spool")
    content = path.read_bytes()
    for length in range(len(content) + 1):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / path.name).write_bytes(content[:length])
        cut = Spool(copy)
        whole = sum(1 for end in ends if end <= length)
        assert seqs(cut) == list(range(1, whole + 1)), length
        assert not (length in ends and cut.torn_bytes)
        fill(cut, 1)
        assert len(seqs(cut)) == whole + 1
        cut.close()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_byte_never_raises_and_never_gives_a_wrong_batch(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    where = tmp_path_factory.mktemp("spool")
    spool = Spool(where)
    fill(spool, 3)
    right = {entry.seq: entry.blocks for entry in drain(spool)}
    spool.close()
    (path,) = where.glob("*.spool")
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    again = Spool(where)
    found = drain(again)
    assert all(right[entry.seq] == entry.blocks for entry in found)
    for entry in found:
        entry.declarations(set())
    again.close()


def test_a_file_that_is_damaged_while_the_agent_runs_costs_only_its_batches(
    open_spool: OpenSpool, tmp_path: Path
) -> None:
    spool = open_spool()
    fill(spool, 3)
    (path,) = (tmp_path / "spool").glob("*.spool")
    content = path.read_bytes()
    path.write_bytes(content[:-5] + b"xxxxx")
    assert [one.seq for one in drain(spool)] == [1, 2]
    assert spool.lost == 1
    fill(spool, 1, start=4)
    assert [(one.seq, one.skipped) for one in drain(spool)] == [(4, 1)]


class FullDisk:
    """Stands before the real files and says no, as a full filesystem does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, spare: int = 0) -> None:
        self.full = True
        append = FileMedium.append

        def refuse(medium: FileMedium, offset: int, content: bytes) -> None:
            if self.full and len(content) > spare:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            append(medium, offset, content)

        monkeypatch.setattr(FileMedium, "append", refuse)


def test_a_full_disk_goes_on_in_memory_and_comes_back(
    open_spool: OpenSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool()
    fill(spool, 2)
    disk = FullDisk(monkeypatch)
    fill(spool, 3, start=3)
    assert seqs(spool) == [1, 2, 3, 4, 5]
    disk.full = False
    fill(spool, 1000, start=6)
    assert seqs(spool) == list(range(1, 1006))
    assert spool.lost == 0
    files = sorted((tmp_path / "spool").glob("*.spool"))
    assert sum(one.stat().st_size for one in files) > 10_000


def test_a_nearly_full_disk_that_takes_a_file_and_no_batch(
    open_spool: OpenSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = open_spool()
    fill(spool, 2)
    FullDisk(monkeypatch, spare=50)
    fill(spool, 2000, start=3)
    assert seqs(spool) == list(range(1, 2003))
    assert spool.lost == 0
    assert len(list((tmp_path / "spool").glob("*.spool"))) == 1


def test_memory_is_bounded_too(open_spool: OpenSpool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "_MEMORY_BYTES", 1 << 18)
    spool = open_spool()
    FullDisk(monkeypatch)
    fill(spool, 15_000, every=60_000)
    assert spool.bytes < 3 << 17
    assert spool.lost > 0
    assert sum(one.skipped + 1 for one in drain(spool)) == 15_000


def test_a_directory_that_cannot_be_made_leaves_the_queue_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spool = Spool(tmp_path / "file" / "spool")
    fill(spool, 3)
    assert seqs(spool) == [1, 2, 3]
    assert spool.acknowledge(spool.boot_id, 2)
    assert not spool.acknowledge(spool.boot_id, 1)
    assert seqs(spool) == [3]
    spool.close()


def test_files_that_are_not_ours_stay(open_spool: OpenSpool, tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    strange = tmp_path / "spool" / "notes.spool"
    strange.write_text("x")
    spool = open_spool()
    fill(spool, 1)
    assert seqs(spool) == [1]
    assert strange.read_text() == "x"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["fill", "read", "ack", "give up", "rewind", "restart"]), max_size=25))
def test_every_batch_is_delivered_or_counted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever the order of events, a sender that acknowledges in order gets each batch or its absence."""
    where = tmp_path_factory.mktemp("spool")
    spool = Spool(where, SMALL)
    held: list[Entry] = []
    for step in [*steps, "rewind"]:
        match step:
            case "fill":
                fill(spool, 3)
            case "read":
                held.extend(entry for entry in [spool.read()] if entry)
            case "ack" if held:
                spool.acknowledge(held[0].boot_id, held[0].seq)
                held.pop(0)
            case "give up" if held:
                spool.give_up(held[0].boot_id, held[0].seq)
                held.pop(0)
            case "rewind":
                spool.rewind()
                held.clear()
            case "restart":
                spool.close()
                spool, held = Spool(where, SMALL), []
    left = drain(spool)
    assert len(left) == spool.batches
    for boot in {one.boot_id for one in left}:
        own = [one for one in left if one.boot_id == boot]
        assert all(two.seq - two.skipped - 1 == one.seq for one, two in pairwise(own))
    spool.close()


def test_old_bytes_are_still_read(tmp_path: Path) -> None:
    """A segment written by the first version: an upgraded agent must send it."""
    kept = Path(__file__).with_name("spool_v1.bin")
    (tmp_path / "000000000001.spool").write_bytes(kept.read_bytes())
    spool = Spool(tmp_path)
    entry, *_ = drain(spool)
    assert entry.declarations(set()) == [HOST, PROCESS]
    assert (entry.boot_id, entry.seq) == (bytes(range(16)), 1)
    spool.close()
