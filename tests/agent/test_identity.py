"""The agent's key on disk: private, whole, and refused when it is neither."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import uuid4

import pytest

from pudim.wire.keys import private_bytes
from pudim_agent.identity import (
    DamagedIdentity,
    ExposedIdentity,
    Identity,
    NotEnrolled,
    fresh_key,
    load,
    save,
)


@pytest.fixture
def identity() -> Identity:
    return Identity(uuid4(), fresh_key())


def test_it_reads_back(tmp_path: Path, identity: Identity) -> None:
    save(tmp_path / "state", identity)
    found = load(tmp_path / "state")
    assert found.agent_id == identity.agent_id
    assert private_bytes(found.key) == private_bytes(identity.key)


def test_only_the_owner_may_read(tmp_path: Path, identity: Identity) -> None:
    save(tmp_path / "state", identity)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state" / "identity").stat().st_mode) == 0o600


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path: Path, identity: Identity) -> None:
    save(tmp_path, identity)
    save(tmp_path, Identity(uuid4(), fresh_key()))
    assert load(tmp_path).agent_id != identity.agent_id
    assert [one.name for one in tmp_path.iterdir()] == ["identity"]


def test_a_host_that_is_not_enrolled(tmp_path: Path) -> None:
    with pytest.raises(NotEnrolled) as caught:
        load(tmp_path)
    assert "pudim agent enrol" in caught.value.hint


@pytest.mark.parametrize("content", ["", "x", "\n\n", "00000000-0000-0000-0000-000000000000\nshort\n"])
def test_a_damaged_identity(tmp_path: Path, content: str) -> None:
    path = tmp_path / "identity"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(DamagedIdentity):
        load(tmp_path)


def test_an_identity_that_others_can_read_is_not_used(tmp_path: Path, identity: Identity) -> None:
    save(tmp_path, identity)
    (tmp_path / "identity").chmod(0o644)
    with pytest.raises(ExposedIdentity):
        load(tmp_path)
