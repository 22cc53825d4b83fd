"""A sealed value opens in its own place only, under the ring's keys, and so does what the first version sealed."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.keys import private_bytes, private_from_bytes
from pudim_collector.infra.key_ring import RING_FILE, KeyRing
from pudim_collector.infra.sealing import (
    MOST_SECRET_BYTES,
    SealBrokenError,
    SealedColumn,
    Sealer,
    Sealers,
    SealKeyMissingError,
    SecretTooLongError,
    owner_bytes,
)

NOW = datetime(2026, 5, 4, tzinfo=UTC)
KEY = private_from_bytes(b"c" * 32)
COLUMN = SealedColumn("checks", "secrets", owner="id", purpose="checks")
OWNER, SECRET = b"o" * 16, b"a secret"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.made(tmp_path / RING_FILE, NOW)


@pytest.fixture
def sealer(ring: KeyRing) -> Sealer:
    return Sealers(ring, KEY).of(COLUMN)


def sealed_first(secret: bytes, owner: bytes, purpose: bytes = b"checks") -> bytes:
    """As the first version did it, and documented it."""
    derived = HKDF(SHA256(), 32, None, b"pudim sealing " + purpose).derive(private_bytes(KEY))
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(derived).encrypt(nonce, secret, owner)


@pytest.mark.parametrize("secret", [b"", SECRET, bytes(MOST_SECRET_BYTES)], ids=len)
def test_what_is_sealed_opens(sealer: Sealer, secret: bytes) -> None:
    assert sealer.open(sealer.seal(secret, OWNER), OWNER) == secret


def test_no_two_are_alike_and_none_shows_its_secret(sealer: Sealer, ring: KeyRing) -> None:
    made = {sealer.seal(SECRET, OWNER) for _ in range(50)}
    assert len({one[5:45] for one in made}) == len({one[45:57] for one in made}) == len(made) == 50
    assert {one[:5] for one in made} == {b"\x02" + ring.active.id}
    assert not any(SECRET in one for one in made)


def test_a_secret_has_a_bound(sealer: Sealer) -> None:
    with pytest.raises(SecretTooLongError):
        sealer.seal(bytes(MOST_SECRET_BYTES + 1), OWNER)


@pytest.mark.parametrize(
    "column",
    [
        SealedColumn("others", "secrets", owner="id", purpose="checks"),
        SealedColumn("checks", "other", owner="id", purpose="checks"),
        SealedColumn("checks", "secrets", owner="id", purpose="other"),
        SealedColumn("checkss", "ecrets", owner="id", purpose="checks"),
    ],
    ids=str,
)
def test_a_value_cannot_be_moved_to_another_column(
    ring: KeyRing, sealer: Sealer, column: SealedColumn
) -> None:
    with pytest.raises(SealBrokenError):
        Sealers(ring, KEY).of(column).open(sealer.seal(SECRET, OWNER), OWNER)


@given(owner=st.binary(max_size=40))
def test_a_value_cannot_be_moved_to_another_row(
    tmp_path_factory: pytest.TempPathFactory, owner: bytes
) -> None:
    ring = KeyRing.made(tmp_path_factory.getbasetemp() / "rows" / RING_FILE, NOW)
    sealer = Sealers(ring, KEY).of(COLUMN)
    sealed = sealer.seal(SECRET, OWNER)
    if owner == OWNER:
        assert sealer.open(sealed, owner) == SECRET
    else:
        with pytest.raises(SealBrokenError):
            sealer.open(sealed, owner)


def test_every_changed_bit_and_every_cut_is_noticed(sealer: Sealer) -> None:
    sealed = sealer.seal(SECRET, OWNER)
    broken = [sealed[:place] for place in range(len(sealed))]
    broken += [
        sealed[:place] + bytes([sealed[place] ^ (1 << bit)]) + sealed[place + 1 :]
        for place in range(len(sealed))
        for bit in range(8)
    ]
    for one in (*broken, sealed + b"\0"):
        with pytest.raises(SealBrokenError):
            sealer.open(one, OWNER)


@given(noise=st.binary(max_size=200))
def test_noise_is_broken(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    ring = KeyRing.made(tmp_path_factory.getbasetemp() / "noise" / RING_FILE, NOW)
    sealer = Sealers(ring, KEY).of(COLUMN)
    for one in (noise, b"\x01" + noise, b"\x02" + noise, b"\x02" + ring.active.id + noise):
        with pytest.raises(SealBrokenError):
            sealer.open(one, OWNER)


def test_parts_of_two_values_do_not_make_a_third(sealer: Sealer) -> None:
    """The data key of one beside the ciphertext of another."""
    one, other = sealer.seal(SECRET, OWNER), sealer.seal(b"another one", OWNER)
    with pytest.raises(SealBrokenError):
        sealer.open(one[:45] + other[45:], OWNER)


def test_what_the_first_version_sealed_opens(sealer: Sealer) -> None:
    sealed = sealed_first(SECRET, OWNER)
    assert sealer.open(sealed, OWNER) == SECRET
    assert not sealer.is_current(sealed)
    with pytest.raises(SealBrokenError):
        sealer.open(sealed, b"another")
    with pytest.raises(SealBrokenError):
        sealer.open(sealed_first(SECRET, OWNER, b"others"), OWNER)


def test_a_rotation_changes_what_is_sealed_next_and_opens_what_was(ring: KeyRing, sealer: Sealer) -> None:
    before = sealer.seal(SECRET, OWNER)
    assert sealer.is_current(before)
    KeyRing(ring.path).rotate(NOW + timedelta(days=1))
    after = sealer.seal(SECRET, OWNER)
    assert (sealer.is_current(before), sealer.is_current(after)) == (False, True)
    assert sealer.open(before, OWNER) == sealer.open(after, OWNER) == SECRET


def test_a_retired_key_opens_nothing_and_is_named_as_missing(ring: KeyRing, sealer: Sealer) -> None:
    before, first = sealer.seal(SECRET, OWNER), ring.active.id
    ring.rotate(NOW + timedelta(days=1))
    ring.retire(first)
    with pytest.raises(SealKeyMissingError):
        sealer.open(before, OWNER)


def test_a_ring_that_is_gone_is_a_missing_key_for_what_it_does_not_know(
    ring: KeyRing, sealer: Sealer
) -> None:
    sealed = sealer.seal(SECRET, OWNER)
    ring.path.unlink()
    assert sealer.open(sealed, OWNER) == SECRET
    with pytest.raises(SealKeyMissingError):
        sealer.open(b"\x02none" + sealed[5:], OWNER)


def test_another_ring_opens_nothing(tmp_path: Path, sealer: Sealer) -> None:
    another = KeyRing.made(tmp_path / "another" / RING_FILE, NOW)
    with pytest.raises(SealKeyMissingError):
        Sealers(another, KEY).of(COLUMN).open(sealer.seal(SECRET, OWNER), OWNER)


def test_what_an_owner_is() -> None:
    assert owner_bytes(UUID(int=1)) == UUID(int=1).bytes
    assert (owner_bytes("Größe"), owner_bytes(b"x")) == ("Größe".encode(), b"x")
    with pytest.raises(TypeError):
        owner_bytes(1.5)
