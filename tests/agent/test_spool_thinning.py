"""A full spool: the oldest give way to the means of their minutes, nothing is told twice, and all of it is counted."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pudim.wire.batches import block, decode_batch, encode_batch, encode_blocks, numbers
from pudim.wire.codec import unpack
from pudim.wire.layouts import Layout, Series, Source
from pudim_agent.assembly import Frame
from pudim_agent.records import DamagedRecord, Stored
from pudim_agent.segments import FileMedium
from pudim_agent.spool import Entry, Limits, Spool
from pudim_agent.thinning import mean, thinned
from tests.agent.test_spool import HOST, PROCESS, drain

LIMITS = Limits(max_bytes=32 * 1024)
TICK = 10_000
MINUTE = 60_000


def sample(spool: Spool, count: int, start: int = 1, every: int = TICK) -> None:
    for number in range(start, start + count):
        spool.append([Frame(HOST, [float(number), 0.5]), Frame(PROCESS, [1.0])], number * every)


def values(entries: Iterable[Entry], source: Source = HOST) -> dict[int, tuple[float, ...]]:
    """What was sent of one source, by time; nothing is there twice."""
    found: dict[int, tuple[float, ...]] = {}
    for entry in entries:
        batch = decode_batch(unpack(encode_batch(entry.boot_id, entry.seq, entry.skipped, 1, entry.blocks)))
        for one in batch.blocks:
            if one.source == source.hash:
                row = numbers("d", one.values)
                width = len(row) // one.frames
                for number, time in enumerate(numbers("q", one.times)):
                    assert time not in found
                    found[time] = tuple(row[number * width : (number + 1) * width])
    return found


def stored(seq: int, time_ms: int, row: Sequence[float], source: Source = HOST) -> Stored:
    return Stored(seq, time_ms, (source.hash,), encode_blocks([block(source.hash, [time_ms], [row])]))


def rows_of(batch: Stored) -> list[tuple[bytes, list[int], list[float]]]:
    return [
        (source, numbers("q", times).tolist(), numbers("d", found).tolist())
        for source, times, found in unpack(batch.blocks)
    ]


@pytest.fixture
def spool(tmp_path: Path) -> Any:
    found = Spool(tmp_path / "spool", LIMITS)
    yield found
    found.close()


def test_the_oldest_give_way_to_means_before_anything_is_lost(spool: Spool, tmp_path: Path) -> None:
    sample(spool, 600)
    assert spool.thinned > 0
    assert spool.lost == 0
    assert spool.bytes <= LIMITS.max_bytes
    assert sum(one.stat().st_size for one in (tmp_path / "spool").glob("*.spool")) == spool.bytes
    found = drain(spool)
    assert sum(one.skipped for one in found) == spool.thinned
    assert sum(one.skipped + 1 for one in found) == 600
    assert found[-1].seq == 600
    assert {one.seq for one in found if not one.skipped} >= set(range(550, 600)), "the newest are raw"


def test_a_mean_stands_in_the_middle_of_its_minute_and_each_minute_has_a_frame(spool: Spool) -> None:
    sample(spool, 600)
    found = values(drain(spool))
    minutes = {time // MINUTE for time in found}
    assert minutes == set(range(600 * TICK // MINUTE + 1))
    whole = [time for time, (value, _) in found.items() if value != time / TICK]
    assert whole, "some are means"
    for time in whole:
        value, share = found[time]
        raw = range(time // MINUTE * 6, time // MINUTE * 6 + 6)
        assert min(raw) < value < max(raw)
        assert share == 0.5


def test_what_stands_for_several_survives_a_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path / "spool", LIMITS)
    sample(first, 600)
    before = [(one.seq, one.skipped, one.blocks) for one in drain(first)]
    pending = first.batches
    first.close()
    again = Spool(tmp_path / "spool", LIMITS)
    assert (again.batches, again.lost) == (pending, 0)
    assert [(one.seq, one.skipped, one.blocks) for one in drain(again)] == before
    again.rewind()
    for entry in drain(again):
        assert set(entry.declarations(set())) == {HOST, PROCESS}
    again.close()


def test_only_when_the_means_are_too_many_the_oldest_are_lost(spool: Spool) -> None:
    sample(spool, 6_000)
    assert spool.lost > 0
    assert spool.bytes <= LIMITS.max_bytes
    found = drain(spool)
    assert sum(one.skipped for one in found) == spool.lost + spool.thinned
    assert sum(one.skipped + 1 for one in found) == 6_000


def test_frames_that_are_a_minute_apart_only_move_together(spool: Spool) -> None:
    sample(spool, 300, every=MINUTE)
    assert spool.thinned > 0
    assert spool.lost == 0
    found = values(drain(spool))
    assert found == {number * MINUTE: (float(number), 0.5) for number in range(1, 301)}


def test_what_would_be_hardly_smaller_is_lost_instead(spool: Spool) -> None:
    wide = Source("host", (), Layout(tuple(Series(f"x{number}", "1") for number in range(100))))
    for number in range(1, 201):
        spool.append([Frame(wide, [float(number)] * 100)], number * MINUTE)
    assert spool.thinned == 0
    assert spool.lost > 0
    assert spool.bytes <= LIMITS.max_bytes
    first, *rest = drain(spool)
    assert first.skipped == spool.lost
    assert all(one.skipped == 0 for one in rest)


def test_what_was_sent_and_not_answered_stays_as_it_is(spool: Spool) -> None:
    """The collector may have it: with means of it, it would have it twice."""
    sample(spool, 64)
    sent = [(one.seq, one.blocks) for one in drain(spool)]
    sample(spool, 400, start=65)
    assert spool.thinned > 0
    spool.rewind()
    found = {one.seq: one.blocks for one in drain(spool)}
    assert all(found[seq] == blocks for seq, blocks in sent)
    assert spool.acknowledge(spool.boot_id, 64)
    spool.rewind()
    assert min(values(drain(spool))) > 64 * TICK


def test_means_of_what_the_collector_has_in_part_are_given_up(tmp_path: Path) -> None:
    """A process of which nobody knows how far it had sent: the collector says so, and gets nothing twice."""
    first = Spool(tmp_path / "spool", LIMITS)
    sample(first, 600)
    first.close()
    again = Spool(tmp_path / "spool", LIMITS)
    means = again.read()
    assert means is not None
    assert means.skipped == means.seq - 1
    again.expect(first.boot_id, means.seq - 2)  # it had everything up to two before the last
    again.rewind()
    found = drain(again)
    assert found[0].seq > means.seq
    assert found[0].skipped == found[0].seq - (means.seq - 2)
    assert min(values(found)) > means.seq * TICK
    assert again.lost == 1
    again.close()


def test_batches_that_others_stand_for_are_acknowledged_with_them(spool: Spool) -> None:
    sample(spool, 600)
    first, second, *_ = drain(spool)
    pending = spool.batches
    assert not spool.acknowledge(spool.boot_id, 0)
    assert spool.acknowledge(spool.boot_id, first.seq)
    assert spool.batches == pending - 1
    spool.rewind()
    again = spool.read()
    assert again is not None
    assert (again.seq, again.skipped, again.blocks) == (second.seq, second.skipped, second.blocks)


def test_a_disk_that_takes_no_means_gives_the_oldest_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_medium: FileMedium) -> FileMedium:
        raise OSError(28, "no space")

    monkeypatch.setattr(FileMedium, "successor", refuse)
    spool = Spool(tmp_path / "spool", LIMITS)
    sample(spool, 600)
    assert (spool.thinned, spool.lost) == (0, 600 - spool.batches)
    assert spool.bytes <= LIMITS.max_bytes
    spool.close()


def test_a_crash_between_means_and_their_place_leaves_the_batches(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", Limits())
    sample(spool, 60)
    spool.close()
    (path,) = (tmp_path / "spool").glob("*.spool")
    leftover = path.with_suffix(".next")
    leftover.write_bytes(path.read_bytes()[:100])
    again = Spool(tmp_path / "spool", Limits())
    assert [one.seq for one in drain(again)] == list(range(1, 61))
    assert not leftover.exists()
    assert again.lost == 0
    again.close()


def test_a_damaged_segment_is_not_thinned_out_and_told_when_it_is_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMITS)
    sample(spool, 60)
    path, *_ = sorted((tmp_path / "spool").glob("*.spool"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    sample(spool, 540, start=61)
    assert spool.thinned > 0
    found = drain(spool)
    assert found[0].seq == 1
    assert sum(one.skipped for one in found) == spool.thinned + spool.lost
    assert spool.lost > 0
    spool.close()


def test_a_batch_of_means_is_never_longer_than_half_an_hour_nor_too_wide() -> None:
    layout = HOST.layout
    wide = [Source("process", (("n", str(number)),), layout) for number in range(1500)]
    raw = [stored(seq, seq * TICK, [1.0, 2.0]) for seq in range(1, 720)]
    made = list(thinned(raw))
    for one in made:
        (_, times, _) = rows_of(one)[0]
        assert times[-1] - times[0] <= 30 * MINUTE
    assert [made[0].since, *[one.since for one in made[1:]]] == [1, *[one.seq + 1 for one in made[:-1]]]
    assert made[-1].seq == 719
    changing = [stored(seq, seq, [1.0, 2.0], source) for seq, source in enumerate(wide, 1)]
    for one in thinned(changing):
        assert len(one.sources) <= 1024


def test_nonsense_in_a_batch_is_damage() -> None:
    for blocks in (b"", b"\xc1", b"\x91\x01", encode_blocks([]), b"\x91\x93\xc4\x01x\xc4\x01x\xc4\x00"):
        with pytest.raises(DamagedRecord):
            list(thinned([Stored(1, 1, (), blocks)]))


WILD = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1e308, -1e308, 5e-324, math.inf])
)


@settings(deadline=None)
@given(st.lists(st.lists(WILD, min_size=3, max_size=3), min_size=1, max_size=8))
def test_a_mean_is_of_the_finite_values_and_within_them(rows: list[list[float]]) -> None:
    found = mean(rows)
    if len(rows) == 1:
        assert struct.pack("3d", *found) == struct.pack("3d", *rows[0])
        return
    for column, value in zip(zip(*rows, strict=True), found, strict=True):
        finite = [one for one in column if math.isfinite(one)]
        if not finite:
            assert math.isnan(value)
            continue
        assert min(finite) <= value <= max(finite)
        exact = math.fsum(one / len(finite) for one in finite)
        assert value == pytest.approx(exact, rel=1e-9, abs=1e-300 + 1e-9 * max(map(abs, finite)))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([HOST, PROCESS])), min_size=1, max_size=80),
)
def test_every_batch_has_its_place_in_exactly_one(steps: list[tuple[int, Source]]) -> None:
    raw, at = [], 0
    for seq, (seconds, source) in enumerate(steps, 1):
        at += seconds * 1000
        raw.append(stored(seq, at, [float(seq)] * len(source.layout.series), source))
    made = list(thinned(raw))
    covered = [seq for one in made for seq in range(one.since, one.seq + 1)]
    assert covered == list(range(1, len(raw) + 1))
    for source in (HOST, PROCESS):
        minutes = {one.time_ms // MINUTE for one in raw if one.sources == (source.hash,)}
        times = [
            time for one in made for known, found, _ in rows_of(one) if known == source.hash for time in found
        ]
        assert times == sorted(set(times))
        assert [time // MINUTE for time in times] == sorted(minutes)


def test_a_mean_of_what_does_not_change_is_the_same() -> None:
    assert list(mean([[0.1, 8e9 + 1]] * 6)) == [0.1, 8e9 + 1]


def test_a_source_with_series_of_its_own_keeps_them() -> None:
    other = Source("process", (), Layout((Series("process.count", "{process}"),)))
    (made,) = thinned([stored(1, 1, [1.0, 3.0]), stored(2, 2, [4.0], other), stored(3, 3, [3.0, 9.0])])
    assert {known: (times, found) for known, times, found in rows_of(made)} == {
        HOST.hash: ([1], [2.0, 6.0]),
        other.hash: ([2], [4.0]),
    }
    assert made.sources == (HOST.hash, other.hash)
