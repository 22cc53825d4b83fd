"""Every command that is not this host's to do is refused by its own name, in the order of the checks, and answered for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim.wire import keys
from pudim.wire.codec import pack, unpack
from pudim.wire.commands import (
    COMMAND_DOMAIN,
    MAX_ENVELOPE_BYTES,
    Envelope,
    Mandate,
    digest_of,
    epoch_of,
    key_id,
    sign_envelope,
    sign_mandate,
    sign_succession,
)
from pudim.wire.messages import Command
from pudim_agent import command_checks, commanding
from pudim_agent.command_checks import CommandRefused
from tests.agent.commands.desk import REFRESH, STRANGER, Desk, outcome


async def test_what_is_in_order_is_done(desk: Desk) -> None:
    report = await desk.ask()
    assert outcome(report) == ("done", "")
    assert desk.hurried == 1


# Size, key, signature: before anything is read


async def test_larger_than_any_may_be(desk: Desk) -> None:
    desk.mandate()
    body = desk.envelope(args={"a": "x" * MAX_ENVELOPE_BYTES}).encode()
    (report,) = await desk.hand_over(Command(body, sign_envelope(body, desk.signer)))
    assert outcome(report) == ("refused", "oversize")
    assert (report.command_id, report.about) == (None, digest_of(body))


async def test_size_comes_before_everything(desk: Desk) -> None:
    """Both where a command is taken in and where it is checked."""
    with pytest.raises(command_checks.TooLong):
        command_checks.authentic(bytes(MAX_ENVELOPE_BYTES + 1), bytes(64), command_checks.Keys())


async def test_no_key_was_named_yet(desk: Desk) -> None:
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "unknown_key")


async def test_signed_by_a_stranger(desk: Desk) -> None:
    desk.mandate()
    stranger = keys.generate()
    theirs = desk.envelope(key_id=key_id(stranger.public_key()))
    claimed = desk.envelope()
    first, second = await desk.hand_over(desk.signed(theirs, stranger), desk.signed(claimed, stranger))
    assert outcome(first) == ("refused", "unknown_key")
    assert outcome(second) == ("refused", "bad_signature")
    assert second.command_id is None, "nothing of it was read"


async def test_signed_by_the_keys_of_the_link(desk: Desk) -> None:
    """Neither the collector's own key nor the agent's signs commands."""
    desk.mandate()
    for key in (desk.collector, desk.identity.key):
        (report,) = await desk.hand_over(desk.signed(desk.envelope(), key))
        assert outcome(report) == ("refused", "bad_signature")


async def test_signed_in_another_domain(desk: Desk) -> None:
    desk.mandate()
    body = desk.envelope().encode()
    for domain in (b"", b"pudim-result-v1\0", b"pudim-mandate-v1\0", COMMAND_DOMAIN[:-1], b"pudim-cmd-v2\0"):
        (report,) = await desk.hand_over(Command(body, desk.signer.sign(domain + body)))
        assert outcome(report) == ("refused", "bad_signature")


async def test_a_key_that_was_replaced(desk: Desk) -> None:
    assert outcome(await desk.ask()) == ("done", "")
    old = desk.rotate()
    late = desk.envelope(key_id=key_id(old.public_key()))
    (report,) = await desk.hand_over(desk.signed(late, old))
    assert outcome(report) == ("refused", "revoked_key")
    assert outcome(await desk.ask()) == ("done", "")
    desk.start()
    desk.mandate()
    again = desk.envelope(key_id=key_id(old.public_key()))
    (report,) = await desk.hand_over(desk.signed(again, old))
    assert outcome(report) == ("refused", "revoked_key")


async def test_a_replaced_key_does_not_come_back(desk: Desk) -> None:
    first, serial = desk.signer, desk.serial
    await desk.ask()
    desk.rotate()
    desk.rotate()
    newest = desk.signer
    desk.signer, desk.serial = first, serial
    desk.mandate()
    desk.serial = 9
    desk.mandate()
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "revoked_key")
    desk.signer, desk.serial = newest, 3
    assert outcome(await desk.ask()) == ("done", "")


async def test_who_holds_the_collectors_key_alone_cannot_name_another(desk: Desk) -> None:
    await desk.ask()
    trusted, serial = desk.signer, desk.serial
    thief = keys.generate()
    for word in (thief, desk.collector):
        desk.signer, desk.serial = trusted, serial
        desk.rotate(sign=word)
        desk.mandate()
        (report,) = await desk.hand_over(desk.signed(desk.envelope()))
        assert outcome(report) == ("refused", "unknown_key")
    desk.signer, desk.serial = keys.generate(), serial
    desk.mandate()
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "unknown_key")


async def test_a_mandate_that_is_not_the_collectors(desk: Desk) -> None:
    thief = keys.generate()
    statement = Mandate(1, thief.public_key()).encode()
    desk.mandate(statement=statement, signature=sign_mandate(statement, thief))
    desk.mandate(statement=statement)
    desk.mandate(statement=b"", signature=sign_mandate(b"", desk.collector))
    weak = pack([1, 5, bytes(32)])
    desk.mandate(statement=weak, signature=sign_mandate(weak, desk.collector))
    theirs = desk.envelope(key_id=key_id(thief.public_key()))
    (report,) = await desk.hand_over(desk.signed(theirs, thief))
    assert outcome(report) == ("refused", "unknown_key")


async def test_a_key_before_is_no_news_and_not_believed_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The collector tells each agent all successions, for it does not know which the agent missed."""
    desk.mandate()
    old = desk.rotate()
    statement = Mandate(desk.serial - 1, old.public_key()).encode()
    desk.mandate(statement=statement, signature=sign_mandate(statement, desk.collector))
    assert not caplog.records
    (report,) = await desk.hand_over(desk.signed(desk.envelope(key_id=key_id(old.public_key())), old))
    assert report.outcome == "refused"
    assert outcome(await desk.ask()) == ("done", "")


async def test_the_policy_may_pin_the_key(desk: Desk) -> None:
    pinned = keys.to_text(keys.public_bytes(desk.signer))
    desk.write_policy(f'command_key = "{pinned}"\n{REFRESH}')
    assert outcome(await desk.ask()) == ("done", "")
    desk.rotate()
    assert outcome(await desk.ask()) == ("refused", "key_not_pinned")


@pytest.mark.parametrize("step", [7])
async def test_flipped_bits(desk: Desk, step: int) -> None:
    """At every byte of envelope and signature, one bit after the other."""
    desk.mandate()
    whole = desk.signed(desk.envelope())
    for bit in range(0, 8 * len(whole.envelope), step):
        flipped = bytearray(whole.envelope)
        flipped[bit // 8] ^= 1 << bit % 8
        (report,) = await desk.hand_over(replace(whole, envelope=bytes(flipped)))
        assert report.outcome == "refused"
        assert report.code in {"bad_signature", "unknown_key"}
    for at in range(64):
        damaged = bytearray(whole.signature)
        damaged[at] ^= 1 << at % 8
        (report,) = await desk.hand_over(replace(whole, signature=bytes(damaged)))
        assert outcome(report) == ("refused", "bad_signature")
    assert desk.hurried == 0
    (report,) = await desk.hand_over(whole)
    assert outcome(report) == ("done", "")


async def test_truncated_at_every_byte(desk: Desk) -> None:
    desk.mandate()
    whole = desk.signed(desk.envelope())
    for end in range(len(whole.envelope)):
        (report,) = await desk.hand_over(replace(whole, envelope=whole.envelope[:end]))
        assert report.outcome == "refused"
        assert report.code in {"bad_signature", "unknown_key"}
        cut = whole.envelope[:end]
        (report,) = await desk.hand_over(Command(cut, sign_envelope(cut, desk.signer)))
        assert report.code in {"malformed", "unknown_key"}
    assert desk.hurried == 0


@given(body=st.binary(max_size=300))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_that_are_signed(desk: Desk, body: bytes) -> None:
    desk.mandate()
    head = desk.envelope().encode()[:12]
    for said in (body, head + body):
        (report,) = await desk.hand_over(Command(said, sign_envelope(said, desk.signer)))
        assert report.outcome == "refused"
        assert report.code in {"unknown_key", "malformed"}


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: [0, *fields[1:]],
        lambda fields: [2, *fields[1:]],
        lambda fields: fields[:-1],
        lambda fields: [*fields[:10], {"a": {"b": {"c": [[[[[[[[1]]]]]]]]}}}, *fields[11:]],
    ],
    ids=["version 0", "a later version", "a field less", "deep"],
)
async def test_signed_and_of_another_shape(desk: Desk, change: object) -> None:
    desk.mandate()
    body = pack(change(list(unpack(desk.envelope().encode()))))  # type: ignore[operator]
    (report,) = await desk.hand_over(Command(body, sign_envelope(body, desk.signer)))
    assert report.outcome == "refused"
    assert report.code in {"malformed", "unknown_key"}
    assert desk.hurried == 0


async def test_a_field_named_twice(desk: Desk) -> None:
    desk.write_policy('[actions.restart_unit]\nunits = ["a.service"]\n')
    desk.mandate()
    fields = list(unpack(desk.envelope("restart_unit").encode()))
    args = b"\x82" + pack("unit") + pack("b.service") + pack("unit") + pack("a.service")
    body = b"\x9e" + b"".join(args if at == 10 else pack(value) for at, value in enumerate(fields))
    (report,) = await desk.hand_over(Command(body, sign_envelope(body, desk.signer)))
    assert outcome(report) == ("refused", "malformed")


# Audience


async def test_for_another_agent(desk: Desk) -> None:
    report = await desk.ask(agent_id=STRANGER)
    assert outcome(report) == ("refused", "other_agent")


async def test_for_another_enrolment(desk: Desk) -> None:
    before = epoch_of(keys.generate().public_key())
    assert outcome(await desk.ask(epoch=before)) == ("refused", "other_enrolment")


async def test_for_an_earlier_run(desk: Desk) -> None:
    before = desk.run
    desk.start()
    assert before != desk.run
    assert outcome(await desk.ask(run=before)) == ("refused", "other_run")


# Time


@pytest.mark.parametrize("life", [120_001, 121_000, 10**9, 0, -1])
async def test_a_life_that_none_may_have(desk: Desk, life: int) -> None:
    now = desk.clock.wall_ms
    report = await desk.ask(issued=now, expires=now + life)
    assert outcome(report) == ("refused", "too_long_lived")


async def test_the_longest_life(desk: Desk) -> None:
    now = desk.clock.wall_ms
    assert outcome(await desk.ask(issued=now, expires=now + 120_000)) == ("done", "")


async def test_expired(desk: Desk) -> None:
    desk.mandate()
    command = desk.signed(desk.envelope())
    desk.clock.pass_seconds(60.001)
    desk.mandate()
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("refused", "expired")


async def test_at_its_last_moment(desk: Desk) -> None:
    desk.mandate()
    command = desk.signed(desk.envelope())
    desk.clock.pass_seconds(60)
    desk.mandate()
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("done", "")


async def test_what_the_collector_says_of_the_time_brings_nothing_back(desk: Desk) -> None:
    """Who speaks for the collector, and cannot sign commands, has one that is over."""
    desk.mandate()
    command = desk.signed(desk.envelope())
    desk.clock.pass_seconds(80)
    for said in (desk.clock.wall_ms - 25_000, desk.clock.wall_ms - 80_000):
        desk.mandate(at=said)
        (report,) = await desk.hand_over(command)
        assert report.code in {"expired", "clock_skew"}


@pytest.mark.parametrize(("ahead", "code"), [(30_001, "not_yet_valid"), (30_000, "")])
async def test_issued_in_the_future(desk: Desk, ahead: int, code: str) -> None:
    now = desk.clock.wall_ms + ahead
    assert (await desk.ask(issued=now, expires=now + 60_000)).code == code


@pytest.mark.parametrize("apart", [30_001, -30_001, 3_600_000, -(10**12)])
async def test_clocks_that_are_apart(desk: Desk, apart: int) -> None:
    desk.mandate(at=desk.clock.wall_ms + apart)
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "clock_skew")


@pytest.mark.parametrize("apart", [30_000, -30_000])
async def test_clocks_that_are_a_little_apart(desk: Desk, apart: int) -> None:
    desk.mandate(at=desk.clock.wall_ms + apart)
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("done", "")


async def test_a_clock_that_nobody_compared(desk: Desk) -> None:
    """The key is known from before, and of the time nothing was said in this run, or too long ago."""
    await desk.ask()
    desk.start()
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "clock_unknown")
    desk.mandate()
    desk.clock.pass_seconds(120.5)
    (report,) = await desk.hand_over(desk.signed(desk.envelope()))
    assert outcome(report) == ("refused", "clock_unknown")


async def test_a_wall_clock_that_is_set_back(desk: Desk) -> None:
    """It would make an old command young again; the steady clock tells."""
    desk.mandate()
    command = desk.signed(desk.envelope())
    desk.clock.pass_seconds(70)
    desk.clock.wall_ms -= 60_000
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("refused", "clock_skew")


# Numbers


async def test_said_twice(desk: Desk) -> None:
    desk.mandate()
    command = desk.signed(desk.envelope())
    first, second = await desk.hand_over(command, command)
    assert (outcome(first), outcome(second)) == (("done", ""), ("refused", "replayed"))
    assert desk.hurried == 1


async def test_a_lower_number(desk: Desk) -> None:
    await desk.ask(sequence=1000)
    assert outcome(await desk.ask(sequence=999)) == ("refused", "replayed")
    assert outcome(await desk.ask(sequence=1001)) == ("done", "")


async def test_again_after_a_restart(desk: Desk) -> None:
    desk.mandate()
    command = desk.signed(desk.envelope())
    await desk.hand_over(command)
    desk.start()
    desk.mandate()
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("refused", "other_run")
    same_number = desk.envelope(sequence=Envelope.decode(command.envelope).sequence)
    (report,) = await desk.hand_over(desk.signed(same_number))
    assert outcome(report) == ("refused", "replayed")


async def test_again_after_the_state_was_rolled_back(desk: Desk) -> None:
    await desk.ask()
    before = desk.state.read_bytes()
    desk.mandate()
    command = desk.signed(desk.envelope())
    await desk.hand_over(command)
    desk.state.write_bytes(before)
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("refused", "replayed"), "this run remembers by itself"
    desk.state.write_bytes(before)
    desk.start()
    desk.heads = desk.heads[:2]
    desk.mandate()
    (report,) = await desk.hand_over(command)
    assert outcome(report) == ("refused", "other_run")
    assert desk.hurried == 2


async def test_a_refused_command_uses_its_number_up_only_if_it_was_authentic(desk: Desk) -> None:
    """Else who forges one could make this host deaf."""
    desk.mandate()
    far = desk.envelope(sequence=2**60)
    (report,) = await desk.hand_over(desk.signed(far, keys.generate()))
    assert outcome(report) == ("refused", "bad_signature")
    assert outcome(await desk.ask()) == ("done", "")


# Policy


@pytest.mark.parametrize(
    "action", ["restart_unit", "tail_log", "self_update", "shell", "refresh ", "REFRESH", "__init__"]
)
async def test_an_action_that_the_policy_does_not_name(desk: Desk, action: str) -> None:
    assert outcome(await desk.ask(action)) == ("refused", "not_in_policy")


async def test_without_a_policy(desk: Desk) -> None:
    (desk.etc / "policy.toml").unlink()
    assert outcome(await desk.ask()) == ("refused", "not_in_policy")


async def test_a_policy_that_others_can_write(desk: Desk) -> None:
    (desk.etc / "policy.toml").chmod(0o666)
    report = await desk.ask()
    assert outcome(report) == ("refused", "not_in_policy")
    assert "can be written by others" in report.detail
    (desk.etc / "policy.toml").chmod(0o644)
    desk.etc.chmod(0o777)
    assert outcome(await desk.ask()) == ("refused", "not_in_policy")


async def test_the_policy_counts_as_it_is_at_the_moment(desk: Desk) -> None:
    assert outcome(await desk.ask()) == ("done", "")
    desk.write_policy("")
    assert outcome(await desk.ask()) == ("refused", "not_in_policy")
    desk.write_policy(REFRESH)
    assert outcome(await desk.ask()) == ("done", "")


async def test_frozen(desk: Desk) -> None:
    (desk.etc / "freeze").write_text("")
    assert outcome(await desk.ask()) == ("refused", "frozen")
    (desk.etc / "freeze").unlink()
    desk.write_policy(f"frozen = true\n{REFRESH}")
    assert outcome(await desk.ask()) == ("refused", "frozen")


async def test_chosen_by_another_policy(desk: Desk) -> None:
    chosen_by = digest_of(REFRESH.encode())
    assert outcome(await desk.ask(policy=chosen_by)) == ("done", "")
    desk.write_policy(REFRESH + "# more\n")
    assert outcome(await desk.ask(policy=chosen_by)) == ("refused", "other_policy")


@pytest.mark.parametrize("args", [{"a": 1}, {"fast": True}, {"": ""}])
async def test_args_that_the_action_does_not_have(desk: Desk, args: dict[str, object]) -> None:
    report = await desk.ask("refresh", args)
    assert report.outcome == "refused"
    assert report.code in {"bad_args", "malformed"}


# What cannot be kept


async def test_a_disk_that_takes_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory is on a full or broken disk, as far as this agent can see."""
    desk.mandate()
    (desk.folder / "state").rename(desk.folder / "away")
    (desk.folder / "state").write_text("no directory")
    assert await desk.hand_over(desk.signed(desk.envelope())) == []
    assert desk.hurried == 0
    (desk.folder / "state").unlink()
    (desk.folder / "away").rename(desk.folder / "state")
    report = await desk.ask()
    assert outcome(report) == ("done", "")
    assert report.unreported == 1


async def test_a_damaged_memory(desk: Desk) -> None:
    await desk.ask()
    desk.state.write_bytes(b"\x93\x01\x02")
    desk.start()
    desk.mandate()
    assert await desk.hand_over(desk.signed(desk.envelope())) == []
    assert desk.hurried == 1
    told = desk.policy_told()
    assert (told["actions"], told["refused"]) == ((), "damaged_record")


async def test_too_many_at_once(desk: Desk) -> None:
    desk.mandate()
    reports = await desk.hand_over(*(desk.signed(desk.envelope()) for _ in range(12)))
    codes = sorted(one.code for one in reports)
    assert codes == [""] * 8 + ["busy"] * 4


async def test_no_room_for_reports(desk: Desk) -> None:
    """Nothing is done whose outcome could not be told."""
    desk.taking = False
    desk.mandate()
    for _ in range(64):
        desk.commands.command(Command(b"x", bytes(64)))
        await desk.hand_over()
    assert len(list(desk.state.parent.glob("*.report"))) == 64
    assert await desk.hand_over(desk.signed(desk.envelope())) == []
    assert desk.hurried == 0
    desk.taking = True
    desk._sent = 0
    desk.heads = desk.heads[:1]
    desk.reports()
    report = await desk.ask()
    assert (outcome(report), report.unreported) == (("done", ""), 1)


def test_every_refusal_has_its_own_name() -> None:
    def family(kind: type[CommandRefused]) -> list[type[CommandRefused]]:
        return [kind, *(one for child in kind.__subclasses__() for one in family(child))]

    found = family(CommandRefused)
    assert len({one.code for one in found}) == len(found) > 20
    assert all(one.__doc__ for one in found)
    assert command_checks.MAX_SKEW_MS == 30_000
    assert commanding.MAX_QUEUED == 8


async def test_numbers_are_on_disk_before_the_action_begins(desk: Desk) -> None:
    """The power may go while it is done."""
    seen: list[bytes] = []
    desk._hurry = lambda: seen.append(desk.state.read_bytes())  # type: ignore[method-assign]
    desk.start()
    await desk.ask(sequence=777)
    (state,) = seen
    assert unpack(state)[4] == 777
    assert unpack(state)[7] is not None
    assert desk.state.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("serial", [1, 4, 5])
def test_a_number_of_a_key_never_goes_back(serial: int) -> None:
    """Not even with the word of the key before."""
    current, other = keys.generate(), keys.generate()
    known = command_checks.Keys(5, current.public_key())
    mandate = Mandate(serial, other.public_key())
    statement = mandate.encode()
    with pytest.raises(command_checks.StaleMandate):
        command_checks.succeeded(known, mandate, statement, sign_succession(statement, current))
