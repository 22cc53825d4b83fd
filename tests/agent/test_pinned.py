"""Which key of its collector a host believes, over changes, restarts and crashes."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from pudim.succession import Pin, Successor
from pudim.wire.keys import generate, public_bytes, to_text
from pudim.wire.messages import Successor as Said
from pudim_agent import pinned
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.diagnosis import Patient, findings
from pudim_agent.enrolment import keep
from pudim_agent.footprint import report, table
from pudim_agent.identity import Identity
from pudim_agent.loop import Agent
from pudim_agent.notices import Notices
from pudim_agent.pinned import DamagedPin, Pinned
from tests.agent.fake_collector import FakeCollector
from tests.agent.test_stream import Link
from tests.killed import killed_at_each_point
from tests.shared.test_succession import FIRST, KEYS, STRANGER, link

ANCHOR = to_text(FIRST.key)
NOW = SystemClock().now().wall_ms


def to_next(number: int = 0, epoch: int = 1) -> bytes:
    return link(KEYS[number], KEYS[number + 1], epoch, at=NOW)


def agent_in(state_dir: Path, notices: Notices | None = None) -> Pinned:
    return Pinned(state_dir, ANCHOR, notices=notices or Notices(), clock=SystemClock())


def key(number: int) -> bytes:
    return public_bytes(KEYS[number])


def test_without_a_change_nothing_is_written(tmp_path: Path) -> None:
    assert agent_in(tmp_path).pin == FIRST
    assert list(tmp_path.iterdir()) == []


def test_what_was_learned_outlives_the_agent_in_a_private_file(tmp_path: Path) -> None:
    agent_in(tmp_path).announced(to_next())
    agent = agent_in(tmp_path)
    assert agent.pin.believed == (key(0), key(1))
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    agent.follow(agent.pin.shown(key(1)))
    assert agent_in(tmp_path).pin == Pin(key(1), 1)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (link(KEYS[0], KEYS[1], signer=STRANGER, at=NOW), "succession_forged"),
        (link(STRANGER, KEYS[1], at=NOW), "succession_of_another_key"),
        (link(KEYS[0], KEYS[1], at=NOW - 2 * 86_400_000), "succession_expired"),
        (link(KEYS[0], KEYS[1], at=NOW + 86_400_000), "succession_too_early"),
        (b"x", "succession_unreadable"),
        (Successor(1, key(0), bytes(32), NOW, NOW + 1).encode() + bytes(64), "bad_key"),
    ],
)
def test_what_is_refused_is_told_by_name_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, said: bytes, code: str
) -> None:
    notices = Notices()
    agent = agent_in(tmp_path, notices)
    with caplog.at_level(logging.WARNING):
        agent.announced(said)
    assert agent.pin == FIRST
    assert f"({code})" in caplog.text
    assert code.encode() in list(notices.since(0))[-1][1]
    assert list(tmp_path.iterdir()) == []


def test_a_successor_that_was_followed_cannot_be_taken_back(tmp_path: Path) -> None:
    agent = agent_in(tmp_path)
    agent.announced(to_next())
    agent.follow(agent.pin.shown(key(1)))
    agent.announced(to_next())
    agent.announced(link(KEYS[1], KEYS[0], 1, at=NOW))
    assert agent.pin == agent_in(tmp_path).pin == Pin(key(1), 1)


def test_another_key_in_the_configuration_begins_anew(tmp_path: Path) -> None:
    agent_in(tmp_path).announced(to_next())
    assert pinned.load(tmp_path, to_text(key(5))) == Pin(key(5))
    assert pinned.load(tmp_path, ANCHOR).successor is not None


def test_enrolling_again_goes_back_to_the_key_of_the_line(enrolled: AgentConfig, identity: Identity) -> None:
    """Perhaps to a collector that came back from a backup, before it had another key."""
    collector = public_bytes(KEYS[0])
    config = AgentConfig(enrolled.url, to_text(collector), enrolled.state_dir)
    agent_in(config.state_dir).announced(to_next())
    keep(config, identity)
    assert pinned.load(config.state_dir, config.collector_key) == Pin(collector)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\x90", os.urandom(200), b"\x95\x01\xc4\x00\xc4\x00\x00\xc0"]
)
def test_a_damaged_file_is_named_and_no_older_key_is_believed_for_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / pinned.FILE).write_bytes(content)
    with pytest.raises(DamagedPin) as damaged:
        agent_in(tmp_path)
    assert "Enrol this host again" in damaged.value.hint


def test_a_disk_that_takes_nothing_leaves_the_key_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = agent_in(tmp_path)
    (tmp_path / f".{pinned.FILE}.{os.getpid()}").mkdir()  # where the draft would be written
    agent.announced(to_next())
    assert agent.pin == FIRST == agent_in(tmp_path).pin
    assert "cannot be kept" in caplog.text


LEARN = f"""
from pudim_agent.clock import SystemClock
from pudim_agent.notices import Notices
from pudim_agent.pinned import Pinned
agent = Pinned(Path(folder), {ANCHOR!r}, notices=Notices(), clock=SystemClock())
armed()
agent.announced(bytes.fromhex({to_next().hex()!r}))
assert agent.pin.successor is not None
agent.follow(agent.pin.shown(agent.pin.successor.key))
"""


def test_an_agent_that_is_killed_at_any_point_believes_one_key_or_the_other(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    seen = set()
    for _ in killed_at_each_point(state, LEARN):
        pin = agent_in(state).pin
        assert pin in {FIRST, FIRST._replace(successor=pin.successor), Pin(key(1), 1)}
        seen.add(pin.believed)
        after = agent_in(state)
        after.announced(to_next())  # the collector says it again on the next connection
        assert after.pin.shown(key(1)) == Pin(key(1), 1)
        for one in state.iterdir():
            one.unlink()
    assert (key(0),) in seen
    assert (key(0), key(1)) in seen


async def test_a_host_follows_its_collector_over_the_link(
    config: AgentConfig, identity: Identity, collector: FakeCollector
) -> None:
    """Announced on a session, shown at the next; then a second change that it was away for."""
    first, second, third = collector.key, generate(), generate()
    links = [link(first, second, at=NOW), link(second, third, 2, at=NOW)]
    collector.orders = [Said(links[0]).encode()]
    agent = Link(config, identity)
    notes = agent.orders.successors
    async with agent.running():
        await collector.until(lambda: bool(notes))
        agent.pinned.announced(notes[0].link)
        collector.key, collector.links = second, links[:1]
        await collector.disconnect()
        await collector.until(lambda: agent.pinned.pin == Pin(public_bytes(second), 1))
        collector.key, collector.links = third, links
        await collector.disconnect()
        await collector.until(lambda: agent.pinned.pin == Pin(public_bytes(third), 2))
        sent = len(collector.batches)
        agent.sample()
        await collector.until(lambda: len(collector.batches) > sent)
    again = Link(config, identity)
    assert again.pinned.pin == Pin(public_bytes(third), 2)
    again.spool.close()


async def test_a_thief_of_the_key_before_is_not_believed_again(
    config: AgentConfig, identity: Identity, collector: FakeCollector, caplog: pytest.LogCaptureFixture
) -> None:
    stolen, second = collector.key, generate()
    collector.key, collector.links = second, [link(stolen, second, at=NOW)]
    agent = Link(config, identity)
    async with agent.running():
        await collector.until(lambda: agent.stream.connected)
        collector.key, collector.links = stolen, []
        await collector.disconnect()
        await collector.until(lambda: "bad_signature" in caplog.text)
    assert agent.pinned.pin == Pin(public_bytes(second), 1)


async def test_the_running_agent_takes_a_successor_and_says_so(
    enrolled: AgentConfig, identity: Identity, collector: FakeCollector
) -> None:
    successor = generate()
    collector.orders = [Said(link(collector.key, successor, at=NOW)).encode()]
    task = asyncio.ensure_future(Agent(enrolled, identity, SystemClock()).run())
    try:
        await collector.until(
            lambda: any(
                one.kind == pinned.NOTICE and one.document["successor"] == to_text(public_bytes(successor))
                for one in collector.notices
            )
        )
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    said = report(enrolled)
    assert said["collector_key"] == collector.public_key
    assert said["collector_key_successor"] == to_text(public_bytes(successor))
    assert f"next key   {to_text(public_bytes(successor))} waits" in table(said)


async def test_the_doctor_names_the_key_and_goes_by_what_was_learned(
    enrolled: AgentConfig, collector: FakeCollector, tmp_path: Path
) -> None:
    before, after = collector.key, generate()
    pin = Pinned(enrolled.state_dir, enrolled.collector_key, notices=Notices(), clock=SystemClock())
    pin.announced(link(before, after, at=NOW))
    patient = Patient(enrolled, tmp_path / "policy.toml")

    async def told() -> dict[str, str]:
        return {one.subject: one.said for one in await findings(patient)}

    found = await told()
    assert found["collector's key"] == (
        f"pinned is {enrolled.collector_key}; its successor waits: {to_text(public_bytes(after))}"
    )
    collector.key = after
    assert "is the pinned collector" in (await told())["collector"]
    pin.follow(pin.pin.shown(public_bytes(after)))
    assert (await told())["collector's key"] == f"pinned is {to_text(public_bytes(after))}, change 1"
    (enrolled.state_dir / pinned.FILE).write_bytes(b"damaged")
    assert "cannot be read" in (await told())["collector's key"]
    assert report(enrolled)["collector_key"] is None


def test_the_file_holds_no_more_than_public_keys(tmp_path: Path) -> None:
    agent_in(tmp_path).announced(to_next())
    content = (tmp_path / pinned.FILE).read_bytes()
    assert all(one.private_bytes_raw() not in content for one in KEYS)
