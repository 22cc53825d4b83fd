"""A key of the data folder is succeeded in two steps, and whatever a crash leaves, hosts can follow."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pudim import succession
from pudim.succession import LINK_BYTES, MAX_LINKS, Pin, read
from pudim.wire.keys import private_bytes, public_bytes, signed_by
from pudim_collector.app.key_succession import (
    COLLECTOR,
    LIFE,
    LINES,
    RELEASE,
    Line,
    NoSuccessorError,
    SuccessorExpiredError,
    SuccessorWaitsError,
    begin,
    finish,
    succession_of,
)
from pudim_collector.app.keys import collector_key, release_key, signing_key
from pudim_collector.infra.private_files import KeyFileDamagedError, KeyFileOpenError, replace_private
from tests.killed import killed_at_each_point

NOW = datetime(2026, 5, 4, tzinfo=UTC)
MADE = {COLLECTOR: collector_key, RELEASE: release_key}


def own(data_dir: Path, line: Line = COLLECTOR) -> bytes:
    return public_bytes(MADE[line](data_dir))


def learned(pin: Pin, data_dir: Path, line: Line = COLLECTOR) -> Pin:
    """What a host believes after a greeting with the collector of this folder; it holds the key that it shows."""
    key = own(data_dir, line)
    found = succession_of(data_dir, line, key)
    shown = succession.path(found.links, pin.believed, key)
    now = int(NOW.timestamp() * 1000)
    pin = succession.followed(pin, shown, domain=line.domain, signed_by=signed_by, now=now)
    assert key in pin.believed, "the host would refuse this collector"
    pin = pin.shown(key)
    if found.waiting is not None:
        pin = succession.announced(pin, found.waiting, domain=line.domain, signed_by=signed_by, now=now)
    return pin


@pytest.mark.parametrize("line", LINES)
def test_the_key_signs_for_its_successor_and_then_makes_room(tmp_path: Path, line: Line) -> None:
    pin = Pin(own(tmp_path, line))
    said = begin(tmp_path, line, NOW)
    assert own(tmp_path, line) == pin.key == said.previous
    waiting = learned(pin, tmp_path, line)
    assert waiting.believed == (pin.key, said.key)
    assert finish(tmp_path, line, NOW) == said
    assert own(tmp_path, line) == said.key
    assert learned(pin, tmp_path, line) == learned(waiting, tmp_path, line) == Pin(said.key, 1)
    assert {one.name for one in tmp_path.iterdir()} == {line.key_file, line.chain_file}
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}


def test_the_two_lines_do_not_know_each_other(tmp_path: Path) -> None:
    pin = Pin(own(tmp_path))
    replace_private(tmp_path / RELEASE.key_file, private_bytes(collector_key(tmp_path)))
    begin(tmp_path, RELEASE, NOW)
    replace_private(tmp_path / COLLECTOR.chain_file, (tmp_path / RELEASE.chain_file).read_bytes())
    with pytest.raises(KeyFileDamagedError):
        learned(pin, tmp_path)


def test_a_host_follows_from_whichever_key_it_knew(tmp_path: Path) -> None:
    pins = [Pin(own(tmp_path))]
    for _ in range(4):
        begin(tmp_path, COLLECTOR, NOW)
        pins.append(learned(pins[-1], tmp_path))
        finish(tmp_path, COLLECTOR, NOW)
        pins.append(learned(pins[-1], tmp_path))
    assert {learned(pin, tmp_path) for pin in pins} == {Pin(own(tmp_path), 4)}


def test_one_waits_at_a_time_and_may_be_replaced(tmp_path: Path) -> None:
    pin = Pin(own(tmp_path))
    first = begin(tmp_path, COLLECTOR, NOW)
    with pytest.raises(SuccessorWaitsError):
        begin(tmp_path, COLLECTOR, NOW)
    known = learned(pin, tmp_path)
    second = begin(tmp_path, COLLECTOR, NOW, again=True)
    assert (second.epoch, second.previous) == (2, first.previous)
    assert learned(known, tmp_path).believed == (pin.key, second.key)
    finish(tmp_path, COLLECTOR, NOW)
    assert learned(known, tmp_path) == learned(pin, tmp_path) == Pin(second.key, 2)


def test_there_must_be_one_to_go_over_to_and_in_time(tmp_path: Path) -> None:
    own(tmp_path)
    with pytest.raises(NoSuccessorError):
        finish(tmp_path, COLLECTOR, NOW)
    begin(tmp_path, COLLECTOR, NOW)
    with pytest.raises(SuccessorExpiredError):
        finish(tmp_path, COLLECTOR, NOW + LIFE)
    finish(tmp_path, COLLECTOR, NOW + LIFE - timedelta(seconds=1))


def test_the_chain_is_bounded(tmp_path: Path) -> None:
    own(tmp_path)
    for _ in range(MAX_LINKS + 2):
        begin(tmp_path, COLLECTOR, NOW)
        finish(tmp_path, COLLECTOR, NOW)
    links = succession_of(tmp_path, COLLECTOR, own(tmp_path)).links
    assert [read(one).epoch for one in links] == list(range(3, MAX_LINKS + 3))


def test_a_key_that_was_put_there_by_hand_has_no_history(tmp_path: Path) -> None:
    own(tmp_path)
    begin(tmp_path, COLLECTOR, NOW)
    (tmp_path / COLLECTOR.key_file).unlink()
    found = succession_of(tmp_path, COLLECTOR, own(tmp_path))
    assert (found.links, found.waiting) == ((), None)
    assert begin(tmp_path, COLLECTOR, NOW).epoch == 2


@pytest.mark.parametrize("damage", [b"", b"x" * LINK_BYTES, b"short"])
def test_a_damaged_chain_is_refused(tmp_path: Path, damage: bytes) -> None:
    begin_with = own(tmp_path)
    begin(tmp_path, COLLECTOR, NOW)
    whole = (tmp_path / COLLECTOR.chain_file).read_bytes()
    replace_private(tmp_path / COLLECTOR.chain_file, whole[:-1] + bytes([whole[-1] ^ 1]) + damage)
    with pytest.raises(KeyFileDamagedError):
        succession_of(tmp_path, COLLECTOR, begin_with)
    replace_private(tmp_path / COLLECTOR.chain_file, whole + whole)
    with pytest.raises(KeyFileDamagedError, match="order"):
        succession_of(tmp_path, COLLECTOR, begin_with)


def test_a_chain_that_others_may_write_is_refused(tmp_path: Path) -> None:
    key = own(tmp_path)
    begin(tmp_path, COLLECTOR, NOW)
    (tmp_path / COLLECTOR.chain_file).chmod(0o666)
    with pytest.raises(KeyFileOpenError):
        succession_of(tmp_path, COLLECTOR, key)


ROTATE = """
from datetime import UTC, datetime
from pudim_collector.app.key_succession import COLLECTOR, begin, finish
now = datetime(2026, 5, 4, tzinfo=UTC)
armed()
begin(Path(folder), COLLECTOR, now, again=True)
finish(Path(folder), COLLECTOR, now)
"""


def test_a_rotation_that_is_killed_at_any_point_leaves_a_key_that_hosts_follow(tmp_path: Path) -> None:
    """With a successor that some heard of already, and one that was away for an earlier change."""
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    away = Pin(own(data_dir))
    begin(data_dir, COLLECTOR, NOW)
    finish(data_dir, COLLECTOR, NOW)
    here = learned(away, data_dir)
    begin(data_dir, COLLECTOR, NOW)
    told = learned(here, data_dir)
    before = {one.name: one.read_bytes() for one in data_dir.iterdir()}
    held = set()
    for _ in killed_at_each_point(data_dir, ROTATE):
        held.add(own(data_dir))
        met = [learned(pin, data_dir) for pin in (away, here, told)]
        # Whoever goes on brings it to an end, and everybody follows.
        begin(data_dir, COLLECTOR, NOW, again=True)
        met += [learned(pin, data_dir) for pin in met]
        finish(data_dir, COLLECTOR, NOW)
        assert {learned(pin, data_dir).key for pin in met} == {own(data_dir)}
        assert public_bytes(signing_key(data_dir / COLLECTOR.key_file)) == own(data_dir)
        for one in data_dir.iterdir():
            one.unlink()
        for name, content in before.items():
            replace_private(data_dir / name, content)
    assert len(held) > 1, "it was killed before the key changed, and after"
