"""Every cut, every flipped byte, and files that vanish, change their names or are there twice: nothing is delivered
twice, nothing that is whole is left out, the rest is counted as lost, and the spool goes on.
"""

from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from pudim.wire.layouts import Layout, Series, Source
from pudim_agent import records
from pudim_agent.assembly import Frame
from pudim_agent.segments import Segment
from pudim_agent.spool import Limits, Spool
from tests.agent.test_spool import HOST, drain, fill, seqs

SMALL = Limits(max_bytes=16 * 1024)
ROOMY = Limits(max_bytes=1 << 20)
WIDE = Source("host", (), Layout(tuple(Series(f"x{number}", "1") for number in range(30))))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool of four files: two of raw batches, then a boot of means and raw batches; some are acknowledged."""
    folder = tmp_path_factory.mktemp("kept")
    spool = Spool(folder, SMALL)
    fill(spool, 7)
    spool.read()
    spool.acknowledge(spool.boot_id, 1)
    spool.close()
    thin = Spool(folder / "thin", SMALL)
    while not thin.thinned:
        number = thin.append([Frame(HOST, [1.5, 0.5])], 10_000 * (thin.batches + 1))
    thin.close()
    assert number > 60
    made, raw, *_ = sorted((folder / "thin").glob("*.spool"))
    made.rename(folder / "000000000900.spool")
    raw.rename(folder / "000000000901.spool")
    shutil.rmtree(folder / "thin")
    assert len(list(folder.iterdir())) == 5
    return folder


@pytest.fixture
def copy(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "copy"))


Known = dict[tuple[bytes, int], bytes]


def opened(folder: Path) -> Spool:
    return Spool(folder, ROOMY)


def delivered(spool: Spool) -> Known:
    """What a collector would get; in order within each boot, and with all that is not there declared or unknown."""
    found = drain(spool)
    known = {(one.boot_id, one.seq): one.blocks for one in found}
    assert len(known) == len(found), "delivered twice"
    for boot in {one.boot_id for one in found}:
        own = [one for one in found if one.boot_id == boot]
        assert all(two.seq - two.skipped - 1 == one.seq for one, two in pairwise(own))
    return known


def numbers(path: Path) -> tuple[bytes, list[int]]:
    """The boot and the batches of a file, as they are in it."""
    boot, *rest = records.whole_records(path.read_bytes())
    return records.decode_boot(boot), [records.decode_batch(one).seq for one in rest if records.is_batch(one)]


def goes_on(spool: Spool) -> None:
    fill(spool, 2)
    spool.rewind()
    assert [one.seq for one in drain(spool) if one.boot_id == spool.boot_id] == [1, 2]
    spool.close()


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


@pytest.mark.parametrize("number", range(4))
def test_cut_at_every_byte(kept: Path, copy: Path, number: int) -> None:
    whole = opened(copy)
    everything = delivered(whole)
    whole.close()
    shutil.rmtree(copy)
    name = files(kept)[number].name
    content = (kept / name).read_bytes()
    boot, held = numbers(kept / name)
    ends = {0, *[one.end for one in records.whole_records(content)]}
    before = -1
    for length in range(len(content) + 1):
        shutil.copytree(kept, copy)
        (copy / name).write_bytes(content[:length])
        spool = opened(copy)
        found = delivered(spool)
        assert all(everything[key] == blocks for key, blocks in found.items()), length
        missing = everything.keys() - found.keys()
        assert missing <= {(boot, seq) for seq in held}, "a file that is whole"
        assert spool.lost > 0 or not missing or length in ends, (
            "only a cut between two records leaves no trace"
        )
        assert (length == len(content)) <= (not spool.lost and not missing)
        assert len(found) >= before
        before = len(found)
        assert len(found) == spool.batches
        goes_on(spool)
        shutil.rmtree(copy)


@pytest.mark.parametrize("number", range(5))
def test_every_byte_flipped(kept: Path, copy: Path, number: int) -> None:
    whole = opened(copy)
    everything = delivered(whole)
    whole.close()
    shutil.rmtree(copy)
    name = sorted(kept.iterdir())[number].name
    content = (kept / name).read_bytes()
    for place in range(len(content)):
        shutil.copytree(kept, copy)
        (copy / name).write_bytes(
            content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :]
        )
        spool = opened(copy)
        found = delivered(spool)
        if name == "acked":  # what was acknowledged is told again, and nothing else changes
            assert found.items() >= everything.items()
            assert len(found) <= len(everything) + 1
        else:
            assert all(everything[key] == blocks for key, blocks in found.items()), place
            assert len(found) < len(everything)
            assert spool.lost > 0
        goes_on(spool)
        shutil.rmtree(copy)


def test_a_byte_flipped_while_it_runs(kept: Path, copy: Path) -> None:
    """It was whole when the spool was opened."""
    for number, original in enumerate(files(kept)):
        content = original.read_bytes()
        for place in range(0, len(content), 7):
            shutil.rmtree(copy)
            shutil.copytree(kept, copy)
            spool = opened(copy)
            everything = spool.batches
            path = files(copy)[number]
            with path.open("r+b") as file:
                file.seek(place)
                file.write(bytes([content[place] ^ 0x55]))
            declared, found = 0, 0
            for entry in drain(spool):
                try:
                    entry.declarations(set())
                except records.DamagedRecord:
                    spool.give_up(entry.boot_id, entry.seq)
                    continue
                found += 1
                declared += entry.skipped
            assert found + spool.lost == everything, (number, place)
            goes_on(spool)


def test_what_was_acknowledged_is_not_needed(copy: Path) -> None:
    spool = opened(copy)
    (boot, _), *_ = delivered(spool)
    assert (boot, 1) not in delivered(opened_again(spool, copy))


def opened_again(spool: Spool, folder: Path) -> Spool:
    spool.close()
    return opened(folder)


@pytest.mark.parametrize("number", range(4))
def test_a_missing_file(kept: Path, copy: Path, number: int) -> None:
    _, held = numbers(files(copy)[number])
    whole = opened(copy)
    everything = delivered(whole)
    whole.close()
    files(copy)[number].unlink()
    spool = opened(copy)
    assert len(everything) - len(delivered(spool)) in {len(held), len(held) - 1}  # one was acknowledged
    goes_on(spool)


def test_a_file_missing_between_others_is_counted(tmp_path: Path) -> None:
    spool = Spool(tmp_path, SMALL)
    fill(spool, 20)
    spool.close()
    _, second, third, *_ = files(tmp_path)
    _, held = numbers(second)
    second.unlink()
    third.write_bytes(third.read_bytes()[:-1])
    again = Spool(tmp_path, SMALL)
    found = drain(again)
    assert again.lost == 20 - len(found) == len(held) + 1
    assert sum(one.skipped for one in found) == again.lost
    again.close()


def test_files_with_other_names(kept: Path, copy: Path) -> None:
    whole = opened(copy)
    everything = list(delivered(whole))
    whole.close()
    names = files(copy)
    for one in names:
        one.rename(one.with_suffix(".old"))
    for one, other in zip(names, reversed(names), strict=True):
        one.with_suffix(".old").rename(other)
    spool = opened(copy)
    found = list(delivered(spool))
    for boot in {boot for boot, _ in everything}:
        assert [seq for one, seq in found if one == boot] == [seq for one, seq in everything if one == boot]
    assert spool.lost == 0
    goes_on(spool)


def test_files_that_are_there_twice(kept: Path, copy: Path) -> None:
    whole = opened(copy)
    everything = delivered(whole)
    whole.close()
    for number, one in enumerate(files(copy)):
        shutil.copy(one, copy / f"00000000{number}500.spool")
        cut = one.read_bytes()
        (copy / f"00000000{number}600.spool").write_bytes(cut[: len(cut) * 2 // 3])
    spool = opened(copy)
    assert delivered(spool) == everything
    assert spool.batches == len(everything)
    for boot, seq in everything:
        spool.acknowledge(boot, seq)
    assert spool.batches == 0
    goes_on(spool)


def test_batches_and_the_means_of_them(tmp_path: Path) -> None:
    """Somebody put a file back from a backup: the batches themselves are as good, and what is in both comes once."""
    spool = Spool(tmp_path, SMALL)
    for number in range(1, 200):
        spool.append([Frame(WIDE, [float(number)] * 30)], number * 10_000)
    spool.close()
    made, *_ = files(tmp_path)
    _, stands = numbers(made)
    old = Segment.open(made)[0]
    assert old is not None
    raw = Spool(tmp_path / "raw", ROOMY)
    raw.boot_id = old.boot_id
    for number in range(1, old.last + 1):
        raw.append([Frame(WIDE, [float(number)] * 30)], number * 10_000)
    raw.close()
    shutil.copy(files(tmp_path / "raw")[0], tmp_path / "000000009000.spool")
    again = Spool(tmp_path, ROOMY)
    found = delivered(again)
    assert {seq for _, seq in found} >= set(range(1, old.last + 1)) >= set(stands)
    again.close()


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "000000000001.spool").mkdir()
    os.mkfifo(folder / "000000000002.spool")
    (folder / "000000000003.spool").symlink_to("/proc/self/mem")
    (folder / "000000000004.spool").symlink_to(folder / "000000000004.spool")
    (folder / "²³.spool").write_bytes(b"x")
    (folder / f"{'9' * 200}.spool").write_bytes(b"x")
    (folder / "-5.spool").write_bytes(b"x")
    with (folder / "000000000005.spool").open("wb") as file:
        file.truncate(1 << 40)
    return folder


def test_strange_files(strange: Path) -> None:
    """A folder, a pipe, links, names that are no numbers, a file of a terabyte of nothing."""
    spool = Spool(strange, SMALL)
    fill(spool, 40)
    assert seqs(spool) == list(range(1, 41))
    spool.close()
    again = Spool(strange, SMALL)
    assert len(drain(again)) == 40
    again.close()
    assert (strange / "²³.spool").exists()


def test_random_files(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:012d}.spool").write_bytes(os.urandom(number))
    spool = Spool(tmp_path, SMALL)
    assert drain(spool) == []
    assert spool.lost == 199
    goes_on(spool)
