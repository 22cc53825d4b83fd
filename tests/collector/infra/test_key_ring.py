"""The ring is made once, rotates, forgets what it is told to, notices damage, and is followed by every process that holds it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.key_ring import (
    ID_BYTES,
    MOST_KEYS,
    RING_FILE,
    ActiveKeyError,
    KeyRing,
    NoSuchKeyError,
    RingFullError,
    RingReadOnlyError,
)
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileError,
    KeyFileMissingError,
    KeyFileOpenError,
)

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
MAKE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from pudim_collector.infra.key_ring import KeyRing
sys.stdin.readline()
print(KeyRing.made(Path(sys.argv[1]), datetime.now(UTC)).active.fingerprint)
"""
ROTATE = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from pudim_collector.infra.key_ring import KeyRing
ring = KeyRing(Path(sys.argv[1]))
sys.stdin.readline()
for _ in range(5):
    print(ring.rotate(datetime.now(UTC)).name)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / RING_FILE


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing.made(path, NOW)


def racing(program: str, path: Path) -> list[str]:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write(b"\n")
        racer.stdin.flush()
    return [racer.communicate(timeout=60)[0].decode() for racer in racers]


def changed(path: Path, **what: Any) -> None:
    path.write_bytes(json.dumps(json.loads(path.read_text()) | what).encode())


def test_it_is_made_once_and_private(ring: KeyRing, path: Path) -> None:
    assert KeyRing.made(path, LATER).active == ring.active
    assert (ring.active.created_at, len(ring.active.secret)) == (NOW, 32)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_race_of_processes_makes_one(tmp_path: Path) -> None:
    path = tmp_path / RING_FILE
    assert set(racing(MAKE, path)) == {KeyRing(path).active.fingerprint + "\n"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_race_of_rotations_loses_no_key(ring: KeyRing, path: Path) -> None:
    made = [name for said in racing(ROTATE, path) for name in said.split()]
    assert len(set(made)) == 20
    assert {key.name for key in ring.keys} == {*made, KeyRing(path).keys[0].name}


def test_who_holds_it_follows_another_process(ring: KeyRing, path: Path) -> None:
    first = ring.active
    second = KeyRing(path).rotate(LATER)
    assert ring.active == second
    assert ring.find(first.id) == first
    KeyRing(path).retire(first.id)
    assert [key.id for key in ring.keys] == [second.id]
    assert ring.find(first.id) is None


def test_when_a_key_stopped_being_active(ring: KeyRing) -> None:
    first = ring.active
    assert ring.stopped_at(first.id) is None
    second = ring.rotate(LATER)
    ring.rotate(LATER + timedelta(days=1))
    assert ring.stopped_at(first.id) == LATER
    assert ring.stopped_at(second.id) == LATER + timedelta(days=1)


def test_the_active_key_and_an_unknown_one_are_not_retired(ring: KeyRing) -> None:
    with pytest.raises(ActiveKeyError):
        ring.retire(ring.active.id)
    with pytest.raises(NoSuchKeyError):
        ring.retire(b"none")


def test_it_is_bounded(ring: KeyRing) -> None:
    for _ in range(MOST_KEYS - 1):
        ring.rotate(LATER)
    with pytest.raises(RingFullError):
        ring.rotate(LATER)
    assert len(ring.keys) == MOST_KEYS


def test_no_secret_is_in_what_is_printed(ring: KeyRing, path: Path) -> None:
    key = ring.active
    secret = json.loads(path.read_text())["keys"][0]["secret"]
    for said in (repr(key), str(key), key.fingerprint, key.name, repr(ring)):
        assert repr(key.secret) not in said
        assert key.secret.hex() not in said
        assert secret not in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b'{"format":1,"active":"00000000","keys":[]}',
        b"[" * 5_000,
        b"x" * 70_000,
    ],
)
def test_what_makes_no_sense_is_damaged_and_never_replaced(ring: KeyRing, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(KeyFileDamagedError) as raised:
        KeyRing.made(path, NOW)
    assert path.read_bytes() == content
    assert raised.value.__cause__ is None


def test_every_changed_letter_of_it_is_noticed_or_changes_nothing(ring: KeyRing, path: Path) -> None:
    """Else something could be sealed under a key that no backup holds."""
    ring.rotate(LATER)
    content, keys = path.read_bytes(), {key.id: key.secret for key in ring.keys}
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            read = KeyRing(path)
        except KeyFileDamagedError:
            continue
        assert {key.id: key.secret for key in read.keys} == keys
        assert read.active.id in keys


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_one_that_is_cut_short_is_damaged(ring: KeyRing, path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut].rstrip()[:-1])
    with pytest.raises(KeyFileDamagedError):
        KeyRing(path)


@pytest.mark.parametrize("what", [{"format": 2}, {"active": "ffff"}, {"active": "zz"}, {"active": ""}])
def test_a_ring_of_another_shape_is_damaged(ring: KeyRing, path: Path, what: dict[str, Any]) -> None:
    changed(path, **what)
    with pytest.raises(KeyFileDamagedError):
        KeyRing(path)


def test_the_same_key_twice_is_damaged(ring: KeyRing, path: Path) -> None:
    changed(path, keys=json.loads(path.read_text())["keys"] * 2)
    with pytest.raises(KeyFileDamagedError):
        KeyRing(path)


def test_nothing_is_sealed_while_the_file_is_gone_or_open_and_what_is_known_still_opens(
    ring: KeyRing, path: Path
) -> None:
    key, content = ring.active, path.read_bytes()
    path.unlink()
    with pytest.raises(KeyFileMissingError):
        _ = ring.active
    assert ring.find(key.id) == key
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(KeyFileOpenError):
        _ = ring.active
    path.chmod(0o600)
    assert ring.active == key


def test_one_from_elsewhere_is_never_made(path: Path) -> None:
    with pytest.raises(KeyFileMissingError):
        KeyRing(path, lent=True)
    assert not path.parent.exists()


def test_one_that_cannot_be_written_is_not_rotated(
    ring: KeyRing, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on the read-only file system in which systemd keeps credentials; root may write everywhere else."""

    def refused(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(RingReadOnlyError, match="Read-only"):
        ring.rotate(LATER)
    monkeypatch.undo()
    assert [key.created_at for key in KeyRing(path).keys] == [NOW]
    assert [one.name for one in path.parent.iterdir()] == [RING_FILE]


def test_a_name_leads_to_one_key(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = ring.active.id
    dice = iter([taken, taken, b"free"])
    monkeypatch.setattr(os, "urandom", lambda size: next(dice) if size == ID_BYTES else b"s" * size)
    assert ring.rotate(LATER).id == b"free"


def test_every_fault_has_a_name_and_a_hint() -> None:
    kinds: list[type[PudimError]] = [
        *KeyFileError.__subclasses__(),
        ActiveKeyError,
        NoSuchKeyError,
        RingFullError,
        RingReadOnlyError,
    ]
    assert all(kind.hint and kind.code != "key_file" for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
