"""The key for commands is replaced so that every host follows, whichever key it knew, and nobody else can name one."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pudim.wire import keys
from pudim.wire.commands import Mandate, key_id, sign_mandate, sign_succession, verify_mandate
from pudim.wire.messages import Mandate as Said
from pudim_agent.command_checks import ForgedSuccession, Keys, StaleMandate, succeeded
from pudim_collector.app.command_keys import MOST_LINKS, CommandKeys, Link, command_keys, rotate
from pudim_collector.app.commanding import LocalSigner
from pudim_collector.app.keys import COMMAND_FILE, SUCCESSION_FILE, command_key
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileOpenError,
    create_private,
    replace_private,
)
from tests.collector.app.site import COLLECTOR_KEY

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def told(data_dir: Path) -> list[Said]:
    """What a collector that starts now says to each agent."""
    return LocalSigner(command_keys(data_dir), COLLECTOR_KEY).mandates(NOW)


def heard(known: Keys, said: list[Said]) -> Keys:
    """What an agent knows afterwards."""
    for one in said:
        verify_mandate(one.statement, one.signature, COLLECTOR_KEY.public_key())
        known = succeeded(known, Mandate.decode(one.statement), one.statement, one.succession)
    return known


def knows(known: Keys, data_dir: Path) -> bool:
    assert known.current is not None
    return key_id(known.current) == key_id(command_key(data_dir).public_key())


def test_a_key_without_a_history_is_the_first(tmp_path: Path) -> None:
    (said,) = told(tmp_path)
    assert (Mandate.decode(said.statement).serial, said.succession) == (1, b"")
    assert not (tmp_path / SUCCESSION_FILE).exists()


def test_a_host_follows_from_whichever_key_it_knew(tmp_path: Path) -> None:
    agents = [Keys()]
    for _ in range(4):
        agents.append(heard(Keys(), told(tmp_path)))
        rotate(tmp_path)
    for known in agents:
        after = heard(known, told(tmp_path))
        assert (knows(after, tmp_path), after.serial) == (True, 5)
        assert heard(after, told(tmp_path)) is after


def test_both_files_are_private_and_whole(tmp_path: Path) -> None:
    before = command_key(tmp_path)
    after = rotate(tmp_path)
    assert (
        keys.private_bytes(after.key) == (tmp_path / COMMAND_FILE).read_bytes() != keys.private_bytes(before)
    )
    assert {one.name for one in tmp_path.iterdir()} == {COMMAND_FILE, SUCCESSION_FILE}
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
    assert keys.to_text(keys.private_bytes(after.key)) not in (tmp_path / SUCCESSION_FILE).read_text()
    assert repr(keys.private_bytes(after.key)) not in repr(after)


def test_an_older_word_is_not_believed_again(tmp_path: Path) -> None:
    """A recording of what was said before, also of what only some heard."""
    recorded = [told(tmp_path)]
    for _ in range(2):
        rotate(tmp_path)
        recorded.append(told(tmp_path))
    known = heard(Keys(), recorded[-1])
    for said in recorded:
        assert heard(known, said) == known
    stranger = Mandate(2, keys.generate().public_key()).encode()
    with pytest.raises(StaleMandate):
        heard(known, [Said(stranger, sign_mandate(stranger, COLLECTOR_KEY), b"", 0)])


def test_nobody_but_the_key_before_names_the_next(tmp_path: Path) -> None:
    """Who has the collector's key alone cannot, nor who changed the file."""
    known = heard(Keys(), told(tmp_path))
    thief = keys.generate()
    statement = Mandate(2, thief.public_key()).encode()
    signature = sign_mandate(statement, COLLECTOR_KEY)
    for succession in (b"", sign_succession(statement, thief), sign_succession(statement, COLLECTOR_KEY)):
        with pytest.raises(ForgedSuccession):
            heard(known, [Said(statement, signature, succession, 0)])
    links = list(rotate(tmp_path).links)
    forged = replace_link(links[1], succession=keys.to_text(sign_succession(links[1].statement(), thief)))
    replace_private(tmp_path / SUCCESSION_FILE, msgspec.json.encode([links[0], forged]))
    with pytest.raises(KeyFileDamagedError):
        command_keys(tmp_path)


def replace_link(link: Link, **changed: str) -> Link:
    return msgspec.structs.replace(link, **changed)


def test_a_crash_between_the_files_changes_nothing(tmp_path: Path) -> None:
    rotate(tmp_path)
    known, kept = heard(Keys(), told(tmp_path)), (tmp_path / COMMAND_FILE).read_bytes()
    rotate(tmp_path)
    replace_private(tmp_path / COMMAND_FILE, kept)
    assert heard(known, told(tmp_path)) is known
    rotate(tmp_path)
    after = heard(known, told(tmp_path))
    assert (knows(after, tmp_path), after.serial) == (True, 3)


def test_the_history_is_bounded(tmp_path: Path) -> None:
    early = heard(Keys(), told(tmp_path))
    for _ in range(MOST_LINKS):
        rotate(tmp_path)
    said = told(tmp_path)
    assert len(said) == MOST_LINKS
    assert knows(heard(heard(Keys(), said[:1]), said), tmp_path)
    with pytest.raises(ForgedSuccession):
        heard(replace(early, serial=0), said[1:])


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff", b'[{"serial":1,"key":"x","succession":""}]' * 2]
)
def test_a_damaged_history_is_refused(tmp_path: Path, content: bytes) -> None:
    command_key(tmp_path)
    create_private(tmp_path / SUCCESSION_FILE, content)
    with pytest.raises(KeyFileDamagedError):
        command_keys(tmp_path)


def test_a_history_that_others_may_read_or_change_is_refused(tmp_path: Path) -> None:
    rotate(tmp_path)
    (tmp_path / SUCCESSION_FILE).chmod(0o666)
    with pytest.raises(KeyFileOpenError):
        command_keys(tmp_path)


def test_a_key_that_was_put_there_by_hand_begins_anew(tmp_path: Path) -> None:
    rotate(tmp_path)
    replace_private(tmp_path / COMMAND_FILE, keys.private_bytes(keys.generate()))
    assert command_keys(tmp_path).links == CommandKeys.first(command_key(tmp_path)).links
