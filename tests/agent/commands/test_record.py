"""What a host remembers of commands survives a restart and a power cut at any moment, and its reports form one chain."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from pudim.wire import keys
from pudim.wire.codec import unpack
from pudim.wire.commands import NOTHING_BEFORE, Report, digest_of, verify_report
from pudim.wire.messages import Result, Taken
from pudim_agent import command_record
from pudim_agent.command_record import CommandRecord, DamagedRecord
from tests.agent.commands.desk import REFRESH, Desk, outcome


def report() -> Report:
    return Report(uuid4(), bytes(16), 1, NOTHING_BEFORE, uuid4(), bytes(32), "done", "", "", "x", False, 1, 2)


def results(record: CommandRecord) -> list[Report]:
    return [Report.decode(Result.decode(unpack(message)).body) for _, message in record.since(0)]


class PowerCut(BaseException):
    """Nothing handles it, as nothing handles the power going."""


@pytest.mark.parametrize("writes", range(6))
def test_the_power_goes_between_any_two_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Reports: each is there once, or not at all, and the chain goes on."""
    key = keys.generate()
    left = [writes]
    write = command_record.write_private

    def cut(path: Path, content: bytes) -> None:
        if not left[0]:
            raise PowerCut
        left[0] -= 1
        write(path, content)

    monkeypatch.setattr(command_record, "write_private", cut)
    with suppress(PowerCut):
        record = CommandRecord(tmp_path, key)
        for _ in range(3):
            record.add(report())
    monkeypatch.setattr(command_record, "write_private", write)
    again = CommandRecord(tmp_path, key)
    again.add(report())
    found = results(again)
    assert [one.sequence for one in found] == list(range(1, len(found) + 1))
    assert len(found) == (writes + 1) // 2 + 1
    head = NOTHING_BEFORE
    for one in found:
        assert one.previous == head
        head = digest_of(one.encode())


def test_what_was_taken_is_gone_and_the_chain_goes_on(tmp_path: Path) -> None:
    key = keys.generate()
    record = CommandRecord(tmp_path, key)
    for _ in range(3):
        record.add(report())
    record.taken(2)
    record.taken(2)
    again = CommandRecord(tmp_path, key)
    assert [one.sequence for one in results(again)] == [3]
    again.taken(3)
    last = CommandRecord(tmp_path, key)
    assert results(last) == []
    last.add(report())
    (found,) = results(last)
    assert found.sequence == 4
    assert found.previous != NOTHING_BEFORE


def test_reports_are_signed_by_the_agent(tmp_path: Path) -> None:
    key = keys.generate()
    record = CommandRecord(tmp_path, key)
    record.add(report())
    ((_, message),) = record.since(0)
    said = Result.decode(unpack(message))
    verify_report(said.body, said.signature, key.public_key())


@pytest.mark.parametrize("content", [b"", b"\x90", b"\x98" + b"\xc0" * 8, b"\xff" * 100, b"x" * 10])
def test_a_damaged_state_is_not_taken_for_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "commands").mkdir()
    (tmp_path / "commands" / "state").write_bytes(content)
    with pytest.raises(DamagedRecord):
        CommandRecord(tmp_path, keys.generate())


def test_a_damaged_report_is_not_overlooked(tmp_path: Path) -> None:
    key = keys.generate()
    record = CommandRecord(tmp_path, key)
    record.add(report())
    (path,) = (tmp_path / "commands").glob("*.report")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedRecord):
        CommandRecord(tmp_path, key)


async def test_an_action_in_which_the_agent_ended(desk: Desk) -> None:
    def end() -> None:
        raise PowerCut

    desk._hurry = end  # type: ignore[method-assign]
    desk.start()
    desk.mandate()
    command = desk.envelope()
    with pytest.raises(PowerCut):
        await desk.hand_over(desk.signed(command))
    desk.hurried = 0
    desk.start()
    desk.commands.own_up()
    (found,) = desk.reports()
    assert (outcome(found), found.command_id) == (("failed", "interrupted"), command.command_id)
    desk.commands.own_up()
    assert desk.reports() == []
    assert outcome(await desk.ask(sequence=command.sequence)) == ("refused", "replayed")


async def test_reports_wait_until_they_are_taken(desk: Desk) -> None:
    desk.taking = False
    await desk.ask()
    await desk.ask("shell")
    desk.start()
    desk.heads = desk.heads[:1]
    assert [outcome(one) for one in desk.reports()] == [("done", ""), ("refused", "not_in_policy")]
    desk.commands.taken(Taken(2))
    assert list(desk.commands.since(0)) == []


async def test_the_loop_does_what_comes_and_tells_of_the_policy(desk: Desk) -> None:
    working = asyncio.ensure_future(desk.commands.run())
    try:
        desk.mandate()
        desk.commands.command(desk.signed(desk.envelope()))
        async with asyncio.timeout(10):
            await desk.commands.answered()
            (found,) = desk.reports()
            assert outcome(found) == ("done", "")
            desk.write_policy(REFRESH + "[actions.self_update]\n")
            desk.commands.command(desk.signed(desk.envelope()))
            await desk.commands.answered()
            while desk.policy_told()["actions"] != ("refresh", "self_update"):
                await asyncio.sleep(0.01)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
    told = desk.policy_told()
    assert told["run"] == desk.run.hex()
    assert (told["frozen"], told["refused"]) == (False, None)


def test_the_policy_notice_of_a_host_without_one(desk: Desk) -> None:
    (desk.etc / "policy.toml").unlink()
    desk.commands.tell_policy()
    assert desk.policy_told() == {
        "actions": (),
        "frozen": False,
        "digest": "",
        "refused": None,
        "reason": None,
        "bounds": {},
        "run": desk.run.hex(),
    }
